//! Fetching tensors, and parts of them, from an open file.

use std::ops::Range;
use std::path::Path;

use super::{SafeTensorsFile, Source};
use crate::io::{self, Bytes, Failure, Job, Reader, gather, total};
use crate::pieces::Pieces;
use crate::raw::{Memory, Pages};
use crate::{Part, Region, SafeTensorError, TensorInfo};

/// Tensors that lie one behind the other and share a [`region`](Self::region).
pub struct Group<'a> {
    file: &'a SafeTensorsFile,
    range: Range<usize>,
    tensors: Vec<(&'a str, &'a TensorInfo)>,
}

impl<'a> Group<'a> {
    /// Names, infos, and where each lies in the region.
    pub fn tensors(&self) -> impl Iterator<Item = (&'a str, &'a TensorInfo, Range<usize>)> {
        self.tensors.iter().map(|&(name, info)| {
            let range = self.file.byte_range(info);
            (
                name,
                info,
                range.start - self.range.start..range.end - self.range.start,
            )
        })
    }

    /// The bytes of all of them.
    ///
    /// # Errors
    /// As [`SafeTensorsFile::region`], but for `TensorNotFound`.
    pub fn region(&self) -> Result<Region, SafeTensorError> {
        match &self.file.inner.source {
            Source::Map(memory) | Source::Loaded(memory) if self.tensors.len() > 1 => {
                Ok(Region::uncounted(memory, self.range.clone()))
            }
            _ => self.file.region_at(self.range.clone()),
        }
    }
}

/// A tensor by name and the memory for its bytes.
pub type Destination<'a> = (&'a str, &'a mut [u8]);

impl SafeTensorsFile {
    /// The bytes of one tensor. Nothing is copied and nothing is allocated where the file is
    /// mapped or loaded; else the tensor alone is read, to memory of its own.
    ///
    /// # Errors
    /// `TensorNotFound`; where tensors are read on demand `File` and `UnexpectedEnd`.
    pub fn region(&self, name: &str) -> Result<Region, SafeTensorError> {
        self.region_at(self.byte_range(self.info(name)?))
    }

