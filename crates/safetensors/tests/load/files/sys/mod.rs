//! What the tests ask the system for.

/// Writes to memory of the caller.
pub(crate) fn fill(start: *mut u8, len: usize, byte: u8) {
    // SAFETY: the tests pass the memory of a region that they hold and do not borrow.
    unsafe { start.write_bytes(byte, len) }
}

/// Runs work in a forked process and gives its exit status: 0 when it returns true.
#[cfg(target_os = "linux")]
pub(crate) fn in_child(work: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child does the work and ends without going on with the test.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "there is room for a process");
    if child == 0 {
        // A panic must not go on into the test that the child is a copy of.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(!done.unwrap_or(false))) }
    }
    let mut status = 0;
    // SAFETY: the child is ours and `status` lives across the call.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(ended, child);
    status
}

/// How many KiB of the map that an address lies in are in memory.
#[cfg(target_os = "linux")]
pub(crate) fn resident_kib(address: *const u8) -> usize {
    let text = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in text.lines() {
        let range = line.split(' ').next().unwrap_or_default().split_once('-');
        let parse = |text: &str| usize::from_str_radix(text, 16).ok();
        if let Some((start, end)) = range.and_then(|(a, b)| Some((parse(a)?, parse(b)?))) {
            inside = (start..end).contains(&address.addr());
        } else if let Some(size) = line.strip_prefix("Rss:").filter(|_| inside) {
            return size.trim().trim_end_matches(" kB").parse().unwrap();
        }
    }
    0
}
