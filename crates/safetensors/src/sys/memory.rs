//! Large memory that is written once from the front, in huge pages and by several threads.
//!
//! The first touch of fresh memory costs more than the copy itself when the system gives it out in
//! pages of 4 KiB. So the memory is declared fit for huge pages before anything is written to it.

use std::mem::MaybeUninit;
use std::num::NonZeroUsize;
use std::thread;

/// From this size on, memory is asked for in huge pages and filled by several threads.
const LARGE_SIZE_MIN: usize = 4 << 20;

/// Two cores saturate the memory of small machines; more than four help nowhere we measured.
const COPY_THREADS_MAX: usize = 4;

/// Memory that is being filled. It knows how much of it has a value.
pub(crate) struct Destination<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Destination<'a> {
    pub(crate) fn new(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        if bytes.len() >= LARGE_SIZE_MIN {
            advise_huge_pages(bytes);
        }
        Self { bytes, filled: 0 }
    }

    /// Over memory that has values already.
    pub(crate) fn over(bytes: &'a mut [u8]) -> Self {
        let (start, len) = (bytes.as_mut_ptr(), bytes.len());
        // SAFETY: the same memory for the same time; a destination only ever writes values to it.
        Self::new(unsafe { std::slice::from_raw_parts_mut(start.cast(), len) })
    }

    /// Copies slices one behind the other.
    ///
    /// # Panics
    /// When there is no room.
    pub(crate) fn copy<B: AsRef<[u8]> + Sync>(&mut self, sources: &[B]) {
        let sizes = sources.iter().map(|source| source.as_ref().len());
        let size: usize = sizes.sum();
        let room = &mut self.bytes[self.filled..][..size];
        let threads = if size < LARGE_SIZE_MIN {
            1
        } else {
            thread::available_parallelism()
                .map_or(1, NonZeroUsize::get)
                .min(COPY_THREADS_MAX)
        };
        let mut shares = share_out(sources, room, size.div_ceil(threads));
        thread::scope(|scope| {
            // The last share is for this thread.
            let own = shares.pop();
            for share in shares {
                scope.spawn(move || copy_share(share));
            }
            own.map(copy_share);
        });
        self.filled += size;
    }

    /// The filled memory.
    ///
    /// # Panics
    /// When it is not full.
    pub(crate) fn finish(self) -> &'a mut [u8] {
        assert_eq!(self.filled, self.bytes.len(), "memory is filled to its end");
        // SAFETY: `copy` has given a value to each of the first `filled` bytes, which are all.
        unsafe { self.bytes.assume_init_mut() }
    }
}

type Share<'s> = Vec<(&'s [u8], &'s mut [MaybeUninit<u8>])>;

/// Cuts sources and room into runs of at most `share_size` bytes.
fn share_out<'s, B: AsRef<[u8]>>(
    sources: &'s [B],
    mut room: &'s mut [MaybeUninit<u8>],
    share_size: usize,
) -> Vec<Share<'s>> {
    let mut shares = vec![Share::new()];
    let mut left = share_size;
    for source in sources {
        let mut source = source.as_ref();
        while !source.is_empty() {
            if left == 0 {
                shares.push(Share::new());
                left = share_size;
            }
            let size = source.len().min(left);
            let (now, later) = source.split_at(size);
            let (target, rest) = room.split_at_mut(size);
            if let Some(share) = shares.last_mut() {
                share.push((now, target));
            }
            (source, room, left) = (later, rest, left - size);
        }
    }
    shares
}

fn copy_share(share: Share<'_>) {
    for (source, target) in share {
        target.write_copy_of_slice(source);
    }
}

/// Makes a vector of exactly `size` bytes, which `fill` fills.
///
/// # Panics
/// When `fill` returns other memory than it was given.
pub(crate) fn filled_vec<E>(
    size: usize,
    fill: impl for<'a> FnOnce(Destination<'a>) -> Result<&'a mut [u8], E>,
) -> Result<Vec<u8>, E> {
    let mut bytes = Vec::with_capacity(size);
    let room = &mut bytes.spare_capacity_mut()[..size];
    let start = room.as_ptr().cast::<u8>();
    let filled = fill(Destination::new(room))?;
    assert!(std::ptr::eq(filled.as_ptr(), start) && filled.len() == size);
    // SAFETY: the first `size` bytes of the vector's memory are those of `filled`, which have values.
    unsafe { bytes.set_len(size) };
    Ok(bytes)
}

/// Declares the whole pages inside of some memory fit for huge pages. It is advice: where the system
/// knows none or has none, small pages do.
fn advise_huge_pages(bytes: &mut [MaybeUninit<u8>]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE_SIZE: usize = 4096;
        let (start, end) = (bytes.as_mut_ptr(), bytes.as_mut_ptr_range().end);
        let skipped = start.align_offset(PAGE_SIZE);
        let size = bytes.len().saturating_sub(skipped) & !(PAGE_SIZE - 1);
        debug_assert!(start.wrapping_add(skipped + size) <= end);
        // SAFETY: the range lies inside of `bytes`; the advice changes no byte.
        unsafe { libc::madvise(start.add(skipped).cast(), size, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = bytes;
}
