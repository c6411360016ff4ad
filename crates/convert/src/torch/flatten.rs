//! Nested dictionaries and lists as one list of names.

use std::rc::Rc;

use crate::Error;
use crate::limits::{
    NAME_SIZE_MAX, NAMES_SIZE_MAX, PICKLE_DEPTH_MAX, PICKLE_VISITS_MAX, TENSORS_MAX,
};
use crate::pickle::{Arena, Node, TensorPlan, Value};
use crate::source::Notes;

/// The name of a tensor that is the whole checkpoint.
const ALONE: &str = "tensor";

/// What an axis counts beside a name: its length and its stride.
const AXIS_SIZE: usize = size_of::<(usize, isize)>();

/// All tensors in `value`, with the keys that lead to them joined by dots. What is no tensor is
/// noted.
pub(super) fn flatten(
    arena: &Arena,
    value: &Value,
    notes: &mut Notes,
) -> Result<Vec<(String, Rc<TensorPlan>)>, Error> {
    let mut walk = Walk {
        arena,
        notes,
        visits: 0,
        names_size: 0,
        found: Vec::new(),
    };
    walk.visit("", value, 0)?;
    Ok(walk.found)
}

struct Walk<'a> {
    arena: &'a Arena,
    notes: &'a mut Notes,
    visits: u64,
    /// Of the tensors found, with their axes.
    names_size: usize,
    found: Vec<(String, Rc<TensorPlan>)>,
}

impl Walk<'_> {
    fn visit(&mut self, path: &str, value: &Value, depth: usize) -> Result<(), Error> {
        self.visits += 1;
        if self.visits > PICKLE_VISITS_MAX {
            let what = "the pickle has too many ways to its values";
            return Err(Error::limit(what, "PICKLE_VISITS_MAX", PICKLE_VISITS_MAX));
        }
        if depth > PICKLE_DEPTH_MAX {
            let what = "dictionaries and lists are nested too deeply";
            return Err(Error::limit(what, "PICKLE_DEPTH_MAX", PICKLE_DEPTH_MAX));
        }
        match self.arena.node_of(value) {
            Some(Node::Tensor(plan)) => {
                if self.found.len() == TENSORS_MAX {
                    return Err(Error::limit("too many tensors", "TENSORS_MAX", TENSORS_MAX));
                }
                let name = if path.is_empty() { ALONE } else { path };
                self.names_size += name.len() + AXIS_SIZE * plan.layout.rank();
                if self.names_size > NAMES_SIZE_MAX {
                    let what = "names and shapes are too long together";
                    return Err(Error::limit(what, "NAMES_SIZE_MAX", NAMES_SIZE_MAX));
                }
                self.found.push((name.to_owned(), plan.clone()));
            }
            Some(Node::Dict(items)) => {
                for (key, item) in items {
                    match key {
                        Value::Text(key) => self.visit(&join(path, key)?, item, depth + 1)?,
                        Value::Int(key) => {
                            self.visit(&join(path, &key.to_string())?, item, depth + 1)?;
                        }
                        key => {
                            let what = self.arena.describe(key);
                            self.notes
                                .push(|| format!("skipped an item of `{path}`: its key is {what}"));
                        }
                    }
                }
            }
            Some(Node::List(items) | Node::Tuple(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.visit(&join(path, &index.to_string())?, item, depth + 1)?;
                }
            }
            _ => {
                let what = self.arena.describe(value);
                self.notes
                    .push(|| format!("skipped `{path}`: it is {what}"));
            }
        }
        Ok(())
    }
}

fn join(path: &str, key: &str) -> Result<String, Error> {
    let size = path.len() + 1 + key.len();
    if size > NAME_SIZE_MAX {
        let what = format!("a name has {size} bytes");
        return Err(Error::limit(what, "NAME_SIZE_MAX", NAME_SIZE_MAX));
    }
    Ok(if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    })
}

#[cfg(test)]
mod tests {
    use nexus_tensor::{DType, Layout};

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn many_ways_to_one_tensor_are_limited_by_the_names_they_make() {
        let mut arena = Arena::default();
        let plan = TensorPlan {
            dtype: DType::U8,
            key: "0".into(),
            layout: Layout::contiguous([1]).unwrap(),
        };
        let mut value = arena.add(Node::Tensor(plan.into()));
        // 2^18 ways of 1800 bytes each, in 18 dictionaries.
        for _ in 0..18 {
            let keys = ["a", "b"].map(|key| Value::Text(key.repeat(99).into()));
            let items = keys.map(|key| (key, value.clone()));
            value = arena.add(Node::Dict(items.to_vec()));
        }
        let error = flatten(&arena, &value, &mut Notes::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.to_string().contains("NAMES_SIZE_MAX"), "{error}");
    }
}
