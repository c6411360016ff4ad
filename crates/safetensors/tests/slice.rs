//! The module `slice` against the published crate's: pieces, shapes and errors.

use std::num::NonZeroUsize;
use std::ops::Bound;

use nexus_safetensors::slice::{IndexOp, InvalidSlice, TensorIndexer, slice_byte_ranges};
use nexus_safetensors::{Dtype, TensorView};
use proptest::prelude::*;
use safetensors::slice as published;

fn twin_dtype(dtype: Dtype) -> safetensors::Dtype {
    serde_json::from_str(&format!("\"{dtype}\"")).unwrap()
}

fn twin(indexer: &TensorIndexer) -> published::TensorIndexer {
    match indexer {
        TensorIndexer::Select(at) => published::TensorIndexer::Select(*at),
        TensorIndexer::Narrow(start, stop, step) => {
            published::TensorIndexer::Narrow(*start, *stop, *step)
        }
    }
}

fn bound() -> impl Strategy<Value = Bound<usize>> {
    prop_oneof![
        2 => Just(Bound::Unbounded),
        3 => (0..5_usize).prop_map(Bound::Included),
        3 => (0..6_usize).prop_map(Bound::Excluded),
    ]
}

fn indexer() -> impl Strategy<Value = TensorIndexer> {
    let step = (1..4_usize).prop_map(|step| NonZeroUsize::new(step).unwrap());
    prop_oneof![
        1 => (0..5_usize).prop_map(TensorIndexer::Select),
        4 => (bound(), bound(), step)
            .prop_map(|(start, stop, step)| TensorIndexer::Narrow(start, stop, step)),
    ]
}

