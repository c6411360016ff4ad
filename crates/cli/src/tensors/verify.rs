//! `nexus tensors verify`: structure, checksums and packed tensors of files.

use super::checkpoint::{files_of, shown};
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use clap::Args;
use nexus_safetensors::checksum::{VerifyReport, verify};
use nexus_safetensors::limits::HEADER_SIZE_MAX;
use nexus_safetensors::packed::{PackedFile, is_packed};
use nexus_safetensors::{
    Backend, Checkpoint, Location, Metadata, Rules, SafeTensorError, SafeTensorsFile, locate_in,
};
use serde::Serialize;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Safetensors files, folders, or indexes.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Refuse what readers may read in two ways too: keys that stand twice, NUL in names, blanks
    /// around the header, unknown fields; and tensors that an index does not name.
    #[arg(long)]
    strict: bool,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Verdict>,
}

/// What was found of one file.
#[derive(Serialize)]
struct Verdict {
    file: PathBuf,
    tensors: usize,
    size_bytes: u64,
    /// How checksums were made, where the file has some.
    checksums: Option<&'static str>,
    /// How many tensors have the bytes that their checksum was made of.
    verified: usize,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct Problem {
    message: String,
    tensor: Option<String>,
    /// Counted from the start of the file.
    byte: Option<u64>,
    hint: Option<String>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<ExitCode, Failure> {
    let rules = if arguments.strict {
        Rules::Strict
    } else {
        Rules::Compatible
    };
    let checked = arguments.files.iter().flat_map(|path| check(path, rules));
    let report = Report {
        files: checked.collect(),
    };
    output.print(&report, list)?;
    let broken = report.files.iter().any(|file| !file.problems.is_empty());
    Ok(ExitCode::from(u8::from(broken)))
}

/// Checks each file that a path stands for and, where these are sound, that they fit together.
fn check(path: &Path, rules: Rules) -> Vec<Verdict> {
    let files = files_of(path);
    let mut verdicts: Vec<_> = files.iter().map(|file| check_file(file, rules)).collect();
    let sound = verdicts.iter().all(|verdict| verdict.problems.is_empty());
    if files == [path] || !sound {
        return verdicts;
    }
    let together = Checkpoint::open_with(path, &Backend::Map.into());
    let problems = match together {
        Err(error) => vec![Problem::of(&error, Location::default())],
        Ok(checkpoint) if rules == Rules::Strict => unnamed(&checkpoint),
        Ok(_) => Vec::new(),
    };
    if !problems.is_empty() {
        verdicts.push(Verdict {
            problems,
            ..Verdict::new(path)
        });
    }
    verdicts
}

/// Tensors that are in a file, but not in the index.
fn unnamed(checkpoint: &Checkpoint) -> Vec<Problem> {
    let files = checkpoint.files().iter();
    let tensors = files.flat_map(|file| file.names().into_iter().map(move |name| (file, name)));
    let unnamed = tensors.filter(|(file, name)| {
        let counts = checkpoint.file_of(name);
        !counts.is_ok_and(|counts| std::ptr::eq(counts, *file))
    });
    unnamed
        .map(|(file, name)| Problem {
            message: format!("the index does not place it in `{}`", shown(file)),
            tensor: Some(name.to_owned()),
            byte: None,
            hint: Some("write the index anew: nexus tensors merge, then split".to_owned()),
        })
        .collect()
}

fn check_file(path: &Path, rules: Rules) -> Verdict {
    let mut verdict = Verdict::new(path);
    if let Err(problem) = verdict.check(path, rules) {
        verdict.problems.push(problem);
    }
    verdict
}

impl Verdict {
    fn new(path: &Path) -> Self {
        Self {
            file: path.to_owned(),
            tensors: 0,
            size_bytes: 0,
            checksums: None,
            verified: 0,
            problems: Vec::new(),
        }
    }

    /// An error means that nothing more can be checked.
    fn check(&mut self, path: &Path, rules: Rules) -> Result<(), Problem> {
        let (head, size) = read_head(path).map_err(|error| Problem {
            message: format!("cannot read it: {error}"),
            tensor: None,
            byte: None,
            hint: Some("check the path and the permissions".to_owned()),
        })?;
        self.size_bytes = size;
        let (_, metadata) = Metadata::parse_head_with(&head, size, rules)
            .map_err(|error| Problem::of(&error, locate_in(&head, size, &error)))?;
        self.tensors = metadata.len();
        let problem = |error| Problem::of(&error, Location::default());
        // Not mapped: that the file is cut meanwhile is a problem and no signal.
        let file = SafeTensorsFile::open_with(path, &Backend::Read.into()).map_err(problem)?;
        self.add_checksums(verify(&file, None).map_err(problem)?);
        if is_packed(&metadata) {
            self.check_packed(file).map_err(problem)?;
        }
        Ok(())
    }

    fn add_checksums(&mut self, report: VerifyReport) {
        let Some(algorithm) = report.algorithm else {
            return;
        };
        self.checksums = Some(algorithm.name());
        self.verified = report.verified;
        let about = |tensor: String, byte: Option<usize>, message: String, hint: &str| Problem {
            message,
            tensor: Some(tensor),
            byte: byte.map(|byte| byte as u64),
            hint: Some(hint.to_owned()),
        };
        let name = algorithm.name();
        self.problems
            .extend(report.mismatches.into_iter().map(|found| {
                let message = format!(
                    "bytes {} to {} have the checksum {}, not {} ({name})",
                    found.range.start, found.range.end, found.found, found.expected
                );
                let hint = "the bytes changed after the checksum was made: fetch the file again";
                about(found.name, Some(found.range.start), message, hint)
            }));
        let anew = "make the checksums anew: nexus tensors checksum";
        let missing = report.missing.into_iter();
        let missing = missing.map(|name| about(name, None, "it has no checksum".to_owned(), anew));
        self.problems.extend(missing);
        let unknown = report.unknown.into_iter();
        let absent = "it has a checksum, and is not in the file";
        self.problems
            .extend(unknown.map(|name| about(name, None, absent.to_owned(), anew)));
    }

    /// Decodes every packed tensor.
    fn check_packed(&mut self, file: SafeTensorsFile) -> Result<(), SafeTensorError> {
        let names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
        let packed = PackedFile::new(file)?;
        for name in names.iter().filter(|name| packed.is_tensor_packed(name)) {
            if let Err(error) = packed.unpack(name) {
                let place = Location::default();
                let tensor = Some(name.clone());
                self.problems.push(Problem {
                    tensor,
                    ..Problem::of(&error, place)
                });
            }
        }
        Ok(())
    }
}

impl Problem {
    fn of(error: &SafeTensorError, place: Location) -> Self {
        Self {
            message: error.to_string(),
            tensor: place.tensor,
            byte: place.offset,
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// The length and the JSON of a file, as far as they are there, and the size of the file.
fn read_head(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    let length = head
        .first_chunk()
        .map_or(0, |head| u64::from_le_bytes(*head));
    if length <= HEADER_SIZE_MAX as u64 {
        file.take(length).read_to_end(&mut head)?;
    }
    Ok((head, size))
}

fn list(report: &Report) -> String {
    let mut text = String::new();
    for verdict in &report.files {
        let file = verdict.file.display();
        let tensors = counted(verdict.tensors as u64, "tensor");
        let size = human_size(verdict.size_bytes);
        if verdict.problems.is_empty() {
            let sums = match verdict.checksums {
                Some(algorithm) => format!("{algorithm} checksums agree"),
                None => "no checksums".to_owned(),
            };
            let _ = writeln!(text, "sound   {file}: {tensors}, {size}, {sums}");
            continue;
        }
        let _ = writeln!(text, "broken  {file}");
        let mut hints = Vec::new();
        for problem in &verdict.problems {
            let mut place = String::new();
            if let Some(tensor) = &problem.tensor {
                let _ = write!(place, "tensor `{tensor}`: ");
            }
            if let Some(byte) = problem.byte {
                let _ = write!(place, "byte {byte}: ");
            }
            let _ = writeln!(text, "        {place}{}", problem.message);
            hints.extend(
                problem
                    .hint
                    .iter()
                    .filter(|hint| !hints.contains(hint))
                    .collect::<Vec<_>>(),
            );
        }
        for hint in hints {
            let _ = writeln!(text, "        hint: {hint}");
        }
    }
    text
}
