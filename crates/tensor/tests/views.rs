//! Strided views against a naive walk over all indices.

use nexus_tensor::{
    DType, Error, ErrorKind, Layout, Tensor, TensorRef, contiguous_strides, element_count,
    size_bytes,
};
use proptest::prelude::*;

/// Every index inside `shape`, in row-major order.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    if shape.contains(&0) {
        return vec![];
    }
    shape.iter().fold(vec![vec![]], |found, &dimension| {
        let extended = |index: Vec<usize>| {
            (0..dimension)
                .map(move |at| [index.clone(), vec![at]].concat())
                .collect::<Vec<_>>()
        };
        found.into_iter().flat_map(extended).collect()
    })
}

fn naive(view: &TensorRef<'_>) -> Vec<u16> {
    indices(view.shape())
        .iter()
        .map(|index| view.get::<u16>(index).unwrap())
        .collect()
}

/// One step of building a view: what it does to the view, and where an index of the result was.
#[derive(Clone, Debug)]
enum Step {
    Permute(usize),
    Slice {
        axis: usize,
        start: usize,
        end: usize,
        step: usize,
    },
    Select {
        axis: usize,
        index: usize,
    },
    Flip(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (axis, at) = (0..4_usize, 0..6_usize);
    prop_oneof![
        (0..24_usize).prop_map(Step::Permute),
        (axis.clone(), at.clone(), at.clone(), 1..4_usize).prop_map(|(axis, start, end, step)| {
            Step::Slice {
                axis,
                start,
                end,
                step,
            }
        }),
        (axis.clone(), at).prop_map(|(axis, index)| Step::Select { axis, index }),
        axis.prop_map(Step::Flip),
    ]
}

/// From an index of the new view to the index of the old one.
type Source = Box<dyn Fn(&[usize]) -> Vec<usize>>;

/// Applies a step to the view and to a twin, which is a list of elements per index.
fn apply(step: &Step, view: &TensorRef<'_>) -> Option<(Vec<u16>, Vec<usize>)> {
    let rank = view.shape().len();
    let old = |index: Vec<usize>| view.get::<u16>(&index).unwrap();
    let (shape, source): (Vec<usize>, Source) = match *step {
        Step::Permute(by) if rank > 0 => {
            let axes: Vec<usize> = (0..rank).map(|axis| (axis + by) % rank).collect();
            let shape = axes.iter().map(|&axis| view.shape()[axis]).collect();
            let source = move |index: &[usize]| {
                let mut old = vec![0; index.len()];
                axes.iter()
                    .zip(index)
                    .for_each(|(&axis, &at)| old[axis] = at);
                old
            };
            (shape, Box::new(source))
        }
        Step::Slice {
            axis,
            start,
            end,
            step,
        } if axis < rank && start <= end && end <= view.shape()[axis] => {
            let mut shape = view.shape().to_vec();
            shape[axis] = (start..end).step_by(step).count();
            let source = move |index: &[usize]| {
                let mut old = index.to_vec();
                old[axis] = start + index[axis] * step;
                old
            };
            (shape, Box::new(source))
        }
        Step::Select { axis, index } if axis < rank && index < view.shape()[axis] => {
            let mut shape = view.shape().to_vec();
            shape.remove(axis);
            let source = move |rest: &[usize]| [&rest[..axis], &[index], &rest[axis..]].concat();
            (shape, Box::new(source))
        }
        Step::Flip(axis) if axis < rank => {
            let last = view.shape()[axis];
            let source = move |index: &[usize]| {
                let mut old = index.to_vec();
                old[axis] = last - 1 - index[axis];
                old
            };
            (view.shape().to_vec(), Box::new(source))
        }
        _ => return None,
    };
    let twin = indices(&shape)
        .iter()
        .map(|index| old(source(index)))
        .collect();
    Some((twin, shape))
}

fn stepped<'a>(step: &Step, view: &TensorRef<'a>) -> Result<TensorRef<'a>, Error> {
    match *step {
        Step::Permute(by) => {
            let rank = view.shape().len();
            view.permute(&(0..rank).map(|axis| (axis + by) % rank).collect::<Vec<_>>())
        }
        Step::Slice {
            axis,
            start,
            end,
            step,
        } => view.slice(axis, start..end, step),
        Step::Select { axis, index } => view.select(axis, index),
        Step::Flip(axis) => view.flip(axis),
    }
}

