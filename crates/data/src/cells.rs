//! The cells of a column as JSON.

use crate::json::write_string;
use crate::limits::TYPE_DEPTH_MAX;
use crate::{Error, ErrorKind};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal128Type, Float16Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, OffsetSizeTrait};
use arrow_schema::{DataType, TimeUnit};
use serde::Serialize;
use std::fmt::Write;
use std::ops::Range;

/// Writes the cell of a row, which is not null.
type WriteCell<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// Gives the text of a row.
type Texts<'a> = Box<dyn Fn(usize) -> &'a str + 'a>;

/// A column, its type found out once.
pub(crate) struct Cells<'a> {
    array: &'a dyn Array,
    /// The text itself, where the column holds text.
    text: Option<Texts<'a>>,
    write: WriteCell<'a>,
}

impl<'a> Cells<'a> {
    /// Whether cells of a type have a form in JSON, and why not.
    pub(crate) fn check(data_type: &DataType, name: &str) -> Result<(), String> {
        check(data_type, 0)
            .map_err(|found| format!("the column `{name}` of type {found} has no form in JSON"))
    }

    pub(crate) fn new(array: &'a dyn Array, name: &str) -> Result<Self, Error> {
        Self::check(array.data_type(), name)
            .map_err(|reason| Error::new(ErrorKind::Unsupported, reason))?;
        Ok(Self::known(array))
    }

    /// The cells of a column whose type has been checked.
    fn known(array: &'a dyn Array) -> Self {
        let text = text(array);
        let write: WriteCell<'a> = match array.data_type() {
            DataType::Boolean => {
                let booleans = array.as_boolean();
                Box::new(|row, out| write_json(&booleans.value(row), out))
            }
            DataType::List(_) => lists::<i32>(array),
            DataType::LargeList(_) => lists::<i64>(array),
            DataType::FixedSizeList(_, len) => {
                let items = Self::known(array.as_fixed_size_list().values());
                let len = *len as usize;
                Box::new(move |row, out| items.write_list(row * len..(row + 1) * len, out))
            }
            DataType::Struct(_) => structs(array),
            DataType::Map(_, _) => {
                let map = array.as_map();
                let entries = Self::known(map.entries());
                let offsets = map.value_offsets();
                Box::new(move |row, out| entries.write_list(range(offsets, row), out))
            }
            DataType::Dictionary(_, _) => dictionary(array),
            _ => match self::text(array) {
                Some(text) => Box::new(move |row, out| write_string(text(row), out)),
                None => numbers(array),
            },
        };
        Self { array, text, write }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    /// Writes a cell as JSON.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.array.is_null(row) {
            out.extend_from_slice(b"null");
        } else {
            (self.write)(row, out);
        }
    }

    /// A text as it is, another value as JSON; `None` for null.
    pub(crate) fn text(&self, row: usize) -> Option<String> {
        if self.array.is_null(row) {
            return None;
        }
        if let Some(text) = &self.text {
            return Some(text(row).to_owned());
        }
        let mut out = Vec::new();
        (self.write)(row, &mut out);
        match out.first() {
            Some(b'"') => serde_json::from_slice(&out).ok(),
            _ => String::from_utf8(out).ok(),
        }
    }

    fn write_list(&self, rows: Range<usize>, out: &mut Vec<u8>) {
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

/// Gives the type that has no form.
fn check(data_type: &DataType, depth: usize) -> Result<(), &DataType> {
    let is_known = match data_type {
        DataType::Null
        | DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(_, _) => true,
        DataType::Decimal128(_, scale) => *scale >= 0,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if depth < TYPE_DEPTH_MAX =>
        {
            return check(item.data_type(), depth + 1);
        }
        DataType::Map(entries, _) if depth < TYPE_DEPTH_MAX => {
            return check(entries.data_type(), depth + 1);
        }
        DataType::Struct(fields) if depth < TYPE_DEPTH_MAX => {
            return fields
                .iter()
                .try_for_each(|field| check(field.data_type(), depth + 1));
        }
        DataType::Dictionary(_, values) if depth < TYPE_DEPTH_MAX => {
            return check(values, depth + 1);
        }
        other => other.is_integer() || other.is_floating(),
    };
    if is_known { Ok(()) } else { Err(data_type) }
}

/// The texts of a column of text.
fn text(array: &dyn Array) -> Option<Texts<'_>> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let strings = array.as_string::<i32>();
            Box::new(|row| strings.value(row))
        }
        DataType::LargeUtf8 => {
            let strings = array.as_string::<i64>();
            Box::new(|row| strings.value(row))
        }
        DataType::Utf8View => {
            let strings = array.as_string_view();
            Box::new(|row| strings.value(row))
        }
        _ => return None,
    })
}

