//! Basic indexing: cases whose results NumPy gives, errors, and indices as text.

use nexus_safetensors::{Dtype, ErrorKind, Index, IndexError, SafeTensorError, Selection};

fn select(shape: &[usize], text: &str) -> Result<Selection, SafeTensorError> {
    Selection::new(Dtype::U8, shape, &Index::parse_list(text)?)
}

fn ranges(selection: &Selection) -> Vec<(usize, usize)> {
    selection.runs().map(|run| (run.start, run.end)).collect()
}

/// Shape, index, shape of the result and its elements: `np.arange(n).reshape(shape)[index]`.
type Case = (
    &'static [usize],
    &'static str,
    &'static [usize],
    &'static [usize],
);

#[test]
fn what_is_taken_is_what_numpy_takes() {
    let cases: [Case; 17] = [
        (&[4], "1:3", &[2], &[1, 2]),
        (&[4], "-1", &[], &[3]),
        (&[4], "::-1", &[4], &[3, 2, 1, 0]),
        (&[4], "-99:99", &[4], &[0, 1, 2, 3]),
        (&[4], "3:1", &[0], &[]),
        (&[4], "5:", &[0], &[]),
        (&[4], "99::-2", &[2], &[3, 1]),
        (&[4], "None, 1", &[1], &[1]),
        (&[2, 3], "1", &[3], &[3, 4, 5]),
        (&[2, 3], ":, 1", &[2], &[1, 4]),
        (&[2, 3], "..., -1", &[2], &[2, 5]),
        (&[2, 3], ":, ::2", &[2, 2], &[0, 2, 3, 5]),
        (&[2, 3], "::-1, ::-2", &[2, 2], &[5, 3, 2, 0]),
        (&[2, 3], "1, ..., None, 2", &[1], &[5]),
        (&[], "...", &[], &[0]),
        (&[], "None", &[1], &[0]),
        (&[0, 3], ":, 1", &[0], &[]),
    ];
    for (shape, text, taken_shape, elements) in cases {
        let selection = select(shape, text).unwrap();
        assert_eq!(selection.shape(), taken_shape, "{shape:?}[{text}]");
        let taken: Vec<_> = selection.runs().flatten().collect();
        assert_eq!(taken, elements, "{shape:?}[{text}]");
        assert_eq!(selection.size_bytes(), elements.len());
    }
}

#[test]
fn what_touches_is_one_run() {
    let runs = |shape: &[usize], text: &str| ranges(&select(shape, text).unwrap());
    assert_eq!(runs(&[4, 5, 6], "..."), [(0, 120)]);
    assert_eq!(runs(&[4, 5, 6], "1:3"), [(30, 90)]);
    assert_eq!(runs(&[4, 5, 6], "1, 2:4"), [(42, 54)]);
    assert_eq!(runs(&[1, 4, 1, 6], ":, 1:3, :, :"), [(6, 18)]);
    assert_eq!(runs(&[2, 3], ":, ::2"), [(0, 1), (2, 4), (5, 6)]);
    assert_eq!(runs(&[2, 2], "::-1"), [(2, 4), (0, 2)]);
    assert!(runs(&[0, 7], "...").is_empty());
}

#[test]
fn layouts_view_a_tensor_in_memory() {
    let bytes: Vec<u8> = (0..24).collect();
    let selection = select(&[2, 3, 4], "::-1, 1, None, 1::2").unwrap();
    let view = nexus_tensor::TensorRef::with_layout(Dtype::U8, selection.layout().clone(), &bytes);
    let taken: Vec<u8> = selection
        .runs()
        .flat_map(|run| bytes[run].to_vec())
        .collect();
    assert_eq!(
        view.unwrap().to_contiguous().view().as_bytes(),
        Some(&taken[..])
    );
    assert_eq!(taken, [17, 19, 5, 7]);
}

