//! One of several processes that share the work of a run.

use crate::Error;
use std::fmt;
use std::str::FromStr;

/// Most nodes of one run.
const NODES_MAX: usize = 4096;

/// One of several processes, on one machine or on many, that run the same plan on the same files and
/// share nothing but a [work folder](crate::RunOptions::work).
///
/// Node `index` takes each `count`-th group of files. Node 0 also decides what can be decided only when
/// all documents are known, and writes the output, which has the bytes that one process gives.
///
/// ```
/// let node: nexus_data::Node = "1/4".parse()?;
/// assert_eq!((node.index(), node.count()), (1, 4));
/// let error = "4/4".parse::<nexus_data::Node>().unwrap_err();
/// assert_eq!(error.to_string(), "there is no node 4 of 4: nodes count from 0");
/// # Ok::<(), nexus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    index: usize,
    count: usize,
}

impl Node {
    /// Node `index`, from 0, of `count`.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a node that is not there,
    /// [`LimitReached`](crate::ErrorKind::LimitReached) for more than 4096 nodes.
    pub fn new(index: usize, count: usize) -> Result<Self, Error> {
        if index >= count {
            return Err(Error::invalid(format!(
                "there is no node {index} of {count}: nodes count from 0"
            )));
        }
        if count > NODES_MAX {
            return Err(Error::limit(format!(
                "a run has at most NODES_MAX = {NODES_MAX} nodes, not {count}"
            )));
        }
        Ok(Self { index, count })
    }

    /// Its number, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.count
    }

    /// Which node takes a group of files.
    pub(crate) fn of_group(self, group: usize) -> usize {
        group % self.count
    }

    /// Whether it decides and writes.
    pub(crate) fn is_first(self) -> bool {
        self.index == 0
    }
}

impl FromStr for Node {
    type Err = Error;

    /// Reads `index/count`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid(format!("`{text}` is no node of a run"))
                .with_hint("write 0/4 for the first of four")
        };
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (Ok(index), Ok(count)) = (index.trim().parse(), count.trim().parse()) else {
            return Err(wrong());
        };
        Self::new(index, count)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}
