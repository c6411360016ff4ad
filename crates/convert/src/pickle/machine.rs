//! The stack machine.

use std::collections::HashMap;

use super::value::{Arena, Node, Value};
use crate::Error;
use crate::limits::{PICKLE_MEMO_MAX, PICKLE_NODES_MAX, PICKLE_OPCODES_MAX, PICKLE_TEXT_SIZE_MAX};
use crate::torch::functions;

/// Reads a pickle: its containers and its value.
pub(crate) fn load(bytes: &[u8]) -> Result<(Arena, Value), Error> {
    let mut machine = Machine {
        bytes,
        at: 0,
        arena: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..PICKLE_OPCODES_MAX {
        let start = machine.at;
        let done = machine.step().map_err(|error| {
            let what = format_args!("the pickle at byte {start}");
            error.within(what)
        })?;
        if let Some(value) = done {
            return Ok((machine.arena, value));
        }
        if machine.arena.len() > PICKLE_NODES_MAX {
            let what = "the pickle makes too much";
            return Err(Error::limit(what, "PICKLE_NODES_MAX", PICKLE_NODES_MAX));
        }
    }
    Err(Error::limit(
        "the pickle goes on",
        "PICKLE_OPCODES_MAX",
        PICKLE_OPCODES_MAX,
    ))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    arena: Arena,
    stack: Vec<Value>,
    /// The heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
}

impl<'a> Machine<'a> {
    /// Runs one opcode; gives the result at the last one.
    fn step(&mut self) -> Result<Option<Value>, Error> {
        let [opcode] = self.array()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | 0x8a | b'G' => self.number(opcode)?,
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B' => self.text(opcode)?,
            b'}' | b']' | b')' | b't' | 0x85..=0x87 | b'l' | b'd' => self.container(opcode)?,
            b'a' | b'e' | b's' | b'u' => self.fill(opcode)?,
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(opcode)?,
            b'c' | 0x93 | b'Q' | b'R' | b'b' => self.object(opcode)?,
            opcode => {
                let message = format!("the opcode {opcode:#04x} is not read");
                return Err(Error::unsupported(message)
                    .with_hint("save with torch.save and its default pickle protocol, 2"));
            }
        }
        Ok(None)
    }

    fn number(&mut self, opcode: u8) -> Result<(), Error> {
        let value = match opcode {
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool,
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Int(u8::from_le_bytes(self.array()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            // LONG1
            0x8a => {
                let [size] = self.array()?;
                long(self.take(size.into())?)
            }
            _ => {
                self.array::<8>()?;
                Value::Float
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, opcode: u8) -> Result<(), Error> {
        let size = match opcode {
            0x8c | b'U' | b'C' => u8::from_le_bytes(self.array()?).into(),
            0x8d => u64::from_le_bytes(self.array()?),
            _ => u32::from_le_bytes(self.array()?).into(),
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > PICKLE_TEXT_SIZE_MAX {
            let what = format!("a text has {size} bytes");
            return Err(Error::limit(
                what,
                "PICKLE_TEXT_SIZE_MAX",
                PICKLE_TEXT_SIZE_MAX,
            ));
        }
        let bytes = self.take(size)?;
        let value = match opcode {
            b'C' | b'B' => Value::Bytes,
            // Text of Python 2 may be anything; only what is text matters here.
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.into()),
                Err(_) if matches!(opcode, b'U' | b'T') => Value::Bytes,
                Err(error) => return Err(Error::corrupt(format!("a text is not UTF-8: {error}"))),
            },
        };
        self.stack.push(value);
        Ok(())
    }

    fn container(&mut self, opcode: u8) -> Result<(), Error> {
        let node = match opcode {
            b'}' => Node::Dict(Vec::new()),
            b']' => Node::List(Vec::new()),
            b')' => Node::Tuple(Vec::new()),
            b't' => Node::Tuple(self.pop_to_mark()?),
            b'l' => Node::List(self.pop_to_mark()?),
            b'd' => Node::Dict(pairs(self.pop_to_mark()?)?),
            // TUPLE1, TUPLE2, TUPLE3
            _ => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or_else(empty)?;
                self.check_marks(start)?;
                Node::Tuple(self.stack.split_off(start))
            }
        };
        let value = self.arena.add(node);
        self.stack.push(value);
        Ok(())
    }

    fn fill(&mut self, opcode: u8) -> Result<(), Error> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let target = self.stack.last().ok_or_else(empty)?;
        match (self.arena.node_of_mut(target), opcode) {
            (Some(Node::List(list)), b'a' | b'e') => list.extend(items),
            (Some(Node::Dict(dict)), b's' | b'u') => dict.extend(pairs(items)?),
            _ => {
                let what = self.arena.describe(target);
                return Err(Error::corrupt(format!("items cannot be put into {what}")));
            }
        }
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<(), Error> {
        let place = match opcode {
            b'q' | b'h' => u8::from_le_bytes(self.array()?).into(),
            b'r' | b'j' => u32::from_le_bytes(self.array()?).into(),
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'h' | b'j') {
            let value = self.memo.get(&place).cloned();
            let missing = || Error::corrupt(format!("nothing was remembered as {place}"));
            self.stack.push(value.ok_or_else(missing)?);
            return Ok(());
        }
        let value = self.stack.last().cloned().ok_or_else(empty)?;
        self.memo.insert(place, value);
        if self.memo.len() > PICKLE_MEMO_MAX {
            return Err(Error::limit(
                "too much is remembered",
                "PICKLE_MEMO_MAX",
                PICKLE_MEMO_MAX,
            ));
        }
        Ok(())
    }

    /// Opcodes that make objects in Python; here they make what `torch::functions` knows.
    fn object(&mut self, opcode: u8) -> Result<(), Error> {
        let value = match opcode {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                functions::global(module, name)?
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => functions::global(&module, &name)?,
                _ => return Err(Error::corrupt("a name is no text")),
            },
            b'Q' => {
                let id = self.pop()?;
                functions::persistent(&mut self.arena, &id)?
            }
            b'R' => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                functions::call(&mut self.arena, &function, &arguments)?
            }
            _ => {
                // BUILD sets attributes. Those of an `OrderedDict` are no tensors.
                self.pop()?;
                let target = self.pop()?;
                if !matches!(self.arena.node_of(&target), Some(Node::Dict(_))) {
                    let what = self.arena.describe(&target);
                    return Err(Error::unsupported(format!("attributes are set on {what}")));
                }
                target
            }
        };
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Error> {
        let value = self.stack.pop().ok_or_else(empty)?;
        self.check_marks(self.stack.len())?;
        Ok(value)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Error> {
        let mark = self.marks.pop();
        let mark = mark.ok_or_else(|| Error::corrupt("there is no mark on the stack"))?;
        Ok(self.stack.split_off(mark))
    }

    /// Nothing below a mark may be taken while the mark stands.
    fn check_marks(&self, height: usize) -> Result<(), Error> {
        match self.marks.last() {
            Some(&mark) if mark > height => Err(Error::corrupt("a mark is in the way")),
            _ => Ok(()),
        }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let bytes = self.bytes.get(self.at..).and_then(|rest| rest.get(..size));
        let bytes = bytes.ok_or_else(|| Error::corrupt("the pickle ends too early"))?;
        self.at += size;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Text up to the end of a line.
    fn line(&mut self) -> Result<&'a str, Error> {
        let rest = &self.bytes[self.at..];
        let window = &rest[..rest.len().min(PICKLE_TEXT_SIZE_MAX)];
        let size = window.iter().position(|&byte| byte == b'\n');
        let size = size.ok_or_else(|| Error::corrupt("a name has no end"))?;
        let line = self.take(size + 1)?;
        std::str::from_utf8(&line[..size]).map_err(|_| Error::corrupt("a name is not UTF-8"))
    }
}

fn empty() -> Error {
    Error::corrupt("the stack is empty")
}

fn pairs(items: Vec<Value>) -> Result<Vec<(Value, Value)>, Error> {
    if !items.len().is_multiple_of(2) {
        return Err(Error::corrupt("a key has no value"));
    }
    let mut items = items.into_iter();
    let pair = || Some((items.next()?, items.next()?));
    Ok(std::iter::from_fn(pair).collect())
}

/// A little-endian number in two's complement.
fn long(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut number = [if negative { 0xFF } else { 0 }; 8];
    match number.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(number))
        }
        None => Value::BigInt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pickle_makes_is_limited() {
        let cases = [
            (b']', PICKLE_NODES_MAX + 1, "PICKLE_NODES_MAX"),
            (b'(', PICKLE_OPCODES_MAX as usize, "PICKLE_OPCODES_MAX"),
        ];
        for (opcode, count, limit) in cases {
            let error = load(&vec![opcode; count]).map(drop).unwrap_err();
            assert!(error.to_string().contains(limit), "{error}");
        }
    }
}
