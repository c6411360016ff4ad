//! Parts of a block of memory, which the calls of one thread take and give back.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// What parts are multiples of: a line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "for its size")] [u8; LINE]);

pub(super) const LINE: usize = 64;

thread_local! {
    /// The block that calls of this thread take from.
    static CURRENT: RefCell<Option<Arc<Block>>> = const { RefCell::new(None) };
}

/// Memory that calls inside [`run`](Self::run) compute in.
///
/// ```
/// use nexus_linalg::{Context, MatMut, MatRef, Workspace, dense};
///
/// let a: Vec<f64> = (0..100 * 100).map(|i| if i % 101 == 0 { 200.0 } else { 1.0 }).collect();
/// let a = MatRef::new(&a, 100, 100)?;
/// let mut b = vec![1.0; 100];
/// let mut solve = || dense::solve(Context::default(), a, MatMut::new(&mut b, 100, 1)?);
/// let mut workspace = Workspace::for_bytes(dense::solve_bytes::<f64>(100, 1));
/// for _ in 0..3 {
///     workspace.run(&mut solve)?;
/// }
/// assert_eq!(workspace.bytes(), dense::solve_bytes::<f64>(100, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Workspace {
    block: Arc<Block>,
}

impl Workspace {
    /// A workspace without memory, which the first call gives it.
    #[must_use]
    pub fn new() -> Self {
        Self::of_lines(0)
    }

    /// A workspace of so many bytes, rounded up to whole lines of 64.
    #[must_use]
    pub fn for_bytes(bytes: usize) -> Self {
        Self::of_lines(bytes.div_ceil(LINE))
    }

    fn of_lines(lines: usize) -> Self {
        Self {
            block: Arc::new(Block::new(lines)),
        }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.block.lines.len() * LINE
    }

    /// Calls `work`, whose calls take their memory from here; what does not fit comes from the heap, and when `work`
    /// ends the workspace has room for it. Inside another workspace's `run` this one is taken from.
    pub fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        if Arc::get_mut(&mut self.block).is_none() {
            // Somebody has kept a part.
            *self = Self::of_lines(self.block.lines.len());
        }
        let result = {
            let outer = CURRENT.replace(Some(self.block.clone()));
            let _restored = Restored(outer);
            work()
        };
        let most = self.block.most.replace(0);
        if most > self.block.lines.len() {
            *self = Self::of_lines(most);
        }
        result
    }

    /// Calls `work` without a workspace and says how many bytes of one it would have taken: they depend on shapes, item
    /// types and instructions, and for eigenvectors on how many eigenvalues lie close together.
    pub fn needed<R>(work: impl FnOnce() -> R) -> (usize, R) {
        let mut workspace = Self::new();
        let result = workspace.run(work);
        (workspace.bytes(), result)
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        f.debug_struct("Workspace").field("bytes", &bytes).finish()
    }
}

/// Puts back what was current.
struct Restored(Option<Arc<Block>>);

impl Drop for Restored {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Memory, of which parts are taken one after the other. Parts that do not fit are counted as if they did.
struct Block {
    lines: Box<[UnsafeCell<MaybeUninit<Line>>]>,
    /// The parts that are taken, and those given back below one that is not.
    parts: RefCell<Vec<Part>>,
    /// Where the next part begins.
    top: Cell<usize>,
    most: Cell<usize>,
}

struct Part {
    start: usize,
    is_free: bool,
}

// SAFETY: `lines` keeps its length. All else is touched by `take`, which only the thread inside `run` reaches, and by
// `Room`s, which stay on that thread; a `run` on another thread begins with a block of which no `Room` is left.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    fn new(lines: usize) -> Self {
        const PARTS: usize = 64;
        Self {
            lines: (0..lines)
                .map(|_| UnsafeCell::new(MaybeUninit::uninit()))
                .collect(),
            parts: RefCell::new(Vec::with_capacity(PARTS)),
            top: Cell::new(0),
            most: Cell::new(0),
        }
    }

    /// The number of a new part, and its lines where they fit.
    fn take(&self, lines: usize) -> (usize, Option<NonNull<u8>>) {
        let mut parts = self.parts.borrow_mut();
        let start = self.top.get();
        let end = start + lines;
        parts.push(Part {
            start,
            is_free: false,
        });
        self.top.set(end);
        self.most.set(self.most.get().max(end));
        let place = self.lines.get(start..end);
        let place = place.map(|lines| NonNull::from(lines).cast());
        (parts.len() - 1, place)
    }

    fn give_back(&self, part: usize) {
        let mut parts = self.parts.borrow_mut();
        parts[part].is_free = true;
        while let Some(last) = parts.pop_if(|part| part.is_free) {
            self.top.set(last.start);
        }
    }
}

