//! The names that a checkpoint may use, and what they make. Nothing here is looked up in Python.

use nexus_tensor::{DType, Layout};

use crate::Error;
use crate::limits::RANK_MAX;
use crate::pickle::{Arena, Global, Node, Storage, TensorPlan, Value};

/// What a name means; an error when it is not on the list.
pub(crate) fn global(module: &str, name: &str) -> Result<Value, Error> {
    let known = match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensorV2),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTensorV3),
        ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
        ("torch.serialization", "_get_layout") => Some(Global::GetLayout),
        ("torch.storage", "UntypedStorage") => Some(Global::Storage(None)),
        ("torch", name) => storage(name)
            .map(|dtype| Global::Storage(Some(dtype)))
            .or_else(|| element_type(name).map(Global::ElementType)),
        _ => None,
    };
    known.map(Value::Global).ok_or_else(|| {
        let message = format!("it asks for `{module}.{name}`, which is not on the list");
        Error::unsupported(message).with_hint(
            "only plain tensors are read, and no code is run: save model.state_dict() and nothing else",
        )
    })
}

/// The type of the elements of a class of storages.
fn storage(name: &str) -> Option<DType> {
    Some(match name {
        "DoubleStorage" => DType::F64,
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::BOOL,
        "ComplexFloatStorage" => DType::C64,
        _ => return None,
    })
}

/// The type that torch calls so.
fn element_type(name: &str) -> Option<DType> {
    Some(match name {
        "float64" => DType::F64,
        "float32" => DType::F32,
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        "complex64" => DType::C64,
        "int64" => DType::I64,
        "int32" => DType::I32,
        "int16" => DType::I16,
        "int8" => DType::I8,
        "uint64" => DType::U64,
        "uint32" => DType::U32,
        "uint16" => DType::U16,
        "uint8" => DType::U8,
        "bool" => DType::BOOL,
        "float8_e4m3fn" => DType::F8_E4M3,
        "float8_e4m3fnuz" => DType::F8_E4M3FNUZ,
        "float8_e5m2" => DType::F8_E5M2,
        "float8_e5m2fnuz" => DType::F8_E5M2FNUZ,
        "float8_e8m0fnu" => DType::F8_E8M0,
        _ => return None,
    })
}

/// The storage that a persistent id names: `('storage', type, key, location, numel)`.
pub(crate) fn persistent(arena: &mut Arena, id: &Value) -> Result<Value, Error> {
    let storage = match arena.tuple(id) {
        Some(
            [
                Value::Text(tag),
                Value::Global(Global::Storage(dtype)),
                Value::Text(key),
                Value::Text(_location),
                Value::Int(len),
            ],
        ) if &**tag == "storage" => Storage {
            dtype: *dtype,
            key: key.clone(),
            len: u64::try_from(*len)
                .map_err(|_| Error::corrupt("a storage has a negative length"))?,
        },
        _ => return Err(Error::unsupported("a persistent id names no storage")),
    };
    Ok(arena.add(Node::Storage(storage)))
}

/// What a function of the list makes of its arguments.
pub(crate) fn call(arena: &mut Arena, function: &Value, arguments: &Value) -> Result<Value, Error> {
    let wrong =
        |what| Error::unsupported(format!("{what} has other arguments than torch gives it"));
    let given = arena
        .tuple(arguments)
        .ok_or_else(|| Error::corrupt("arguments are no tuple"))?;
    match function {
        Value::Global(Global::OrderedDict) if given.is_empty() => {
            Ok(arena.add(Node::Dict(Vec::new())))
        }
        Value::Global(Global::OrderedDict) => Err(wrong("OrderedDict")),
        Value::Global(Global::RebuildTensorV2) => match given {
            [storage, offset, shape, strides, _gradient, _hooks, ..] if given.len() <= 7 => {
                let plan = tensor(arena, [storage, offset, shape, strides], None)?;
                Ok(arena.add(Node::Tensor(plan.into())))
            }
            _ => Err(wrong("_rebuild_tensor_v2")),
        },
        Value::Global(Global::RebuildTensorV3) => match given {
            [
                storage,
                offset,
                shape,
                strides,
                _gradient,
                _hooks,
                Value::Global(Global::ElementType(dtype)),
                ..,
            ] if given.len() <= 8 => {
                let plan = tensor(arena, [storage, offset, shape, strides], Some(*dtype))?;
                Ok(arena.add(Node::Tensor(plan.into())))
            }
            _ => Err(wrong("_rebuild_tensor_v3")),
        },
        Value::Global(Global::RebuildParameter) => match given {
            [data, _gradient, _hooks] if matches!(arena.node_of(data), Some(Node::Tensor(_))) => {
                Ok(data.clone())
            }
            _ => Err(wrong("_rebuild_parameter")),
        },
        Value::Global(Global::GetLayout) => Ok(arena.add(Node::Layout)),
        other => {
            let what = arena.describe(other);
            Err(Error::unsupported(format!("{what} is called")))
        }
    }
}

