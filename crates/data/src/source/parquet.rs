//! Parquet files (<https://parquet.apache.org/docs/file-format/>), row group by row group.

use super::listing::Input;
use super::ranged::Ranged;
use super::table::{self, Pending};
use super::{BatchLimit, Chunk, Meter, Records, foreign};
use crate::Reject;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ColumnChunkMetaData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The rows of a file that are still to be read.
pub(super) struct Groups {
    input: Input,
    meter: Arc<Meter>,
    /// Bytes of the file that are not in the meter yet.
    uncounted: u64,
    file: Ranged,
    metadata: ArrowReaderMetadata,
    /// The row group that is opened next.
    next: usize,
    reader: Option<ParquetRecordBatchReader>,
    pending: Option<Pending>,
    /// The number of the next row, from 1.
    row: u64,
    /// The number of the first row of this row group.
    group_start: u64,
    /// The number of the first row of the next row group.
    group_end: u64,
    /// Bytes of this row group in the file.
    group_size: u64,
    batch_rows: usize,
}

impl Groups {
    /// Reads the file's description of itself.
    pub(super) fn open(input: &Input, meter: &Arc<Meter>) -> Result<Self, String> {
        let file =
            Ranged::open(input, &meter.fault).map_err(|error| format!("cannot open: {error}"))?;
        meter.add_file();
        let metadata = read_metadata(&file, input).inspect_err(|_| {
            meter.bytes.fetch_add(input.size, Ordering::Relaxed);
        })?;
        Ok(Self {
            input: input.clone(),
            meter: meter.clone(),
            uncounted: input.size,
            file,
            metadata,
            next: 0,
            reader: None,
            pending: None,
            row: 1,
            group_start: 1,
            group_end: 1,
            group_size: 0,
            batch_rows: 1,
        })
    }

    /// Opens the next row group; `None` behind the last one.
    fn open_group(&mut self, limit: BatchLimit) -> Option<Result<(), String>> {
        let group = self.metadata.metadata().row_groups().get(self.next)?;
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let size = u64::try_from(group.total_byte_size()).unwrap_or(0);
        let stored = u64::try_from(group.compressed_size()).unwrap_or(0);
        let stored = stored.min(self.uncounted);
        self.uncounted -= stored;
        self.meter.bytes.fetch_add(stored, Ordering::Relaxed);
        self.meter.plain.fetch_add(size, Ordering::Relaxed);
        self.group_size = stored;
        (self.group_start, self.row) = (self.group_end, self.group_end);
        self.group_end += rows;
        self.next += 1;
        // Pages are decoded by whole batches, so that one holds about what the limit says.
        let fitting = (limit.size_bytes as u64).saturating_mul(rows) / size.max(1);
        self.batch_rows = fitting.clamp(1, limit.rows as u64) as usize;
        self.file.set_parts(
            group
                .columns()
                .iter()
                .map(ColumnChunkMetaData::byte_range)
                .map(|(start, size)| (start, start.saturating_add(size))),
        );
        Some(self.open_rest())
    }

    /// Opens what is left of the row group.
    fn open_rest(&mut self) -> Result<(), String> {
        let file = self.file.clone();
        let reader = foreign::call(|| {
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_row_groups(vec![self.next - 1])
                .with_offset((self.row - self.group_start) as usize)
                .with_batch_size(self.batch_rows)
                .build()
        })?;
        self.reader = Some(reader);
        Ok(())
    }

    /// Reads the next batch, or what can be read of it.
    fn fill(&mut self, rejects: &mut Vec<Reject>) {
        let Some(reader) = &mut self.reader else {
            return;
        };
        match foreign::call(|| reader.next().transpose()) {
            Ok(Some(batch)) => self.pending = Some(Pending::new(batch)),
            Ok(None) => self.reader = None,
            Err(_) if self.batch_rows > 1 => {
                // Row by row, to keep those before the broken one.
                self.batch_rows = 1;
                if let Err(reason) = self.open_rest() {
                    self.give_up(&reason, rejects);
                }
            }
            Err(reason) => self.give_up(&reason, rejects),
        }
    }

    /// Sets the rest of the row group aside, and goes on with the next one.
    fn give_up(&mut self, reason: &str, rejects: &mut Vec<Reject>) {
        self.reader = None;
        let lost = self.group_end.saturating_sub(self.row);
        let reason = format!(
            "{lost} rows of row group {} cannot be read: {reason}",
            self.next - 1
        );
        rejects.push(self.input.reject(Some(self.row), reason));
    }
}

fn read_metadata(file: &Ranged, input: &Input) -> Result<ArrowReaderMetadata, String> {
    // Types that only Arrow knows are left out: texts are `Utf8`, whoever wrote them.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    // The footer comes last, so a file that was cut has none.
    let metadata = foreign::call(|| ArrowReaderMetadata::load(file, options))
        .map_err(|error| format!("cannot read the Parquet footer: {error}"))?;
    table::check(metadata.schema(), input.images.as_deref(), &input.keys)?;
    for group in metadata.metadata().row_groups() {
        let is_inside = group.num_rows() >= 0
            && group.columns().iter().all(|column| {
                let start = column
                    .dictionary_page_offset()
                    .unwrap_or(column.data_page_offset());
                let end = start.checked_add(column.compressed_size());
                start >= 0
                    && column.compressed_size() >= 0
                    && end.is_some_and(|end| end as u64 <= input.size)
            });
        if !is_inside {
            return Err(
                "cannot read the Parquet footer: a column lies outside of the file".to_owned(),
            );
        }
    }
    Ok(metadata)
}

impl Records for Groups {
    fn ahead(&self) -> u64 {
        let (left, rows) = (
            self.group_end.saturating_sub(self.row),
            self.group_end - self.group_start,
        );
        (self.group_size as f64 * left as f64 / rows.max(1) as f64) as u64
    }

    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        loop {
            if let Some(pending) = &mut self.pending {
                if let Some((chunk, rows)) = pending.next(&self.input, self.row, limit) {
                    self.row += rows;
                    return Some(chunk);
                }
                self.pending = None;
            }
            if self.reader.is_some() {
                self.fill(rejects);
            } else if let Err(reason) = self.open_group(limit)? {
                self.give_up(&reason, rejects);
            }
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.meter
            .bytes
            .fetch_add(self.uncounted, Ordering::Relaxed);
    }
}
