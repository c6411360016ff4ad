//! The names that the `safetensors` crate has in its module `tensor`, so that imports need no change.

pub use crate::{
    Dtype, Metadata, SafeTensorError, SafeTensors, TensorInfo, TensorView, View, serialize,
    serialize_to_file,
};
