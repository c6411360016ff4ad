//! Calls inside a workspace take nothing from the heap, and no more from the workspace than they say.

use nexus_linalg::workspace::Room;
use nexus_linalg::{Complex, Context, Field, MatMut, MatRef, Workspace, dense};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

/// A positive definite matrix that is not the same when turned by its last bits.
fn matrix<T: Field>(n: usize) -> Vec<T> {
    let item = |at: usize| {
        let (i, j) = (at / n, at % n);
        let size = if i == j { 2.0 * n as f64 } else { 0.0 };
        T::from_real(<T::Real as nexus_linalg::Float>::from_f64(
            size + ((i * j) as f64).cos(),
        ))
    };
    (0..n * n).map(item).collect()
}

type Call<'a> = (&'a str, usize, Box<dyn FnMut() + 'a>);

fn calls_take_what_they_say<T: Field>(n: usize) {
    let context = Context::default();
    let a = matrix::<T>(n);
    let a = MatRef::new(&a, n, n).unwrap();
    let columns = 3;
    let square = || vec![T::ONE; n * n];
    let (mut x, mut product, mut inverse, mut lower, mut packed) = (
        vec![T::ONE; n * columns],
        square(),
        square(),
        square(),
        square(),
    );
    let mut exchanges = vec![0; n];
    let calls: Vec<Call<'_>> = vec![
        (
            "solve",
            dense::solve_bytes::<T>(n, columns),
            Box::new(|| {
                dense::solve(context, a, MatMut::new(&mut x, n, columns).unwrap()).unwrap();
            }),
        ),
        (
            "inv",
            dense::inv_bytes::<T>(n),
            Box::new(|| {
                dense::inv(context, a, MatMut::new(&mut inverse, n, n).unwrap()).unwrap();
            }),
        ),
        (
            "det",
            dense::det_bytes::<T>(n),
            Box::new(|| {
                dense::det(context, a).unwrap();
            }),
        ),
        (
            "lu",
            dense::lu_bytes::<T>((n, n)),
            Box::new(|| {
                dense::Lu::factor_into(context, a, &mut packed, &mut exchanges).unwrap();
            }),
        ),
        (
            "cholesky",
            dense::cholesky_bytes::<T>(n),
            Box::new(|| {
                dense::cholesky(context, a, MatMut::new(&mut lower, n, n).unwrap()).unwrap();
            }),
        ),
        // Of a product of real items all memory is the thread's.
        (
            "matmul",
            if T::IS_COMPLEX { 1 << 24 } else { 0 },
            Box::new(|| {
                context
                    .matmul(a, a, MatMut::new(&mut product, n, n).unwrap())
                    .unwrap();
            }),
        ),
    ];
    for (name, bytes, mut call) in calls {
        // Threads keep the blocks of products.
        call();
        let (needed, ()) = Workspace::needed(&mut call);
        assert!(
            needed <= bytes,
            "{name} of {n}: {needed} bytes, not {bytes}"
        );
        let much = needed + needed / 4 + (16 << 10);
        assert!(
            T::IS_COMPLEX || bytes <= much,
            "{name} of {n}: {bytes} bytes for {needed}"
        );
        let mut workspace = Workspace::for_bytes(needed);
        for _ in 0..3 {
            assert_eq!(allocations(|| workspace.run(&mut call)), 0, "{name} of {n}");
        }
    }
}

#[test]
fn calls_inside_a_workspace_take_nothing_from_the_heap() {
    for n in [4, 16, 17, 40, 64, 97, 150, 300] {
        calls_take_what_they_say::<f64>(n);
        calls_take_what_they_say::<f32>(n);
        calls_take_what_they_say::<Complex<f64>>(n);
    }
}

#[test]
fn results_are_the_same_with_a_workspace() {
    let n = 130;
    let a = matrix::<f64>(n);
    let inverse = || {
        let mut result = vec![0.0; n * n];
        let view = MatMut::new(&mut result, n, n).unwrap();
        dense::inv(Context::default(), MatRef::new(&a, n, n).unwrap(), view).unwrap();
        result
    };
    assert_eq!(Workspace::new().run(inverse), inverse());
}

#[test]
fn a_workspace_grows_once() {
    let n = 120;
    let a = matrix::<f64>(n);
    let mut x = vec![1.0; n];
    let mut solve = || {
        let a = MatRef::new(&a, n, n).unwrap();
        dense::solve(Context::default(), a, MatMut::new(&mut x, n, 1).unwrap()).unwrap();
    };
    solve();
    let mut workspace = Workspace::for_bytes(100);
    assert_eq!(workspace.bytes(), 128);
    assert!(allocations(|| workspace.run(&mut solve)) > 0);
    let grown = workspace.bytes();
    assert!(grown >= n * n * size_of::<f64>());
    for _ in 0..3 {
        assert_eq!(allocations(|| workspace.run(&mut solve)), 0);
    }
    assert_eq!(workspace.bytes(), grown);
}

#[test]
fn parts_that_are_given_back_in_any_order_are_taken_again() {
    let (bytes, ()) = Workspace::needed(|| {
        for round in 0..10_u8 {
            let first = Room::filled(round, 100);
            let second = Room::gather([u64::from(round); 7].into_iter());
            drop(first);
            let third = Room::filled(f32::from(round), 3);
            drop(second);
            assert_eq!(*third, [f32::from(round); 3]);
        }
    });
    assert_eq!(bytes, 128 + 64 + 64);
}

#[test]
fn a_part_may_be_kept_and_a_panic_ends_the_use_of_a_workspace() {
    let mut workspace = Workspace::for_bytes(1024);
    let kept = workspace.run(|| Room::filled(7_i32, 50));
    let other = workspace.run(|| Room::filled(8_i32, 50));
    std::thread::spawn(move || workspace.run(|| drop(Room::filled(9_i32, 50))))
        .join()
        .unwrap();
    assert_eq!((&*kept, &*other), (&[7; 50][..], &[8; 50][..]));
    let mut workspace = Workspace::for_bytes(1024);
    let call = std::panic::AssertUnwindSafe(|| workspace.run(|| panic!("on purpose")));
    std::panic::catch_unwind(call).unwrap_err();
    assert!(
        allocations(|| drop(Room::filled(1_u8, 8))) > 0,
        "the heap again"
    );
    assert_eq!(
        allocations(|| workspace.run(|| drop(Room::filled(1_u8, 8)))),
        0
    );
}