fn numbers(array: &dyn Array) -> WriteCell<'_> {
    match array.data_type() {
        DataType::Int8 => plain::<Int8Type>(array),
        DataType::Int16 => plain::<Int16Type>(array),
        DataType::Int32 => plain::<Int32Type>(array),
        DataType::Int64 => plain::<Int64Type>(array),
        DataType::UInt8 => plain::<UInt8Type>(array),
        DataType::UInt16 => plain::<UInt16Type>(array),
        DataType::UInt32 => plain::<UInt32Type>(array),
        DataType::UInt64 => plain::<UInt64Type>(array),
        DataType::Float32 => plain::<Float32Type>(array),
        DataType::Float64 => plain::<Float64Type>(array),
        DataType::Float16 => {
            let halves = array.as_primitive::<Float16Type>();
            Box::new(|row, out| write_json(&halves.value(row).to_f32(), out))
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>();
            Box::new(|row, out| write_json(&date(days.value(row).into()), out))
        }
        DataType::Date64 => {
            let times = array.as_primitive::<Date64Type>();
            Box::new(|row, out| {
                write_json(&date(times.value(row).div_euclid(86_400_000)), out);
            })
        }
        DataType::Decimal128(_, scale) => {
            let (decimals, scale) = (array.as_primitive::<Decimal128Type>(), *scale as usize);
            Box::new(move |row, out| write_json(&decimal(decimals.value(row), scale), out))
        }
        DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some()),
        _ => Box::new(|_, out| out.extend_from_slice(b"null")),
    }
}

fn plain<T>(array: &dyn Array) -> WriteCell<'_>
where
    T: ArrowPrimitiveType,
    T::Native: Serialize,
{
    let numbers = array.as_primitive::<T>();
    Box::new(|row, out| write_json(&numbers.value(row), out))
}

fn lists<O: OffsetSizeTrait>(array: &dyn Array) -> WriteCell<'_> {
    let list = array.as_list::<O>();
    let items = Cells::known(list.values());
    let offsets = list.value_offsets();
    Box::new(move |row, out| items.write_list(range(offsets, row), out))
}

fn range<O: OffsetSizeTrait>(offsets: &[O], row: usize) -> Range<usize> {
    offsets[row].as_usize()..offsets[row + 1].as_usize()
}

fn structs(array: &dyn Array) -> WriteCell<'_> {
    let fields = array.as_struct();
    let columns: Vec<_> = fields
        .fields()
        .iter()
        .zip(fields.columns())
        .map(|(field, column)| {
            let key = serde_json::Value::from(field.name().as_str());
            (format!("{key}:"), Cells::known(column))
        })
        .collect();
    Box::new(move |row, out| {
        for (at, (key, cells)) in columns.iter().enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            out.extend_from_slice(key.as_bytes());
            cells.write(row, out);
        }
        out.extend_from_slice(if columns.is_empty() { b"{}" } else { b"}" });
    })
}

fn dictionary(array: &dyn Array) -> WriteCell<'_> {
    let dictionary = array.as_any_dictionary();
    let values = Cells::known(dictionary.values());
    if dictionary.values().is_empty() {
        return Box::new(|_, out| out.extend_from_slice(b"null"));
    }
    let keys = dictionary.normalized_keys();
    Box::new(move |row, out| values.write(keys[row], out))
}

fn timestamps(array: &dyn Array, unit: TimeUnit, is_utc: bool) -> WriteCell<'_> {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType,
    };
    let (ticks, digits) = match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 0),
        TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 3),
        TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 6),
        TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 9),
    };
    Box::new(move |row, out| write_json(&timestamp(ticks[row], digits, is_utc), out))
}

/// A time since 1970 in units of 10 to the minus `digits` seconds, in the form of RFC 3339; without
/// a zone where it has none.
fn timestamp(ticks: i64, digits: u32, is_utc: bool) -> String {
    let unit = 10_i64.pow(digits);
    let (seconds, fraction) = (ticks.div_euclid(unit), ticks.rem_euclid(unit));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{}T{hour:02}:{minute:02}:{second:02}", date(days));
    if fraction > 0 {
        let width = digits as usize;
        let _ = write!(text, ".{fraction:0width$}");
    }
    if is_utc {
        text.push('Z');
    }
    text
}

