//! Arrow from other libraries: capsules of the C stream and the C data interface
//! (<https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html>).
//!
//! The interfaces pass addresses without sizes, so how long a buffer is cannot be checked. What can
//! be, is, before it is used: that structures are not released, lengths, offsets, indices, UTF-8.

use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type, to_ffi};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    Array, ArrayRef, RecordBatch, RecordBatchIterator, RecordBatchOptions, RecordBatchReader,
    StructArray, make_array,
};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

pub(crate) const STREAM: &CStr = c"arrow_array_stream";
pub(crate) const ARRAY: &CStr = c"arrow_array";
pub(crate) const SCHEMA: &CStr = c"arrow_schema";

const STREAM_METHOD: &str = "__arrow_c_stream__";
const ARRAY_METHOD: &str = "__arrow_c_array__";

/// Longest array that is believed, in rows: more than a machine can hold.
const LENGTH_MAX: usize = 1 << 48;

/// Whether `object` can be read by [`batches`].
///
/// # Errors
/// `TypeError` when it cannot.
pub(crate) fn check(object: &Bound<'_, PyAny>) -> PyResult<()> {
    if object.hasattr(STREAM_METHOD)? || object.hasattr(ARRAY_METHOD)? {
        return Ok(());
    }
    let kind = object.get_type().name()?;
    let error = PyTypeError::new_err(format!(
        "`{kind}` gives no Arrow: it has neither {STREAM_METHOD} nor {ARRAY_METHOD}"
    ));
    let note = "hint: collect a lazy frame first; a pandas.DataFrame needs pandas 2.2 and pyarrow";
    error.value(object.py()).call_method1("add_note", (note,))?;
    Err(error)
}

/// The batches of an object with the method `__arrow_c_stream__` or `__arrow_c_array__`.
///
/// # Errors
/// What the method raises; `TypeError` or `ValueError` when it gives something else, or structures that
/// are released or not a table.
pub(crate) fn batches(object: &Bound<'_, PyAny>) -> PyResult<Box<dyn RecordBatchReader + Send>> {
    check(object)?;
    if object.hasattr(STREAM_METHOD)? {
        let stream = stream(object)?;
        let schema = table(stream.data_type.clone()).map_err(invalid)?;
        return Ok(Box::new(Tables { stream, schema }));
    }
    let array = array(object)?;
    let schema = table(array.data_type().clone()).map_err(invalid)?;
    let batch = rows(&array, &schema).map_err(invalid)?;
    Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)))
}

/// The arrays of an object with one of the two methods, not copied, whether they are tables or single
/// columns; `None` for other objects.
///
/// # Errors
/// Those of [`batches`], and what the producer says.
pub(crate) fn arrays(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<ArrayRef>>> {
    if object.hasattr(STREAM_METHOD)? {
        let stream = stream(object)?;
        let arrays: Result<_, _> = object.py().detach(|| stream.collect());
        return arrays.map(Some).map_err(invalid);
    }
    if object.hasattr(ARRAY_METHOD)? {
        return Ok(Some(vec![array(object)?]));
    }
    Ok(None)
}

/// An array as the capsules of its schema and itself, not copied.
///
/// # Errors
/// `ValueError` when the C interface cannot say its type.
pub(crate) fn capsules<'py>(
    py: Python<'py>,
    array: &dyn Array,
) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
    let (array, schema) = to_ffi(&array.to_data()).map_err(invalid)?;
    Ok((
        PyCapsule::new_with_value(py, schema, SCHEMA)?,
        PyCapsule::new_with_value(py, array, ARRAY)?,
    ))
}

fn stream(object: &Bound<'_, PyAny>) -> PyResult<Stream> {
    let capsule = object.call_method0(STREAM_METHOD)?;
    let stream = pointer(&capsule, STREAM)?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds such a structure. It is moved out, which marks the one in
    // the capsule as released; the interpreter's lock is held, so nobody else moves it.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(stream) };
    Stream::open(stream).map_err(invalid)
}

