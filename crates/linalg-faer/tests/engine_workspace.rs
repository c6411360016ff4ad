//! Decompositions inside a workspace take nothing from the heap.

use nexus_linalg::{Context, MatMut, MatRef, Workspace, decompose};
use nexus_linalg_faer::Faer;
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

fn view(items: &mut [f64], n: usize) -> MatMut<'_, f64> {
    MatMut::new(items, n, n).unwrap()
}

type Call<'a> = (&'a str, Box<dyn FnMut() + 'a>);

#[test]
fn decompositions_inside_a_workspace_take_nothing_from_the_heap() {
    for n in [3, 16, 33, 64, 200] {
        let context = Context::default();
        let a: Vec<f64> = (0..n * n)
            .map(|at| ((at / n + 1) as f64 * (at % n + 1) as f64).sin())
            .collect();
        let a = MatRef::new(&a, n, n).unwrap();
        let square = || vec![0.0; n * n];
        let values = || vec![0.0; n];
        let (mut q, mut r, mut u, mut v, mut w) =
            (square(), square(), square(), square(), square());
        let (mut of_eigh, mut of_eigvalsh, mut of_svd, mut of_svdvals) =
            (values(), values(), values(), values());
        let calls: Vec<Call<'_>> = vec![
            (
                "qr",
                Box::new(|| {
                    decompose::qr(
                        Context::default(),
                        &Faer,
                        a,
                        view(&mut q, n),
                        view(&mut r, n),
                    )
                    .unwrap();
                }),
            ),
            (
                "svd",
                Box::new(|| {
                    let vectors = Some((view(&mut u, n), view(&mut v, n)));
                    decompose::svd(Context::default(), &Faer, a, &mut of_svd, vectors).unwrap();
                }),
            ),
            (
                "svdvals",
                Box::new(|| {
                    decompose::svd(Context::default(), &Faer, a, &mut of_svdvals, None).unwrap();
                }),
            ),
            (
                "eigh",
                Box::new(|| {
                    let vectors = Some(view(&mut w, n));
                    decompose::eigh(context, &Faer, a, &mut of_eigh, vectors).unwrap();
                }),
            ),
            (
                "eigvalsh",
                Box::new(|| {
                    decompose::eigh(context, &Faer, a, &mut of_eigvalsh, None).unwrap();
                }),
            ),
        ];
        for (name, mut call) in calls {
            // Threads keep the blocks of products.
            call();
            let (needed, ()) = Workspace::needed(&mut call);
            let mut workspace = Workspace::for_bytes(needed);
            for _ in 0..3 {
                let count = allocations(|| workspace.run(&mut call));
                assert_eq!(count, 0, "{name} of {n}");
            }
            assert_eq!(workspace.bytes(), needed, "{name} of {n}");
        }
    }
}