proptest! {
    #[test]
    fn views_equal_a_naive_index_walk(
        shape in prop::collection::vec(0..5_usize, 0..4),
        steps in prop::collection::vec(step(), 0..5),
    ) {
        let elements: Vec<u16> = (0..shape.iter().product::<usize>() as u16).collect();
        let tensor = Tensor::from_vec(shape, elements).unwrap();
        let mut view = tensor.view();
        for step in &steps {
            if let Some((twin, shape)) = apply(step, &view) {
                view = stepped(step, &view).unwrap();
                prop_assert_eq!(view.shape(), shape);
                prop_assert_eq!(naive(&view), twin);
            } else {
                prop_assert!(view.shape().is_empty() || stepped(step, &view).is_err());
            }
        }
        let copy = view.to_contiguous();
        prop_assert!(copy.view().is_contiguous());
        prop_assert_eq!(copy.as_slice::<u16>().unwrap(), naive(&view));
        if view.is_contiguous() {
            prop_assert_eq!(view.as_slice::<u16>().unwrap(), naive(&view));
        }
        prop_assert!(copy.shape() == view.shape());
    }

    #[test]
    fn arithmetic_never_panics_and_equals_wide_arithmetic(
        shape in prop::collection::vec(prop_oneof![0..4_usize, any::<usize>(), Just(1 << 32)], 0..6),
    ) {
        let exact = shape.iter().try_fold(1_u128, |n, &d| {
            n.checked_mul(d as u128).filter(|&n| n <= usize::MAX as u128)
        });
        prop_assert_eq!(element_count(&shape).ok().map(|n| n as u128), exact);
        for dtype in DType::ALL {
            let bits = exact.map(|n| n * dtype.bits() as u128).filter(|&bits| bits <= usize::MAX as u128);
            let bytes = bits.filter(|bits| bits % 8 == 0).map(|bits| bits / 8);
            prop_assert_eq!(size_bytes(dtype, &shape).ok().map(|n| n as u128), bytes);
        }
        let _ = contiguous_strides(&shape);
    }

    #[test]
    fn no_layout_leads_outside_its_bytes(
        axes in prop::collection::vec(
            (prop_oneof![0..4_usize, any::<usize>()], prop_oneof![-9..9_isize, any::<isize>()]), 0..4),
        offset in prop_oneof![0..40_usize, any::<usize>()],
        len in 0..64_usize,
    ) {
        let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        let bytes = vec![7; len];
        let Ok(layout) = Layout::strided(shape, strides, offset) else { return Ok(()) };
        let Ok(view) = TensorRef::with_layout(DType::U16, layout, &bytes) else { return Ok(()) };
        // Huge only with stride 0, where a walk is senseless.
        if view.element_count() < 1000 {
            prop_assert!(naive(&view).iter().all(|&element| element == 0x0707));
            prop_assert_eq!(view.to_contiguous().as_slice::<u16>().unwrap().len(), view.element_count());
        }
        let _ = view.transpose().is_contiguous();
    }
}

#[test]
fn bad_requests_say_what_and_why() {
    let bytes = [0_u8; 12];
    let view = TensorRef::new(DType::F32, [3], &bytes).unwrap();
    let odd = TensorRef::new(DType::F32, [1], &bytes[1..5]).unwrap();
    let packed = TensorRef::new(DType::F4, [2, 4], &bytes[..4]).unwrap();
    let flags = [2_u8];
    let cases: [(Result<(), Error>, ErrorKind, &str); 12] = [
        (
            view.as_slice::<u32>().map(drop),
            ErrorKind::InvalidInput,
            "cannot read F32 as U32",
        ),
        (
            odd.as_slice::<f32>().map(drop),
            ErrorKind::Unsupported,
            "not aligned",
        ),
        (
            view.slice(0, 0..3, 2).unwrap().as_slice::<f32>().map(drop),
            ErrorKind::Unsupported,
            "strided",
        ),
        (
            view.slice(1, 0..1, 1).map(drop),
            ErrorKind::InvalidInput,
            "axis 1 of 1 axes",
        ),
        (
            view.slice(0, 0..4, 1).map(drop),
            ErrorKind::InvalidInput,
            "0..4 by 1 of axis 0 with 3",
        ),
        (
            view.select(0, 3).map(drop),
            ErrorKind::InvalidInput,
            "select 3 of axis 0",
        ),
        (
            view.permute(&[1]).map(drop),
            ErrorKind::InvalidInput,
            "permute 1 axes as [1]",
        ),
        (
            packed.select(0, 1).map(drop),
            ErrorKind::Unsupported,
            "share bytes",
        ),
        (
            TensorRef::new(DType::F4, [3], &bytes[..1]).map(drop),
            ErrorKind::InvalidInput,
            "12 bits do not fill",
        ),
        (
            TensorRef::new(DType::F64, [2], &bytes).map(drop),
            ErrorKind::InvalidInput,
            "needs 16",
        ),
        (
            TensorRef::new(DType::BOOL, [1], &flags)
                .unwrap()
                .as_slice::<bool>()
                .map(drop),
            ErrorKind::InvalidInput,
            "neither 0 nor 1",
        ),
        (
            element_count(&[usize::MAX, 2, 0]).map(drop),
            ErrorKind::LimitReached,
            "overflow",
        ),
    ];
    for (result, kind, words) in cases {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn packed_elements_keep_their_bytes() {
    let bytes = [1, 2, 3];
    let view = TensorRef::new(DType::F6_E2M3, [4], &bytes).unwrap();
    assert_eq!(view.as_bytes(), Some(&bytes[..]));
    assert_eq!(view.to_contiguous().view().as_bytes(), Some(&bytes[..]));
    assert_eq!(view.element_bytes(&[0]), None);
}

#[test]
fn names_round_trip() {
    for dtype in DType::ALL {
        assert_eq!(dtype.to_string().parse(), Ok(dtype));
    }
    assert_eq!(
        "f32".parse::<DType>().unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert!(DType::ALL.is_sorted());
}