fn array(object: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let pair = object.call_method0(ARRAY_METHOD)?;
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
    let (schema, array) = (pointer(&schema, SCHEMA)?, pointer(&array, ARRAY)?);
    // SAFETY: as for a stream.
    let schema = unsafe { FFI_ArrowSchema::from_raw(schema.cast()) };
    // SAFETY: as for a stream.
    let array = unsafe { FFI_ArrowArray::from_raw(array.cast()) };
    let data_type = data_type(&schema).map_err(invalid)?;
    import(array, &data_type).map_err(invalid)
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` calls")]
fn invalid(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// What a capsule holds.
fn pointer(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut c_void> {
    let wrong = || {
        let kind = capsule.get_type().name()?;
        let name = name.to_string_lossy();
        Err(PyTypeError::new_err(format!(
            "expected a capsule `{name}`, found `{kind}` or a capsule of another name"
        )))
    };
    if !capsule.is_instance_of::<PyCapsule>() {
        return wrong();
    }
    // SAFETY: both functions take any capsule; the pointer of a valid one is not null.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), name.as_ptr()) != 1 {
            return wrong();
        }
        Ok(ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr()))
    }
}

/// A stream of another library.
struct Stream {
    foreign: FFI_ArrowArrayStream,
    data_type: DataType,
    is_done: bool,
}

impl Stream {
    fn open(mut stream: FFI_ArrowArrayStream) -> Result<Self, ArrowError> {
        let (Some(_), Some(get_schema)) = (stream.release(), stream.get_schema()) else {
            let what = "the stream is released, or used up by another reader";
            return Err(broken(what));
        };
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: the stream is not released, and the structure that it fills is empty.
        let code = unsafe { get_schema(&raw mut stream, &raw mut schema) };
        if code != 0 {
            return Err(last_error(&mut stream, code));
        }
        let data_type = data_type(&schema)?;
        Ok(Self {
            foreign: stream,
            data_type,
            is_done: false,
        })
    }

    fn next_array(&mut self) -> Result<Option<ArrayRef>, ArrowError> {
        let get_next = self.foreign.get_next();
        let get_next = get_next.ok_or_else(|| broken("the stream cannot be read"))?;
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: the stream is not released, for it is only when dropped; the structure that it fills
        // is empty. The producer takes the interpreter's lock itself where it needs it.
        let code = unsafe { get_next(&raw mut self.foreign, &raw mut array) };
        if code != 0 {
            return Err(last_error(&mut self.foreign, code));
        }
        if array.is_released() {
            return Ok(None);
        }
        import(array, &self.data_type).map(Some)
    }
}

impl Iterator for Stream {
    type Item = Result<ArrayRef, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_array().transpose();
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// A stream of tables.
struct Tables {
    stream: Stream,
    schema: SchemaRef,
}

impl Iterator for Tables {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let array = self.stream.next()?;
        Some(array.and_then(|array| rows(&array, &self.schema)))
    }
}

impl RecordBatchReader for Tables {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

fn broken(what: &str) -> ArrowError {
    ArrowError::CDataInterface(what.to_owned())
}

/// What the producer says of the call that has just failed.
fn last_error(stream: &mut FFI_ArrowArrayStream, code: i32) -> ArrowError {
    let Some(get_last_error) = stream.get_last_error() else {
        return ArrowError::CDataInterface(format!("the producer failed with code {code}"));
    };
    // SAFETY: the stream is not released, and the last call on it has failed.
    let text = unsafe { get_last_error(stream) };
    if text.is_null() {
        return ArrowError::CDataInterface(format!("the producer failed with code {code}"));
    }
    // SAFETY: the producer gives a text that ends with zero and lives until the next call.
    let text = unsafe { CStr::from_ptr(text) };
    ArrowError::CDataInterface(text.to_string_lossy().into_owned())
}

/// Calls what panics where a structure contradicts itself.
fn guarded<T>(work: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    let broken = |_| Err(broken("the structure contradicts itself"));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(broken)
}

/// The columns that a consumer asks for.
///
/// # Errors
/// `TypeError` or `ValueError` when `capsule` does not say so.
pub(crate) fn requested(capsule: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    let schema = pointer(capsule, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: a capsule of this name holds such a structure, which stays there and is only read.
    let data_type = data_type(unsafe { &*schema }).map_err(invalid)?;
    table(data_type).map_err(invalid)
}

fn data_type(schema: &FFI_ArrowSchema) -> Result<DataType, ArrowError> {
    if schema.release().is_none() {
        return Err(broken("the schema is released"));
    }
    guarded(|| DataType::try_from(schema))
}

/// The columns of a table, which crosses as a struct.
fn table(data_type: DataType) -> Result<SchemaRef, ArrowError> {
    match data_type {
        DataType::Struct(fields) => Ok(Arc::new(Schema::new(fields))),
        other => Err(ArrowError::CDataInterface(format!(
            "a table has columns, this is one array of type {other}"
        ))),
    }
}

/// The rows of a table.
fn rows(array: &ArrayRef, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if array.null_count() > 0 {
        return Err(broken("a row of the table is null"));
    }
    let count = RecordBatchOptions::new().with_row_count(Some(array.len()));
    let (_, columns, _) = StructArray::from(array.to_data()).into_parts();
    RecordBatch::try_new_with_options(schema.clone(), columns, &count)
}

/// Takes an array over, without a copy, and validates it: each text is read once.
fn import(array: FFI_ArrowArray, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.is_released() {
        return Err(broken("the array is released"));
    }
    guarded(move || {
        check_sizes(&array, data_type)?;
        // SAFETY: what can be checked is checked above and below; that buffers are as long as they
        // should be is the producer's promise.
        let data = unsafe { from_ffi_and_data_type(array, data_type.clone()) }?;
        data.validate_full()?;
        Ok(make_array(data))
    })
}

/// Checks the numbers from which sizes of buffers are computed.
fn check_sizes(array: &FFI_ArrowArray, data_type: &DataType) -> Result<(), ArrowError> {
    let (len, offset) = (array.len(), array.offset());
    if len > LENGTH_MAX || offset > LENGTH_MAX {
        return Err(broken("an array has a length or an offset that cannot be"));
    }
    let end = len + offset;
    match data_type {
        DataType::Utf8 | DataType::Binary | DataType::List(_) | DataType::Map(_, _) => {
            check_end::<i32>(array.buffer(1), end)?;
        }
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList(_) => {
            check_end::<i64>(array.buffer(1), end)?;
        }
        DataType::Utf8View | DataType::BinaryView => {
            // Validity, views, texts, and the sizes of the texts.
            let buffers = array.num_buffers();
            let Some(texts) = buffers.checked_sub(3) else {
                return Err(broken("an array of views has too few buffers"));
            };
            let sizes = array.buffer(buffers - 1);
            for at in 0..texts {
                // SAFETY: the last buffer has a number for each but the first two and itself.
                let size = (!sizes.is_null()).then(|| unsafe {
                    sizes
                        .add(at * size_of::<i64>())
                        .cast::<i64>()
                        .read_unaligned()
                });
                if size.is_none_or(|size| size < 0) {
                    return Err(broken("a buffer of texts has no size"));
                }
            }
        }
        _ => {}
    }
    let children: Vec<&DataType> = match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| field.data_type()).collect(),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![item.data_type()],
        _ => Vec::new(),
    };
    if !children.is_empty() && children.len() != array.num_children() {
        return Err(broken("an array has other children than its type"));
    }
    for (at, child) in children.into_iter().enumerate() {
        check_sizes(array.child(at), child)?;
    }
    match (array.dictionary(), data_type) {
        (Some(values), DataType::Dictionary(_, value_type)) => check_sizes(values, value_type),
        _ => Ok(()),
    }
}

/// Checks the last of `end + 1` offsets, which is the size of what they point into.
fn check_end<T: Copy + Default + PartialOrd>(
    offsets: *const u8,
    end: usize,
) -> Result<(), ArrowError> {
    if offsets.is_null() {
        // Allowed where there are no rows; else the import refuses it.
        return Ok(());
    }
    // SAFETY: an array has one offset more than it has rows.
    let last = unsafe { offsets.cast::<T>().add(end).read_unaligned() };
    if last < T::default() {
        return Err(broken("an array has a negative offset"));
    }
    Ok(())
}
