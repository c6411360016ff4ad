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

/// Refuses rings, direct files and populated maps to this process from here on, as containers and
/// file systems do.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_everything_new() {
    let jump = |value: u32, yes: u8, no: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: yes,
        jf: no,
        k: value,
    };
    let plain = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let load = |at: u32| plain(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at);
    let end = |action: u32| plain(libc::BPF_RET | libc::BPF_K, action);
    let errno = |number: i32| libc::SECCOMP_RET_ERRNO | number as u32;
    // The number of the call stands at 0, its third argument at 32.
    let mut program = [
        load(0),
        jump(libc::SYS_io_uring_setup as u32, 6, 0),
        jump(libc::SYS_openat as u32, 0, 2),
        load(32),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16,
            jt: 4,
            jf: 5,
            k: libc::O_DIRECT as u32,
        },
        jump(libc::SYS_madvise as u32, 0, 4),
        load(32),
        jump(libc::MADV_POPULATE_READ as u32, 1, 2),
        end(errno(libc::EPERM)),
        end(errno(libc::EINVAL)),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: numbers, and a program that lives across the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let filter = &raw const program;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, filter),
            0
        );
    }
}

/// Whether a ring and a direct file can be had.
#[cfg(target_os = "linux")]
pub(crate) fn has_anything_new(path: &std::path::Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let direct = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(path);
    let mut parameters = [0_u8; 120];
    // SAFETY: the call writes at most 120 bytes of parameters.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    direct.is_ok() || ring >= 0
}
