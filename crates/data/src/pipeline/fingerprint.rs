//! What decides on the bytes of a run, as a short text: a run goes on where another one was that has the same.

use super::{Pipeline, RunOptions, Source, Step};
use crate::files::Keys;
use crate::quality::{BadWords, LanguageRules};
use crate::source::{Reader, list};
use crate::stages::{Decision, Stage};
use crate::storage::{LocalStorage, Storage};
use crate::{Error, Quality};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// How much of a file is read at once.
const READ_SIZE: usize = 1 << 18;

impl Pipeline {
    /// The steps, the files that they name, the indexes, the files of the source, and where they are cut into
    /// groups; of several nodes the output too, for one of them writes it for all.
    pub(super) fn fingerprint(
        &self,
        options: &RunOptions,
        reader: &Reader,
        stages: &[Stage],
    ) -> Result<String, Error> {
        let Source::Path(_) = self.source else {
            let message = "a run over Arrow batches cannot be resumed or shared";
            return Err(
                Error::invalid(message).with_hint("read files, or run without resume and node")
            );
        };
        let output = options.node.map(|_| &self.output);
        let decisions = stages.iter().filter_map(|stage| stage.decision.as_ref());
        let indexes = decisions.map(Decision::fingerprints);
        let indexes = indexes.collect::<Result<Vec<_>, _>>()?.concat();
        let files = self.steps.iter().flat_map(Step::files).map(contents);
        let files = files.collect::<Result<Vec<_>, _>>()?;
        Ok(reader.fingerprint(&format!(
            "{:?} {:?} {files:?} {:?} {:?} {} {output:?} {indexes:?}",
            self.keys,
            self.steps,
            self.rejects,
            self.audit,
            options.group_size(reader),
        )))
    }
}

impl Step {
    /// The files, folders and patterns that the step reads before the first document.
    fn files(&self) -> Vec<&Path> {
        match self {
            Self::TokenizeFile(settings) => vec![&settings.path],
            Self::DedupSubstrings(settings) => {
                settings.tokenizer.iter().map(|path| &**path).collect()
            }
            Self::Quality(Quality::C4BadWords(BadWords { path, .. })) => vec![path],
            Self::Quality(Quality::Language(LanguageRules { model, .. })) => {
                model.iter().map(|path| &**path).collect()
            }
            Self::Quality(Quality::NGramsDecont(sets)) => {
                sets.paths.iter().map(|path| &**path).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The hash of a file, or of all that a source of this path has.
fn contents(path: &Path) -> Result<u128, Error> {
    let mut hash = Xxh3::new();
    if path.is_file() {
        add(path, &mut hash)?;
        return Ok(hash.digest128());
    }
    let storage: Arc<dyn Storage> = Arc::new(LocalStorage);
    for input in list(path, &storage, None, &Keys::default())?.inputs {
        hash.update(format!("\n{} {}\n", input.id, input.size).as_bytes());
        add(&input.path, &mut hash)?;
    }
    Ok(hash.digest128())
}

fn add(path: &Path, hash: &mut Xxh3) -> Result<(), Error> {
    let failed = |error| Error::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(size) => hash.update(&buffer[..size]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}
