//! Writing a source as a safetensors file.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::path::Path;

use nexus_safetensors::{View, WriteOptions, serialize_to_file_with};
use nexus_tensor::DType;

use crate::{Entry, Error, ErrorKind, Source};

/// Writes all tensors of `source` to a safetensors file, which appears at once or not at all.
///
/// `progress` is told how many bytes of tensors are done before each tensor is read, and may end the
/// work. Costs the memory of the largest tensor, twice where elements must be put in order.
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
    let run = Run {
        source,
        progress,
        done: Cell::new(0),
        failure: RefCell::new(None),
    };
    let tensors = source.entries().iter().enumerate().map(|(index, entry)| {
        let pending = Pending {
            run: &run,
            index,
            entry,
        };
        (entry.name.as_str(), pending)
    });
    let metadata = source.metadata().clone().into_iter().collect();
    let written = serialize_to_file_with(tensors, Some(metadata), target, options);
    match run.failure.take() {
        Some(error) => Err(error),
        None => Ok(written?),
    }
}

struct Run<'a> {
    source: &'a Source,
    progress: &'a dyn Fn(u64) -> ControlFlow<()>,
    done: Cell<u64>,
    /// Why a tensor could not be read: the writer only sees that its bytes are missing.
    failure: RefCell<Option<Error>>,
}

/// A tensor that is read when its turn comes.
struct Pending<'a> {
    run: &'a Run<'a>,
    index: usize,
    entry: &'a Entry,
}

impl View for Pending<'_> {
    fn dtype(&self) -> DType {
        self.entry.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.entry.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let run = self.run;
        if self.entry.size_bytes == 0 {
            return Cow::Borrowed(&[]);
        }
        let bytes = if (run.progress)(run.done.get()).is_break() {
            Err(Error::new(
                ErrorKind::Cancelled,
                "the conversion was cancelled",
            ))
        } else {
            run.source.read(self.index)
        };
        run.done.set(run.done.get() + self.entry.size_bytes as u64);
        match bytes {
            Ok(bytes) => bytes.into(),
            Err(error) => {
                run.failure.replace(Some(error));
                // Too short: the writer stops here.
                Cow::Borrowed(&[])
            }
        }
    }

    fn data_len(&self) -> usize {
        self.entry.size_bytes
    }
}
