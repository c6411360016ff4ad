//! What a pickle holds.

use std::rc::Rc;

use nexus_tensor::{DType, Layout};

/// A value on the machine's stack. Containers are shared: they stand in an [`Arena`].
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Bool,
    Int(i64),
    /// An integer of more than 64 bits.
    BigInt,
    Float,
    Text(Rc<str>),
    Bytes,
    Global(Global),
    Node(NodeId),
}

/// The names that are known. What they mean is in [`torch`](crate::torch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    GetLayout,
    /// A class of storages; without a type, the tensor gives it.
    Storage(Option<DType>),
    ElementType(DType),
}

/// A place in an [`Arena`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(usize);

#[derive(Debug)]
pub(crate) enum Node {
    Dict(Vec<(Value, Value)>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Storage(Storage),
    Tensor(Rc<TensorPlan>),
    /// A layout of torch, which no tensor here has.
    Layout,
}

/// A run of elements in a file of the archive.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) dtype: Option<DType>,
    pub(crate) key: Rc<str>,
    /// The number of elements, of bytes where there is no type.
    pub(crate) len: u64,
}

/// A tensor: elements of a storage.
#[derive(Clone, Debug)]
pub(crate) struct TensorPlan {
    pub(crate) dtype: DType,
    pub(crate) key: Rc<str>,
    pub(crate) layout: Layout,
}

/// All containers of a pickle.
#[derive(Default)]
pub(crate) struct Arena(Vec<Node>);

impl Arena {
    pub(crate) fn add(&mut self, node: Node) -> Value {
        self.0.push(node);
        Value::Node(NodeId(self.0.len() - 1))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.0[id.0]
    }

    /// The container that a value is.
    pub(crate) fn node_of(&self, value: &Value) -> Option<&Node> {
        match value {
            Value::Node(id) => Some(self.node(*id)),
            _ => None,
        }
    }

    pub(crate) fn node_of_mut(&mut self, value: &Value) -> Option<&mut Node> {
        match value {
            Value::Node(id) => Some(&mut self.0[id.0]),
            _ => None,
        }
    }

    /// The items of a tuple.
    pub(crate) fn tuple(&self, value: &Value) -> Option<&[Value]> {
        match self.node_of(value) {
            Some(Node::Tuple(items)) => Some(items),
            _ => None,
        }
    }

    /// What a value is, for notes and errors.
    pub(crate) fn describe(&self, value: &Value) -> &'static str {
        match value {
            Value::None => "None",
            Value::Bool => "a boolean",
            Value::Int(_) | Value::BigInt => "an integer",
            Value::Float => "a float",
            Value::Text(_) => "text",
            Value::Bytes => "bytes",
            Value::Global(_) => "a type",
            Value::Node(id) => match self.node(*id) {
                Node::Dict(_) => "a dictionary",
                Node::List(_) => "a list",
                Node::Tuple(_) => "a tuple",
                Node::Storage(_) => "a storage",
                Node::Tensor(_) => "a tensor",
                Node::Layout => "a layout",
            },
        }
    }
}