/// The published crate underflows on a start behind its stop, and forgets that it has sliced at all
/// after an empty slice with a step.
fn is_beyond_the_published_crate(slices: &[TensorIndexer], shape: &[usize]) -> bool {
    slices
        .iter()
        .zip(shape)
        .any(|(slice, &length)| match slice {
            TensorIndexer::Select(_) => false,
            TensorIndexer::Narrow(start, stop, step) => {
                let start = match start {
                    Bound::Unbounded => 0,
                    Bound::Included(at) => *at,
                    Bound::Excluded(at) => at + 1,
                };
                let stop = match stop {
                    Bound::Unbounded => length,
                    Bound::Included(at) => at + 1,
                    Bound::Excluded(at) => *at,
                };
                start > stop || start == stop && step.get() > 1
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn pieces_shapes_and_errors_are_those_of_the_published_crate(
        dtype in prop::sample::select(Dtype::ALL.to_vec()),
        shape in prop::collection::vec(1..5_usize, 0..5),
        slices in prop::collection::vec(indexer(), 0..6),
    ) {
        let ours = slice_byte_ranges(dtype, &shape, &slices);
        if is_beyond_the_published_crate(&slices, &shape) {
            let empty = ours.as_ref().map_or(true, |(ranges, taken)| ranges.is_empty() && taken.contains(&0));
            prop_assert!(empty, "{:?}", ours);
            return Ok(());
        }
        let twins: Vec<_> = slices.iter().map(twin).collect();
        let theirs = published::slice_byte_ranges(twin_dtype(dtype), &shape, &twins);
        match (ours, theirs) {
            // It gives the whole tensor where a slice is empty.
            (Ok((ranges, ours)), Ok((_, theirs))) if ours.contains(&0) => {
                prop_assert_eq!(ours, theirs);
                prop_assert!(ranges.iter().all(|(start, stop)| start == stop));
            }
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Ok((ranges, ours)), Err(theirs)) => {
                prop_assert!(ours.contains(&0) && ranges.is_empty(), "theirs: {}", theirs);
            }
            (Err(ours), Err(theirs)) => prop_assert_eq!(ours.to_string(), theirs.to_string()),
            (ours, theirs) => prop_assert!(false, "ours {:?}, theirs {:?}", ours, theirs),
        }
        for (ours, theirs) in slices.iter().zip(&twins) {
            prop_assert_eq!(ours.to_string(), theirs.to_string());
        }
    }

    #[test]
    fn a_slice_of_a_view_gives_its_pieces_and_counts_them_down(
        shape in prop::collection::vec(1..5_usize, 1..4),
        slices in prop::collection::vec(indexer(), 1..4),
    ) {
        let data: Vec<u8> = (0..shape.iter().product::<usize>() * 2).map(|at| at as u8).collect();
        let view = TensorView::new(Dtype::I16, shape.clone(), &data).unwrap();
        if let (Ok((ranges, taken)), Ok(mut pieces)) = (
            slice_byte_ranges(Dtype::I16, &shape, &slices),
            view.sliced_data(&slices),
        ) {
            prop_assert_eq!(pieces.newshape(), taken);
            let mut left: usize = ranges.iter().map(|(start, stop)| stop - start).sum();
            for (start, stop) in ranges {
                prop_assert_eq!(pieces.remaining_byte_len(), left);
                prop_assert_eq!(pieces.next(), Some(&data[start..stop]));
                left -= stop - start;
            }
            prop_assert_eq!(pieces.remaining_byte_len(), 0);
            prop_assert_eq!(pieces.next(), None);
        }
    }
}

#[test]
fn ranges_and_tuples_of_all_kinds_index() {
    let data: Vec<u8> = (0..64).collect();
    let view = TensorView::new(Dtype::U8, vec![2; 6], &data).unwrap();
    let taken = |pieces: Result<nexus_safetensors::slice::SliceIterator<'_>, InvalidSlice>| {
        pieces.unwrap().collect::<Vec<_>>().concat()
    };
    assert_eq!(taken(view.slice(..)), data);
    assert_eq!(taken(view.slice(1)), data[32..]);
    assert_eq!(taken(view.slice((..1,))), data[..32]);
    assert_eq!(taken(view.slice((1.., 0..1))), data[32..48]);
    assert_eq!(taken(view.slice((0..=0, ..=0, 1))), data[8..16]);
    assert_eq!(taken(view.slice((1, 1, 1, 0..1))), data[56..60]);
    assert_eq!(taken(view.slice((1, 1, 1, 1, 1))), data[62..]);
    assert_eq!(taken(view.slice((1, 1, 1, 1, 1, 0))), [62]);
}

#[test]
fn what_would_overflow_is_an_error_or_empty() {
    let all = TensorIndexer::from(..);
    let huge = [usize::MAX / 2, 4, 4];
    assert_eq!(
        slice_byte_ranges(Dtype::F64, &huge, std::slice::from_ref(&all)),
        Err(InvalidSlice::SliceOutOfRange {
            dim_index: 0,
            asked: usize::MAX / 2 - 1,
            dim_size: usize::MAX / 2
        })
    );
    let empty = [0, usize::MAX, usize::MAX];
    assert_eq!(
        slice_byte_ranges(Dtype::F64, &empty, &[]),
        Ok((vec![(0, 0)], empty.to_vec()))
    );
    let all = TensorIndexer::from(..);
    let last = [all.clone(), all, TensorIndexer::from(1..usize::MAX)];
    assert!(slice_byte_ranges(Dtype::F64, &empty, &last).is_err());
    for bound in [Bound::Included(usize::MAX), Bound::Excluded(usize::MAX)] {
        let behind = TensorIndexer::Narrow(bound, bound, NonZeroUsize::MIN);
        assert!(slice_byte_ranges(Dtype::U8, &[4], &[behind]).is_err());
    }
    assert!(slice_byte_ranges(Dtype::U8, &[4], &[TensorIndexer::Select(usize::MAX)]).is_err());
    let (start, stop) = (3, 1);
    let backwards = slice_byte_ranges(Dtype::U8, &[4], &[(start..stop).into()]);
    assert_eq!(backwards, Ok((vec![], vec![0])));
}

/// Implementations that callers of the published crate have compile here too.
#[test]
fn own_types_are_views_by_reference() {
    use nexus_safetensors::tensor::View;
    struct Own(Vec<u8>, Vec<usize>);
    impl View for &Own {
        fn dtype(&self) -> Dtype {
            Dtype::U8
        }
        fn shape(&self) -> &[usize] {
            &self.1
        }
        fn data(&self) -> std::borrow::Cow<'_, [u8]> {
            (&self.0).into()
        }
        fn data_len(&self) -> usize {
            self.0.len()
        }
    }
    let own = Own(vec![1, 2], vec![2]);
    let file = nexus_safetensors::tensor::serialize([("own", &own)], None).unwrap();
    let read = nexus_safetensors::tensor::SafeTensors::deserialize(&file).unwrap();
    assert_eq!(read.tensor("own").unwrap().data(), [1, 2]);
}