/// Items to compute with, from the workspace of this thread or from the heap: what an engine takes where it would make
/// a `Vec`.
pub struct Room<T> {
    place: Place<T>,
    /// The block and the number of the part.
    lender: Option<(Arc<Block>, usize)>,
}

enum Place<T> {
    Heap(Vec<T>),
    Lent(NonNull<T>, usize),
}

impl<T> Room<T> {
    /// So many items of one value.
    #[must_use]
    pub fn filled(value: T, len: usize) -> Self
    where
        T: Copy,
    {
        match Self::lent(len) {
            None => Self::heap(vec![value; len]),
            Some(room) => room.filled(value),
        }
    }

    /// What an iterator gives; items need no drop.
    pub fn gather(items: impl ExactSizeIterator<Item = T>) -> Self {
        match Self::lent(items.len()) {
            None => Self::heap(items.collect()),
            Some(room) => room.written(items),
        }
    }

    /// What a function makes of each item.
    #[must_use]
    pub fn map<U>(mut self, work: impl FnMut(T) -> U) -> Room<U>
    where
        T: Copy,
    {
        match &mut self.place {
            Place::Heap(items) if self.lender.is_none() => {
                Room::heap(std::mem::take(items).into_iter().map(work).collect())
            }
            _ => Room::gather(self.iter().copied().map(work)),
        }
    }

    /// Keeps the first items alone.
    pub fn truncate(&mut self, count: usize) {
        match &mut self.place {
            Place::Heap(items) => items.truncate(count),
            Place::Lent(_, len) => *len = count.min(*len),
        }
    }

    /// As many items of `value`, where this thread is inside a workspace.
    pub(crate) fn within(value: T, len: usize) -> Option<Self>
    where
        T: Copy,
    {
        let room = Self::lent(len)?;
        Some(room.filled(value))
    }

    fn heap(items: Vec<T>) -> Self {
        Self {
            place: Place::Heap(items),
            lender: None,
        }
    }

    /// A part of this thread's workspace.
    fn lent(len: usize) -> Option<Unwritten<T>> {
        const { assert!(align_of::<T>() <= LINE && !std::mem::needs_drop::<T>()) };
        let block = CURRENT.with_borrow(Option::clone)?;
        let lines = len.checked_mul(size_of::<T>())?.div_ceil(LINE);
        let (part, place) = block.take(lines);
        Some(Unwritten {
            place: place.map(NonNull::cast),
            len,
            lender: (block, part),
        })
    }
}

/// A part of a block whose items have no values yet.
struct Unwritten<T> {
    place: Option<NonNull<T>>,
    len: usize,
    lender: (Arc<Block>, usize),
}

impl<T> Unwritten<T> {
    fn filled(self, value: T) -> Room<T>
    where
        T: Copy,
    {
        let place = match self.place {
            None => Place::Heap(vec![value; self.len]),
            Some(place) => {
                let mut items = NonNull::slice_from_raw_parts(place.cast(), self.len);
                // SAFETY: `lent` took room for so many items at a multiple of `LINE`, for this part alone.
                unsafe { items.as_mut() }.fill(MaybeUninit::new(value));
                Place::Lent(place, self.len)
            }
        };
        Room {
            place,
            lender: Some(self.lender),
        }
    }

    fn written(self, items: impl Iterator<Item = T>) -> Room<T> {
        let place = match self.place {
            None => Place::Heap(items.collect()),
            Some(place) => {
                let mut count = 0;
                for item in items.take(self.len) {
                    // SAFETY: `lent` took room for `len` items at a multiple of `LINE`, and `count < len`.
                    unsafe { place.add(count).write(item) };
                    count += 1;
                }
                Place::Lent(place, count)
            }
        };
        Room {
            place,
            lender: Some(self.lender),
        }
    }
}

// SAFETY: who has a room by reference has its items by reference, and nothing else.
unsafe impl<T: Sync> Sync for Room<T> {}

impl<T> Default for Room<T> {
    fn default() -> Self {
        Self {
            place: Place::Heap(Vec::new()),
            lender: None,
        }
    }
}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Heap(items) => items,
            // SAFETY: `written` wrote so many items there; the part is this room's alone until it is given back, and
            // `lender` keeps the block.
            Place::Lent(items, len) => unsafe {
                NonNull::slice_from_raw_parts(*items, *len).as_ref()
            },
        }
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Heap(items) => items,
            // SAFETY: as above.
            Place::Lent(items, len) => unsafe {
                NonNull::slice_from_raw_parts(*items, *len).as_mut()
            },
        }
    }
}

impl<T> Drop for Room<T> {
    fn drop(&mut self) {
        if let Some((block, part)) = &self.lender {
            block.give_back(*part);
        }
    }
}
