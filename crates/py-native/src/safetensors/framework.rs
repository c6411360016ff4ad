//! From memory to the objects of a framework, one call of it a tensor.

mod numpy;
mod torch;
mod types;

use std::fmt;
use std::ops::Range;

use nexus_safetensors::TensorInfo;
use nexus_tensor::{DType, Layout};
use pyo3::exceptions::PyModuleNotFoundError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use self::numpy::Numpy;
use self::torch::{Paddle, Torch};
pub(crate) use self::types::NAMES;
use super::device::Device;
use super::error::plain;
use crate::raw::{Memory, Tensor};

/// Who gets the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    /// Nobody: they are `nexus.safetensors.Tensor`.
    Plain,
    Torch,
    Numpy,
    TensorFlow,
    Flax,
    Mlx,
    Paddle,
}

impl Framework {
    /// The name that files are opened with.
    pub(crate) fn short_name(self) -> &'static str {
        match self {
            Self::Plain => "None",
            Self::Torch => "pt",
            Self::Numpy => "np",
            Self::TensorFlow => "tf",
            Self::Flax => "flax",
            Self::Mlx => "mlx",
            Self::Paddle => "paddle",
        }
    }

    /// Refuses devices that only the caller can move tensors to.
    pub(crate) fn check_device(self, device: Device) -> PyResult<()> {
        if device == Device::Cpu || matches!(self, Self::Torch | Self::Paddle) {
            return Ok(());
        }
        Err(plain(format!(
            "Device {device} is not supported for framework {self}"
        )))
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "None",
            Self::Torch => "pytorch",
            Self::Numpy => "numpy",
            Self::TensorFlow => "tensorflow",
            Self::Flax => "flax",
            Self::Mlx => "mlx",
            Self::Paddle => "paddle",
        })
    }
}

impl<'py> FromPyObject<'_, 'py> for Framework {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self::Plain);
        }
        let name: String = object.extract()?;
        Ok(match name.as_str() {
            "pt" | "torch" | "pytorch" => Self::Torch,
            "np" | "numpy" => Self::Numpy,
            "tf" | "tensorflow" => Self::TensorFlow,
            "jax" | "flax" => Self::Flax,
            "mlx" => Self::Mlx,
            "paddle" => Self::Paddle,
            _ => return Err(plain(format!("framework {name} is invalid"))),
        })
    }
}

/// Elements in memory: `layout` counts items of the framework from the memory's start. An item is
/// an element; for F4, two.
pub(crate) struct Part {
    pub(crate) dtype: DType,
    pub(crate) layout: Layout,
    pub(crate) memory: Memory,
}

/// Memory of several tensors, and the one Python object that keeps it for all of them.
pub(crate) struct Home {
    memory: Memory,
    object: PyOnceLock<Py<Tensor>>,
}

impl Home {
    pub(crate) fn new(memory: Memory) -> Self {
        let object = PyOnceLock::new();
        Self { memory, object }
    }

    /// All of the memory as bytes.
    fn object<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, Tensor>> {
        let make = || Py::new(py, Tensor::of_bytes(self.memory.clone()));
        Ok(self.object.get_or_try_init(py, make)?.bind(py))
    }
}

/// A type of the size of an item.
pub(crate) fn item_type(dtype: DType) -> DType {
    match dtype.size_bytes() {
        Some(_) => dtype,
        None => DType::U8,
    }
}

/// Makes tensors of one framework, on one device.
pub(crate) struct Importer {
    framework: Framework,
    maker: Maker,
}

enum Maker {
    Plain,
    Numpy(Numpy),
    Torch(Torch),
    Paddle(Paddle),
    /// By way of NumPy: a function of an array.
    Converter(Numpy, Py<PyAny>),
}

impl Importer {
    /// Imports the framework.
    ///
    /// # Errors
    /// `ModuleNotFoundError` that says what to install.
    pub(crate) fn new(py: Python<'_>, framework: Framework, device: Device) -> PyResult<Self> {
        framework.check_device(device)?;
        let converter = |module, function| -> PyResult<_> {
            let function = import(py, module, framework)?.getattr(function)?;
            Ok(Maker::Converter(
                Numpy::new(py, framework)?,
                function.unbind(),
            ))
        };
        let maker = match framework {
            Framework::Plain => Maker::Plain,
            Framework::Numpy => Maker::Numpy(Numpy::new(py, framework)?),
            Framework::Torch => Maker::Torch(Torch::new(py, device)?),
            Framework::Paddle => Maker::Paddle(Paddle::new(py, device)?),
            Framework::TensorFlow => converter("tensorflow", "convert_to_tensor")?,
            Framework::Flax => converter("jax.numpy", "asarray")?,
            Framework::Mlx => converter("mlx.core", "array")?,
        };
        Ok(Self { framework, maker })
    }

