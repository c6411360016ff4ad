//! Pipelines over a storage that is not the file system: one in memory, which can be told to fail.

use nexus_data::storage::{Listing, NewFile, NewFolder, Ranges, Selection, Storage, StoredFile};
use nexus_data::{Cancel, Error, ErrorKind, Format, Node, Output, Pipeline, RunOptions};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

#[derive(Clone, Debug, Default)]
struct Memory {
    files: Files,
    /// What happens behind the first half of a file.
    broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug)]
enum Broken {
    Disk,
    Storage,
}

impl Broken {
    fn error(self) -> io::Error {
        match self {
            Self::Disk => io::Error::other("a bad sector"),
            Self::Storage => {
                Error::storage(ErrorKind::Unavailable, "nobody answers", Some("wait")).into_io()
            }
        }
    }
}

impl Memory {
    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        let memory = Self::default();
        for (name, bytes) in files {
            let mut files = memory.files.lock().unwrap();
            files.insert(format!("memory:{name}"), bytes.clone());
        }
        memory
    }

    fn names(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let files = self.files.lock().unwrap();
        let found = files.get(path.to_str().unwrap()).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

struct Half {
    bytes: Cursor<Vec<u8>>,
    broken: Option<Broken>,
}

impl Read for Half {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let half = self.bytes.get_ref().len() as u64 / 2;
        match self.broken {
            Some(broken) if self.bytes.position() >= half => Err(broken.error()),
            Some(_) => {
                let rest = half - self.bytes.position();
                (&mut self.bytes).take(rest).read(buffer)
            }
            None => self.bytes.read(buffer),
        }
    }
}

struct Parts(Vec<u8>, Option<Broken>);

impl Ranges for Parts {
    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        if let Some(broken) = self.1 {
            return Err(broken.error());
        }
        let start = start as usize;
        let part = self.0.get(start..start + buffer.len());
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn read_size(&self) -> usize {
        1000
    }
}

impl Storage for Memory {
    fn for_run(&self, _cancel: &Cancel) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    fn is_local(&self, path: &Path) -> bool {
        !path.to_string_lossy().starts_with("memory:")
    }

    fn list(&self, root: &Path, listing: &mut Listing) -> Result<(), Error> {
        let selection = Selection::new(root.to_str().unwrap())?;
        for (name, bytes) in self.files.lock().unwrap().iter() {
            let file = StoredFile {
                path: name.into(),
                size: bytes.len() as u64,
                version: "1".to_owned(),
            };
            if let Some(id) = selection.id(name) {
                listing.file(file, id.to_owned())?;
            }
        }
        Ok(())
    }

    fn open(&self, file: &StoredFile) -> io::Result<Box<dyn Read + Send>> {
        let bytes = Cursor::new(self.bytes(&file.path)?);
        let broken = self.broken;
        Ok(Box::new(Half { bytes, broken }))
    }

    fn ranges(&self, file: &StoredFile) -> io::Result<Box<dyn Ranges>> {
        Ok(Box::new(Parts(self.bytes(&file.path)?, self.broken)))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, Error> {
        Ok(Box::new(New {
            name: path.to_str().unwrap().to_owned(),
            bytes: Vec::new(),
            files: self.files.clone(),
        }))
    }

    fn create_folder(&self, path: &Path, _mark: &str) -> Result<Box<dyn NewFolder>, Error> {
        let (files, finished) = (self.files.clone(), Files::default());
        let path = path.to_str().unwrap().to_owned();
        Ok(Box::new(Folder {
            path,
            files,
            finished,
        }))
    }
}

struct New {
    name: String,
    bytes: Vec<u8>,
    files: Files,
}

impl Write for New {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for New {
    fn commit(self: Box<Self>) -> Result<(), Error> {
        self.files.lock().unwrap().insert(self.name, self.bytes);
        Ok(())
    }
}

struct Folder {
    path: String,
    files: Files,
    finished: Files,
}

impl NewFolder for Folder {
    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, Error> {
        Ok(Box::new(New {
            name: format!("{}/{name}", self.path),
            bytes: Vec::new(),
            files: self.finished.clone(),
        }))
    }