fn tensor(
    arena: &Arena,
    [storage, offset, shape, strides]: [&Value; 4],
    dtype: Option<DType>,
) -> Result<TensorPlan, Error> {
    let Some(Node::Storage(storage)) = arena.node_of(storage) else {
        return Err(Error::corrupt("a tensor is made of no storage"));
    };
    let ranks = [shape, strides].map(|value| arena.tuple(value).map_or(0, <[_]>::len));
    if ranks.iter().any(|&rank| rank > RANK_MAX) {
        return Err(Error::limit(
            "a tensor has too many axes",
            "RANK_MAX",
            RANK_MAX,
        ));
    }
    let numbers = |value: &Value| -> Option<Vec<usize>> {
        let number = |item: &Value| match item {
            Value::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        };
        arena.tuple(value)?.iter().map(number).collect()
    };
    let (Some(shape), Some(strides)) = (numbers(shape), numbers(strides)) else {
        return Err(Error::corrupt("a shape or strides are no tuple of lengths"));
    };
    let Value::Int(offset) = offset else {
        return Err(Error::corrupt("the offset of a tensor is no number"));
    };
    let offset = usize::try_from(*offset).map_err(|_| Error::corrupt("an offset is negative"))?;
    let strides: Vec<isize> = strides
        .into_iter()
        .map(isize::try_from)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::corrupt("a stride is too large"))?;
    let untyped = || Error::corrupt("a tensor has no type");
    let element = dtype.or(storage.dtype).ok_or_else(untyped)?;
    let layout = Layout::strided(shape, strides, offset)?;
    // Storages without a type are counted in bytes.
    let unit = if storage.dtype.is_some() {
        1
    } else {
        element.bits() as u64 / 8
    };
    let end = (layout.places().end as u64).saturating_mul(unit);
    if end > storage.len {
        let (key, len) = (&storage.key, storage.len);
        return Err(Error::corrupt(format!(
            "a tensor ends at {end} in storage `{key}`, which ends at {len}"
        )));
    }
    Ok(TensorPlan {
        dtype: element,
        key: storage.key.clone(),
        layout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn axes_are_limited_before_they_are_copied() {
        // Each of many tensors could name one long tuple.
        for (rank, expected) in [
            (RANK_MAX, None),
            (RANK_MAX + 1, Some(ErrorKind::LimitReached)),
        ] {
            let mut arena = Arena::default();
            let storage = arena.add(Node::Storage(Storage {
                dtype: Some(DType::U8),
                key: "0".into(),
                len: 1,
            }));
            let ones = arena.add(Node::Tuple(vec![Value::Int(1); rank]));
            let arguments = [
                storage,
                Value::Int(0),
                ones.clone(),
                ones,
                Value::Bool,
                Value::None,
            ];
            let arguments = arena.add(Node::Tuple(arguments.to_vec()));
            let function = Value::Global(Global::RebuildTensorV2);
            let error = call(&mut arena, &function, &arguments).err();
            assert_eq!(error.map(|error| error.kind()), expected);
        }
    }
}