/// A day since 1970 in the Gregorian calendar, by Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn date(days: i64) -> String {
    let days = i128::from(days) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

fn decimal(value: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    let dot = if scale > 0 { "." } else { "" };
    format!("{sign}{whole}{dot}{fraction}")
}

pub(crate) fn write_json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("plain values into memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::{Int32Type, UInt32Type};
    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
        FixedSizeListArray, Float16Array, Float32Array, Int8Array, LargeStringArray, ListArray,
        NullArray, StringArray, StringViewArray, StructArray, TimestampMicrosecondArray,
        UInt64Array,
    };
    use arrow_schema::Field;
    use std::sync::Arc;

    fn column(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

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
        let pair = StructArray::from(vec![
            (
                Arc::new(Field::new("a\"", DataType::Utf8, false)),
                column(StringArray::from(vec!["x", "y"])),
            ),
            (
                Arc::new(Field::new("b", DataType::Int8, true)),
                column(Int8Array::from(vec![Some(-1), None])),
            ),
        ]);
        let words: DictionaryArray<Int32Type> = [Some("one"), None].into_iter().collect();
        let decimals = Decimal128Array::from(vec![-5, 12345]).with_precision_and_scale(9, 2);
        let times = TimestampMicrosecondArray::from(vec![-1, 1_709_210_096_000_000]);
        let halves = Float16Array::from_iter_values(
            [0.5_f32, -2.0].map(<Float16Type as ArrowPrimitiveType>::Native::from_f32),
        );
        for (array, expected) in [
            (
                column(StringArray::from(vec![Some("a\n\u{1}é"), None])),
                [r#""a\n\u0001é""#, "null"],
            ),
            (
                column(LargeStringArray::from(vec!["", "x"])),
                [r#""""#, r#""x""#],
            ),
            (
                column(StringViewArray::from(vec!["short", "longer than twelve"])),
                [r#""short""#, r#""longer than twelve""#],
            ),
            (
                column(UInt64Array::from(vec![Some(u64::MAX), None])),
                ["18446744073709551615", "null"],
            ),
            (
                column(BooleanArray::from(vec![true, false])),
                ["true", "false"],
            ),
            (
                column(Float32Array::from(vec![0.1, f32::INFINITY])),
                ["0.1", "null"],
            ),
            (column(halves), ["0.5", "-2.0"]),
            (column(list), ["[1,null]", "null"]),
            (column(vectors), ["[0.5,null]", "[1.0,-2.0]"]),
            (
                column(pair),
                [r#"{"a\"":"x","b":-1}"#, r#"{"a\"":"y","b":null}"#],
            ),
            (column(words), [r#""one""#, "null"]),
            (
                column(Date32Array::from(vec![0, 19_782])),
                [r#""1970-01-01""#, r#""2024-02-29""#],
            ),
            (column(decimals.unwrap()), [r#""-0.05""#, r#""123.45""#]),
            (
                column(times.clone()),
                [
                    r#""1969-12-31T23:59:59.999999""#,
                    r#""2024-02-29T12:34:56""#,
                ],
            ),
            (
                column(times.with_timezone_utc()),
                [
                    r#""1969-12-31T23:59:59.999999Z""#,
                    r#""2024-02-29T12:34:56Z""#,
                ],
            ),
            (column(NullArray::new(2)), ["null", "null"]),
        ] {
            let cells = Cells::new(&array, "x").unwrap();
            let written = [0, 1].map(|row| {
                let mut out = Vec::new();
                cells.write(row, &mut out);
                String::from_utf8(out).unwrap()
            });
            assert_eq!(written, expected, "{}", array.data_type());
            // A slice starts in the middle of its buffers.
            let slice = array.slice(1, 1);
            let mut out = Vec::new();
            Cells::new(&slice, "x").unwrap().write(0, &mut out);
            assert_eq!(out, expected[1].as_bytes());
        }
    }

    #[test]
    fn dates_far_away_are_no_overflow() {
        assert_eq!(date(i64::MAX / 86_400_000), "292278994-08-17");
        assert_eq!(
            timestamp(i64::MIN, 9, true),
            "1677-09-21T00:12:43.145224192Z"
        );
        assert!(date(i64::MIN).starts_with('-'));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let column = BinaryArray::from(vec![b"x".as_slice()]);
        let error = Cells::new(&column, "blob").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("`blob` of type Binary"),
            "{error}"
        );
        let mut deep = DataType::Int32;
        for _ in 0..100 {
            deep = DataType::new_list(deep, true);
        }
        assert!(Cells::check(&deep, "deep").is_err());
    }
}