#[test]
fn indices_that_do_not_fit_name_axis_and_size() {
    let cases = [
        (
            &[2, 3][..],
            ":, 7",
            "index 7 is out of bounds for axis 1 with size 3",
        ),
        (
            &[2, 3],
            ":, -4",
            "index -4 is out of bounds for axis 1 with size 3",
        ),
        (&[0], "0", "index 0 is out of bounds for axis 0 with size 0"),
        (
            &[2, 3],
            "None, 2",
            "index 2 is out of bounds for axis 0 with size 2",
        ),
        (
            &[2],
            "0, 0",
            "too many indices for tensor: tensor is 1-dimensional, but 2 were indexed",
        ),
        (
            &[2],
            "..., ...",
            "an index can only have a single ellipsis ('...')",
        ),
    ];
    for (shape, text, message) in cases {
        let error = select(shape, text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert_eq!(error.to_string(), message);
    }
    let zero = Index::Slice {
        start: None,
        stop: None,
        step: Some(0),
    };
    let error = Selection::new(Dtype::U8, &[2, 3], &[Index::At(0), zero]).unwrap_err();
    assert_eq!(error.to_string(), "slice step cannot be zero (axis 1)");
}

#[test]
fn packed_types_are_cut_between_bytes_only() {
    let rows = Selection::new(Dtype::F4, &[4, 2], &[Index::At(1)]).unwrap();
    assert_eq!(ranges(&rows), [(1, 2)]);
    let fours =
        Selection::new(Dtype::F6_E2M3, &[3, 4], &Index::parse_list("::2").unwrap()).unwrap();
    assert_eq!(ranges(&fours), [(0, 3), (6, 9)]);
    let error =
        Selection::new(Dtype::F4, &[4, 2], &Index::parse_list(":, 1").unwrap()).unwrap_err();
    assert!(matches!(
        error,
        SafeTensorError::InvalidIndex(IndexError::SubByte { dtype: Dtype::F4 })
    ));
    assert_eq!(
        error.to_string(),
        "cannot slice elements of type F4: 4 bits each, and the slice cuts bytes apart"
    );
    assert!(error.hint().is_some());
    assert!(matches!(
        Selection::new(Dtype::F4, &[3], &[]),
        Err(SafeTensorError::MisalignedSlice)
    ));
    assert!(matches!(
        Selection::new(Dtype::F64, &[usize::MAX, 2], &[]),
        Err(SafeTensorError::ValidationOverflow)
    ));
}

#[test]
fn texts_are_read_as_numpy_reads_them() {
    let slice = |start, stop, step| Index::Slice { start, stop, step };
    let cases = [
        (
            "0:10, ::2, 3, None, ...",
            vec![
                slice(Some(0), Some(10), None),
                slice(None, None, Some(2)),
                Index::At(3),
                Index::NewAxis,
                Index::Ellipsis,
            ],
        ),
        ("[ -1 ]", vec![Index::At(-1)]),
        (":", vec![Index::FULL]),
        ("::", vec![Index::FULL]),
        ("1,", vec![Index::At(1)]),
        ("None:5:None", vec![slice(None, Some(5), None)]),
        ("newaxis, +2", vec![Index::NewAxis, Index::At(2)]),
        (
            "-99999999999999999999:99999999999999999999",
            vec![slice(Some(isize::MIN), Some(isize::MAX), None)],
        ),
    ];
    for (text, indices) in cases {
        assert_eq!(Index::parse_list(text).unwrap(), indices, "{text}");
    }
}

#[test]
fn texts_that_are_no_index_say_which_part() {
    let cases = [
        ("", "cannot parse `` as an index: it is empty"),
        ("[]", "cannot parse `[]` as an index: it is empty"),
        (
            "[1",
            "cannot parse `[1` as an index: a bracket is not closed",
        ),
        (
            "1,,2",
            "cannot parse `` as an index: there is nothing between two commas",
        ),
        (
            "0, 1:2:3:4",
            "cannot parse `1:2:3:4` as an index: a slice has three parts at most",
        ),
        ("::0", "cannot parse `::0` as an index: the step is zero"),
        (
            "99999999999999999999",
            "cannot parse `99999999999999999999` as an index: the number is too large",
        ),
        (
            "1.5",
            "cannot parse `1.5` as an index: expected an integer, a slice such as `1:5` or `::2`, `None` or `...`",
        ),
        (
            "a:2",
            "cannot parse `a` as an index: expected an integer, a slice such as `1:5` or `::2`, `None` or `...`",
        ),
    ];
    for (text, message) in cases {
        let error = Index::parse_list(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
}