    /// The bytes of the tensor that lies there.
    fn region_at(&self, range: Range<usize>) -> Result<Region, SafeTensorError> {
        match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => Ok(Region::of_tensor(memory, range)),
            Source::Reader(reader) => {
                let span = range.start as u64..range.end as u64;
                let (pages, range) = reader
                    .read_span(span)
                    .map_err(|error| self.explain(error))?;
                Ok(Region::of_pages(pages, range))
            }
        }
    }

    /// The bytes of one tensor, to be taken piece by piece.
    pub(crate) fn pieces(&self, name: &str) -> Result<Pieces<'_>, SafeTensorError> {
        let range = self.byte_range(self.info(name)?);
        Ok(match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => {
                Pieces::Held(Region::of_tensor(memory, range))
            }
            Source::Reader(reader) => Pieces::InFile {
                file: self,
                reader,
                range,
            },
        })
    }

    /// Every tensor in the order of the data, in groups whose bytes are one region: neighbours
    /// without a page of their own together, any other tensor alone. For bindings, to which a
    /// region a tensor would be dear where there are a hundred thousand.
    ///
    /// Costs what [`region`](Self::region) costs, once for each group.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let mut tensors = self.header().iter_by_offset().peekable();
        std::iter::from_fn(move || {
            let first = tensors.next()?;
            let mut range = self.byte_range(first.1);
            let mut group = vec![first];
            if self.is_small(&range) {
                while let Some(next) =
                    tensors.next_if(|(_, info)| self.is_small(&self.byte_range(info)))
                {
                    range.end = self.byte_range(next.1).end;
                    group.push(next);
                }
            }
            Some(Group {
                file: self,
                range,
                tensors: group,
            })
        })
    }

    /// Whether a tensor has no page that would be given back when it goes.
    fn is_small(&self, range: &Range<usize>) -> bool {
        match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => !memory.is_counted(range),
            Source::Reader(_) => range.is_empty(),
        }
    }

    /// Runs of a tensor's bytes, one behind the other, in the order given.
    ///
    /// Where tensors are read on demand, only these bytes are read: runs are joined as long as a
    /// tenth at most is read in vain, or the gaps are so small that a system call would cost more.
    /// Where the file is in memory, one run alone is shared and several are copied. The work is
    /// shared among threads. `runs` is gone through twice.
    ///
    /// # Errors
    /// As [`region`](Self::region); `RunOutside` when a run does not lie in the tensor.
    pub fn read_ranges<R>(&self, name: &str, runs: R) -> Result<Region, SafeTensorError>
    where
        R: IntoIterator<Item = Range<usize>, IntoIter: Clone + Send>,
    {
        let runs = runs.into_iter();
        let size = self.byte_range(self.info(name)?).len();
        let total = total(runs.clone(), size).map_err(|run| outside(name, size, &run))?;
        let mut first_runs = runs.clone();
        if let (Some(run), None) = (first_runs.next(), first_runs.next())
            && let Source::Map(_) | Source::Loaded(_) = self.inner.source
        {
            return Ok(self.region(name)?.window(run));
        }
        self.gathered(name, total, runs)
    }

    /// The size of a part, as long as it lies in the tensor.
    pub(crate) fn part_size(&self, name: &str, part: &dyn Part) -> Result<usize, SafeTensorError> {
        let size = self.byte_range(self.info(name)?).len();
        total(part.runs(), size).map_err(|run| outside(name, size, &run))
    }

    /// A part whose size has been asked for.
    pub(crate) fn read_part(
        &self,
        name: &str,
        part: &dyn Part,
        size: usize,
    ) -> Result<Region, SafeTensorError> {
        self.gathered(name, size, part.runs())
    }

    /// The bytes of tensors that lie one behind the other, read in one piece where they are read
    /// on demand.
    pub(crate) fn regions_of_neighbours(
        &self,
        names: &[&str],
    ) -> Result<Vec<Region>, SafeTensorError> {
        let Source::Reader(reader) = &self.inner.source else {
            return names.iter().map(|name| self.region(name)).collect();
        };
        let ranges = names
            .iter()
            .map(|name| Ok(self.byte_range(self.info(name)?)));
        let ranges = ranges.collect::<Result<Vec<_>, SafeTensorError>>()?;
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
            return Ok(Vec::new());
        };
        let span = first.start as u64..last.end as u64;
        let (pages, range) = reader
            .read_span(span)
            .map_err(|error| self.explain(error))?;
        let memory = Memory::counted(pages);
        let at = |tensor: &Range<usize>| {
            let start = range.start + (tensor.start - first.start);
            Region::of_tensor(&memory, start..start + tensor.len())
        };
        Ok(ranges.iter().map(at).collect())
    }

    /// Runs that are known to lie in the tensor and to have `total` bytes.
    fn gathered(
        &self,
        name: &str,
        total: usize,
        mut runs: impl Iterator<Item = Range<usize>> + Send,
    ) -> Result<Region, SafeTensorError> {
        let range = self.byte_range(self.info(name)?);
        let mut pages = Pages::zeroed(total)?;
        let to = pages.as_mut_slice();
        let threads = self.threads();
        let gathered = match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => {
                // Held, so that the pages are not given back meanwhile.
                let held = Region::of_tensor(memory, range);
                gather(&InMemory(held.as_ref()), &mut runs, to, threads)
            }
            Source::Reader(reader) => {
                let start = range.start as u64;
                gather(&InFile { reader, start }, &mut runs, to, threads)
            }
        };
        gathered.map_err(|error| self.explain(error))?;
        Ok(Region::of_pages(pages, 0..total))
    }

    /// Reads one tensor into the caller's memory, in parallel where it is large.
    ///
    /// # Errors
    /// As [`region`](Self::region); `WrongSize` when there is more or less memory than bytes.
    pub fn read_into(&self, name: &str, bytes: &mut [u8]) -> Result<(), SafeTensorError> {
        self.load_into([(name, bytes)])
    }

    /// Reads many tensors into the caller's memory, in the order of the file and in parallel.
    ///
    /// # Errors
    /// As [`read_into`](Self::read_into). Some memory may be filled then.
    pub fn load_into<'a>(
        &self,
        destinations: impl IntoIterator<Item = Destination<'a>>,
    ) -> Result<(), SafeTensorError> {
        let mut jobs = Vec::new();
        let mut total = 0_usize;
        for (name, bytes) in destinations {
            let range = self.byte_range(self.info(name)?);
            if range.len() != bytes.len() {
                return Err(SafeTensorError::WrongSize {
                    name: name.to_owned(),
                    size: range.len(),
                    given: bytes.len(),
                });
            }
            total = total.saturating_add(bytes.len());
            jobs.push((range.start as u64, bytes));
        }
        jobs.sort_unstable_by_key(|&(at, _)| at);
        self.fill(total, jobs).map_err(|error| self.explain(error))
    }

    fn fill(&self, total: usize, jobs: Vec<Job<'_>>) -> Result<(), Failure> {
        match &self.inner.source {
            Source::Map(memory) | Source::Loaded(memory) => {
                io::fill_from(total, jobs, |at, len| memory.slice(at..at + len))
            }
            Source::Reader(reader) => reader.fill_sized(total, jobs),
        }
    }

    pub(crate) fn explain(&self, failure: Failure) -> SafeTensorError {
        let path = self.path().unwrap_or(Path::new(""));
        let header = (&self.inner.metadata, self.inner.data_start);
        failure.explain(path, self.size_bytes() as u64, Some(header))
    }

    fn threads(&self) -> usize {
        match &self.inner.source {
            Source::Map(_) | Source::Loaded(_) => io::processors(),
            Source::Reader(reader) => reader.way().threads,
        }
    }
}

fn outside(name: &str, size: usize, run: &Range<usize>) -> SafeTensorError {
    SafeTensorError::RunOutside {
        name: name.to_owned(),
        size,
        run: (run.start, run.end),
    }
}

struct InMemory<'a>(&'a [u8]);

impl Bytes for InMemory<'_> {
    const CHEAP: bool = true;

    fn copy(&self, at: usize, to: &mut [u8]) -> Result<(), Failure> {
        to.copy_from_slice(&self.0[at..at + to.len()]);
        Ok(())
    }
}

struct InFile<'a> {
    reader: &'a Reader,
    start: u64,
}

impl Bytes for InFile<'_> {
    const CHEAP: bool = false;

    fn copy(&self, at: usize, to: &mut [u8]) -> Result<(), Failure> {
        self.reader.read_exact(self.start + at as u64, to)
    }
}
