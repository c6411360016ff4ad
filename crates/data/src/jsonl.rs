//! Batches to JSON Lines.

use crate::batch::columns;
use crate::{Error, ErrorKind, Reject};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int32Type, Int64Type, UInt8Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use serde::Serialize;

/// One JSON object a row, with the columns as keys in their order. The column `fields` is copied
/// verbatim; numbers that JSON has no form for are `null`.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let key = serde_json::Value::from(field.name().as_str());
        let is_json = field.name() == columns::FIELDS;
        columns.push((
            format!("{key}:"),
            Cells::new(array.as_ref(), field.name(), is_json)?,
        ));
    }
    let mut out = Vec::new();
    for row in 0..batch.num_rows() {
        out.push(b'{');
        for (at, (key, cells)) in columns.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(key.as_bytes());
            cells.write(row, &mut out);
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(out)
}

/// A line of a file of rejects.
pub(crate) fn encode_reject(reject: &Reject) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(reject, &mut out);
    out.push(b'\n');
    out
}

/// Writes the cell of a row, which is not null.
type WriteCell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// A column, its type found out once.
struct Cells<'a> {
    array: &'a dyn Array,
    write: WriteCell<'a>,
}

impl<'a> Cells<'a> {
    fn new(array: &'a dyn Array, name: &str, is_json: bool) -> Result<Self, Error> {
        let write: WriteCell<'a> = match array.data_type() {
            DataType::Utf8 => {
                let strings = array.as_string::<i32>();
                if is_json {
                    Box::new(|row, out| out.extend_from_slice(strings.value(row).as_bytes()))
                } else {
                    Box::new(|row, out| write_json(strings.value(row), out))
                }
            }
            DataType::Boolean => {
                let booleans = array.as_boolean();
                Box::new(|row, out| write_json(&booleans.value(row), out))
            }
            DataType::UInt8 => numbers::<UInt8Type>(array),
            DataType::UInt32 => numbers::<UInt32Type>(array),
            DataType::UInt64 => numbers::<UInt64Type>(array),
            DataType::Int32 => numbers::<Int32Type>(array),
            DataType::Int64 => numbers::<Int64Type>(array),
            DataType::Float32 => numbers::<Float32Type>(array),
            DataType::Float64 => numbers::<Float64Type>(array),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let items = Self::new(list.values().as_ref(), name, false)?;
                let offsets = list.value_offsets();
                Box::new(move |row, out| {
                    items.write_list(offsets[row] as usize..offsets[row + 1] as usize, out);
                })
            }
            DataType::FixedSizeList(_, len) => {
                let items = Self::new(array.as_fixed_size_list().values().as_ref(), name, false)?;
                let len = *len as usize;
                Box::new(move |row, out| items.write_list(row * len..(row + 1) * len, out))
            }
            other => {
                let message = format!("cannot write column `{name}` of type {other} as JSON");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        Ok(Self { array, write })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.array.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            (self.write)(row, out);
        }
    }

    fn write_list(&self, rows: std::ops::Range<usize>, out: &mut Vec<u8>) {
        out.push(b'[');
        for (at, row) in rows.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.write(row, out);
        }
        out.push(b']');
    }
}

fn numbers<T>(array: &dyn Array) -> WriteCell<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Serialize,
{
    let numbers = array.as_primitive::<T>();
    Box::new(|row, out| write_json(&numbers.value(row), out))
}

fn write_json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("plain values into memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, Float32Array, ListArray,
        StringArray, UInt64Array,
    };
    use std::sync::Arc;

    #[test]
    fn each_type_has_its_json() {
        let list =
            ListArray::from_iter_primitive::<UInt32Type, _, _>([Some([Some(1), None]), None]);
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
            [
                Some([Some(0.5), Some(f32::NAN)]),
                Some([Some(1.0), Some(-2.0)]),
            ],
            2,
        );
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "te\"xt",
                Arc::new(StringArray::from(vec![Some("a\n\u{1}é"), None])),
            ),
            (
                "fields",
                Arc::new(StringArray::from(vec![r#"{"n":1e400}"#, "{}"])),
            ),
            (
                "line",
                Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
            ),
            ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
            (
                "score",
                Arc::new(Float32Array::from(vec![0.1, f32::INFINITY])),
            ),
            ("ids", Arc::new(list)),
            ("vector", Arc::new(vectors)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let expected = [
            r#"{"te\"xt":"a\n\u0001é","fields":{"n":1e400},"line":18446744073709551615,"flag":true,"score":0.1,"ids":[1,null],"vector":[0.5,null]}"#,
            r#"{"te\"xt":null,"fields":{},"line":null,"flag":false,"score":null,"ids":null,"vector":[1.0,-2.0]}"#,
            "",
        ];
        assert_eq!(
            String::from_utf8(encode(&batch).unwrap()).unwrap(),
            expected.join("\n")
        );
        // A slice starts in the middle of its buffers.
        let sliced = encode(&batch.slice(1, 1)).unwrap();
        assert_eq!(String::from_utf8(sliced).unwrap(), expected[1..].join("\n"));
    }

    #[test]
    fn other_types_are_refused() {
        let column: ArrayRef = Arc::new(BinaryArray::from(vec![b"x".as_slice()]));
        let batch = RecordBatch::try_from_iter([("blob", column)]).unwrap();
        let error = encode(&batch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("`blob`"), "{error}");
    }
}