    fn commit(self: Box<Self>) -> Result<(), Error> {
        let mut finished = self.finished.lock().unwrap();
        self.files.lock().unwrap().append(&mut finished);
        Ok(())
    }
}

fn lines(count: usize) -> Vec<u8> {
    let line = |row| format!("{{\"text\": \"row {row}\"}}\n");
    (0..count).flat_map(|row| line(row).into_bytes()).collect()
}

fn run(pipeline: &Pipeline) -> Result<nexus_data::Report, Error> {
    pipeline.run(&RunOptions::default())
}

#[test]
fn every_format_goes_through_a_storage_and_back() {
    let memory = Memory::with(&[("in/a.jsonl", lines(5000)), ("in/b.txt", b"text".to_vec())]);
    for format in [
        Format::Jsonl,
        Format::JsonlGz,
        Format::JsonlZst,
        Format::Parquet,
        Format::Arrow,
        Format::ArrowStream,
        Format::WebDataset,
    ] {
        let target = format!("memory:out-{}", format.name());
        let output = Output::new(&*target)
            .format(format)
            .shard_size_bytes(1 << 14);
        let write = Pipeline::read("memory:in")
            .storage(memory.clone())
            .write(output);
        assert_eq!(run(&write).unwrap().rows(), 5001, "{format:?}");
        let names = memory.names();
        assert!(
            names.contains(&format!("{target}/_manifest.json")),
            "{names:?}"
        );
        let read = Pipeline::read(&*target).storage(memory.clone());
        let report = run(&read).unwrap();
        assert_eq!(
            (report.rows(), report.rejected.count),
            (5001, 0),
            "{format:?}"
        );
    }
    let names = memory.names().len();
    let one = Pipeline::read("memory:in/*.txt").storage(memory.clone());
    assert_eq!(run(&one.write("memory:one.parquet")).unwrap().rows(), 1);
    assert_eq!(memory.names().len(), names + 1);
}

#[test]
fn an_error_of_the_storage_ends_the_run_and_one_of_the_disk_sets_the_file_aside() {
    let mut memory = Memory::with(&[("in/a.jsonl", lines(5000)), ("in/b.txt", b"text".to_vec())]);
    let read = |memory: &Memory| Pipeline::read("memory:in").storage(memory.clone());
    run(&read(&memory).write("memory:table/c.parquet")).unwrap();
    run(&read(&memory).write("memory:table/d.arrow")).unwrap();
    let before = memory.names();
    memory.broken = Some(Broken::Disk);
    let report = run(&read(&memory)).unwrap();
    assert_eq!(report.rejected.count, 2);
    let table = Pipeline::read("memory:table").storage(memory.clone());
    assert_eq!(run(&table).unwrap().rejected.count, 2);

    memory.broken = Some(Broken::Storage);
    for source in [
        "memory:in",
        "memory:in/*.txt",
        "memory:table/*.parquet",
        "memory:table/*.arrow",
    ] {
        let output = Output::new("memory:out")
            .format(Format::Jsonl)
            .shard_size_bytes(1 << 14);
        let pipeline = Pipeline::read(source).storage(memory.clone()).write(output);
        let error = run(&pipeline).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{source}: {error}");
        assert_eq!(
            (error.to_string().as_str(), error.hint()),
            ("nobody answers", Some("wait"))
        );
        assert_eq!(memory.names(), before, "{source}");
    }
}

#[test]
fn an_address_without_a_storage_is_refused() {
    for (path, hint) in [
        ("s3://bucket/a.txt", "nexus-remote"),
        ("https://a.example/a.txt", "nexus-remote"),
        ("s3:/bucket/a.txt", "loses one of its slashes"),
    ] {
        let error = run(&Pipeline::read(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error:?}");
    }
}

#[test]
fn nodes_share_a_folder_here_and_write_through_a_storage() {
    let memory = Memory::with(&[
        ("in/a.jsonl", lines(500)),
        ("in/b.jsonl", lines(300)),
        ("in/c.txt", b"text".to_vec()),
    ]);
    let output = |name: &str| {
        Output::new(name)
            .format(Format::Parquet)
            .shard_size_bytes(1 << 12)
    };
    let pipeline = |name: &str| {
        let read = Pipeline::read("memory:in").storage(memory.clone());
        read.dedup_exact().write(output(name))
    };
    let work = tempfile::tempdir().unwrap();
    let options = |node| RunOptions {
        resume: true,
        node,
        work: Some(work.path().join(if node.is_none() { "one" } else { "two" })),
        group_size_bytes: Some(1),
        ..RunOptions::default()
    };
    let node = |index| options(Some(Node::new(index, 2).unwrap()));
    assert_eq!(
        pipeline("memory:one").run(&options(None)).unwrap().rows(),
        501
    );
    let shared = pipeline("memory:two");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| shared.run(&node(1)));
        let reports = [shared.run(&node(0)), second.join().unwrap()];
        for report in reports {
            assert_eq!(report.unwrap().rows(), 501);
        }
    });
    let written = |folder: &str| {
        let names = memory.names().into_iter();
        let names = names.filter(|name| name.starts_with(folder));
        let files = names.map(|name| {
            let bytes = memory.bytes(Path::new(&name)).unwrap();
            (name[folder.len()..].to_owned(), bytes)
        });
        files.collect::<Vec<_>>()
    };
    assert_eq!(written("memory:one"), written("memory:two"));
    assert!(written("memory:one").len() > 2);
}

#[test]
fn a_work_folder_is_one_of_a_file_system() {
    let memory = Memory::with(&[("in/a.jsonl", lines(5))]);
    let options = RunOptions {
        work: Some("memory:work".into()),
        resume: true,
        ..RunOptions::default()
    };
    let read = Pipeline::read("memory:in").storage(memory);
    let error = read.run(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("cannot be a work folder"));
}
