//! Writing a source as a safetensors file.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use nexus_safetensors::{SafeWriter, WriteOptions};

use crate::{Error, ErrorKind, Source};

/// Writes all tensors of `source` to a safetensors file, which appears at once or not at all.
///
/// `progress` is told how many bytes of tensors are done before each tensor is read, and may end the
/// work. The space is reserved first, so that a full disk is known at the start. Costs the memory of
/// the largest tensor, twice where elements must be put in order.
///
/// ```no_run
/// use nexus_convert::{OpenOptions, Source, write};
///
/// let source = Source::open("pytorch_model.bin", OpenOptions::default())?;
/// let go_on = |_done| std::ops::ControlFlow::Continue(());
/// write(&source, "model.safetensors".as_ref(), Default::default(), &go_on)?;
/// # Ok::<(), nexus_convert::Error>(())
/// ```
///
/// # Errors
/// As [`Source::read`]; kinds `InvalidInput`, `LimitReached` and `Io` of the writer; `Cancelled` when
/// `progress` breaks. The target is then as it was.
pub fn write(
    source: &Source,
    target: &Path,
    options: WriteOptions,
    progress: &dyn Fn(u64) -> ControlFlow<()>,
) -> Result<(), Error> {
    let entries = source.entries();
    let specs = entries.iter().map(|entry| {
        let shape = entry.shape.clone();
        (entry.name.as_str(), entry.dtype, shape)
    });
    let metadata = source.metadata().clone().into_iter().collect();
    let writer = SafeWriter::create(target, specs, Some(metadata), options)?;
    let names = entries.iter().map(|entry| entry.name.as_str());
    let places: HashMap<&str, usize> = names.zip(0..).collect();
    let mut done = 0;
    // In the order of the target: what is written stays one run.
    for (name, _) in writer.header().iter_by_offset() {
        if progress(done).is_break() {
            let message = "the conversion was cancelled";
            return Err(Error::new(ErrorKind::Cancelled, message));
        }
        let bytes = source.read(places[name])?;
        writer.write(name, &bytes)?;
        done += bytes.len() as u64;
    }
    Ok(writer.finish()?)
}