    pub(crate) fn framework(&self) -> Framework {
        self.framework
    }

    /// The shape that the framework counts a tensor's items by.
    pub(crate) fn item_shape(&self, dtype: DType, shape: &[usize]) -> PyResult<Vec<usize>> {
        let mut shape = shape.to_vec();
        if dtype == DType::F4 && self.framework != Framework::Plain {
            match shape.last_mut() {
                Some(last) if *last % 2 == 0 => *last /= 2,
                _ => {
                    return Err(plain(format!(
                        "f4_x2 dtype requires that the last dim be divisible by 2 in torch: got {shape:?}"
                    )));
                }
            }
        }
        Ok(shape)
    }

    /// The framework's own tensor for dense elements, row-major, that fill `memory`: of a whole
    /// tensor, say, by `Memory::of_region`. The memory lives as long as the tensor does. Nothing is
    /// copied, unless the framework has to (TensorFlow, MLX, a device).
    ///
    /// # Errors
    /// `SafetensorError` for a type that the framework lacks, and what the framework says.
    pub(crate) fn tensor<'py>(
        &self,
        py: Python<'py>,
        dtype: DType,
        shape: &[usize],
        memory: Memory,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Maker::Plain = self.maker {
            return Ok(Bound::new(py, Tensor::new(dtype, shape.to_vec(), memory)?)?.into_any());
        }
        let shape = self.item_shape(dtype, shape)?;
        let layout = Layout::contiguous(shape).map_err(|error| plain(error.to_string()))?;
        self.part(
            py,
            &Part {
                dtype,
                layout,
                memory,
            },
        )
    }

    /// A whole tensor that fills a part of some memory.
    pub(crate) fn tensor_in<'py>(
        &self,
        py: Python<'py>,
        info: &TensorInfo,
        home: &Home,
        range: Range<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Maker::Numpy(numpy) = &self.maker
            && info.dtype.size_bytes().is_some()
        {
            return numpy.dense(py, info.dtype, &info.shape, home.object(py)?, range.start);
        }
        self.tensor(py, info.dtype, &info.shape, home.memory.part(range))
    }

    /// Whether [`part`](Self::part) takes this layout; it takes dense ones always.
    pub(crate) fn takes(&self, layout: &Layout) -> bool {
        match self.maker {
            Maker::Plain | Maker::Paddle(_) => false,
            // Torch and MLX take no negative ones.
            Maker::Torch(_) | Maker::Converter(..) => {
                layout.strides().iter().all(|stride| *stride >= 0)
            }
            Maker::Numpy(_) => true,
        }
    }

    /// Some items of a tensor, of a layout that this [`takes`](Self::takes).
    pub(crate) fn part<'py>(&self, py: Python<'py>, part: &Part) -> PyResult<Bound<'py, PyAny>> {
        match &self.maker {
            Maker::Plain => {
                let (shape, memory) = (part.layout.shape().to_vec(), part.memory.clone());
                Ok(Bound::new(py, Tensor::new(part.dtype, shape, memory)?)?.into_any())
            }
            Maker::Numpy(numpy) => numpy.array(py, part),
            Maker::Torch(torch) => torch.tensor(py, part),
            Maker::Paddle(paddle) => paddle.tensor(py, part),
            Maker::Converter(numpy, convert) => convert.bind(py).call1((numpy.array(py, part)?,)),
        }
    }
}

/// Imports a module of a framework.
fn import<'py>(
    py: Python<'py>,
    module: &str,
    framework: Framework,
) -> PyResult<Bound<'py, PyModule>> {
    py.import(module).map_err(|error| {
        if !error.is_instance_of::<PyModuleNotFoundError>(py) {
            return error;
        }
        let extra = match framework {
            Framework::Torch => "'nexus-rs[torch]'",
            Framework::TensorFlow => "'nexus-rs[tensorflow]'",
            Framework::Flax => "'nexus-rs[jax]'",
            Framework::Mlx => "mlx",
            Framework::Paddle => "paddlepaddle",
            Framework::Numpy | Framework::Plain => "'nexus-rs[numpy]'",
        };
        let text = format!("framework {framework} needs {module}: pip install {extra}");
        let better = PyModuleNotFoundError::new_err(text);
        better.set_cause(py, Some(error));
        better
    })
}

/// `device=` for the methods that move tensors.
fn placement<'py>(py: Python<'py>, name: &str, device: Device) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(py);
    keywords.set_item(name, device.to_python(py)?)?;
    Ok(keywords)
}
