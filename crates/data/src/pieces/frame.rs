//! Batches as bytes: an Arrow stream of one batch.

use crate::Error;
use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;

/// Most room that is made before it is known to be needed: a slice counts for all that it is cut from.
const ROOM_MAX: usize = 16 << 20;

/// Makes bytes of a batch.
pub(crate) fn encode(batch: &RecordBatch) -> Result<Vec<u8>, Error> {
    let room = batch.get_array_memory_size().min(ROOM_MAX);
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::with_capacity(room), &batch.schema())?;
        writer.write(batch)?;
        writer.into_inner()
    };
    write().map_err(|error| Error::arrow("make a piece of a batch", error))
}
