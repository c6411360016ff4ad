//! The extension module `nexus._native`: what `nexus.safetensors` and `nexus.data` are made of.

mod data;
mod interrupt;
mod loader;
mod raw;
mod safetensors;

use pyo3::prelude::*;

/// `nexus._native`.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::data::{
        Encoding, Estimate, Estimated, Pipeline, Progress, Ragged, RecordBatch, Report, Rows,
        StepEstimate, StepReport, Tokenizer,
    };

    #[pymodule_export]
    use super::data::{Decider, Ending, Pieces, Removals, UnitPieces, Wanted, shared_records};

    #[pymodule_export]
    use super::loader::{AnyLoader, Batch, ImageBatch, ImageLoader, Loader};

    #[pymodule_export]
    use super::raw::Tensor;

    #[pymodule_export]
    use super::safetensors::{
        Checkpoint, Plan, PySafeSlice, SafeAppender, SafeOpen, SafeOpenHandle, SafeWriter,
        SafetensorError, Snapshot, TensorSpec, TensorStream, deserialize, is_packed, load,
        load_file, load_packed, pack_file, save_sharded, serialize, serialize_file, unpack_file,
        verify,
    };

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the Python name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::data::end_at_exit(module.py())?;
        super::safetensors::init_error(module.py())
    }
}
