//! Evaluation sets that no document may hold a part of.

use crate::batch::Row;
use crate::settings::{Settings, Visit};
use crate::{BoxError, Error, ErrorKind, Pipeline, RunOptions, columns};
use nexus_text::{NGramsDecontConfig, NGramsDecontFilter};
use std::path::{Path, PathBuf};

/// Evaluation sets, and which runs of their words a document must not hold: the settings of the filter
/// `n_grams_decont`, by the names that datatrove has for them.
///
/// Sets are read as a [source](Pipeline::read) is, from files of any kind. The text of a record is what
/// an answer should be; its keys `query` and `task`, if there are any, are the question and the set's
/// name, which is else that of the file.
///
/// ```
/// use nexus_data::{EvaluationSets, Pipeline, RunOptions};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let item = r#"{"query": "What is the capital of France?", "text": "It is Paris.", "task": "quiz"}"#;
/// std::fs::write(folder.join("quiz.jsonl"), item)?;
/// std::fs::write(folder.join("a.txt"), "The capital of France: it is Paris!")?;
/// let mut sets = EvaluationSets::new([folder.join("quiz.jsonl")]);
/// sets.config.n_grams = 4;
/// let report = Pipeline::read(folder.join("a.txt")).quality(sets).run(&RunOptions::default())?;
/// assert_eq!(report.dropped[0].reason, "contaminated_quiz");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvaluationSets {
    /// Files, folders and patterns.
    pub paths: Vec<PathBuf>,
    /// Which runs count, and in which form texts are compared.
    pub config: NGramsDecontConfig,
}

/// The keys of a record that are of interest.
#[derive(serde::Deserialize)]
struct Fields {
    query: Option<String>,
    task: Option<String>,
}

impl EvaluationSets {
    /// The sets at these paths, with runs of 12 words.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            paths: paths.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The filter that knows all of them. A record that cannot be read is an error: what it holds would
    /// stay in the corpus unseen.
    pub(crate) fn filter(&self) -> Result<NGramsDecontFilter, Error> {
        let Self { paths, config } = self;
        if config.n_grams == 0 {
            return Err(failed("runs have at least one word, `n_grams` is 0"));
        }
        let mut filter = NGramsDecontFilter::new(*config);
        for path in paths {
            read(path, &mut filter)?;
        }
        if filter.is_empty() {
            let n = config.n_grams;
            let message = format!("no text in `paths` has a run of {n} words");
            return Err(
                failed(&message).with_hint("give files of evaluation sets, or a smaller `n_grams`")
            );
        }
        Ok(filter)
    }
}

fn read(path: &Path, filter: &mut NGramsDecontFilter) -> Result<(), Error> {
    let options = RunOptions {
        threads: 1,
        ..RunOptions::default()
    };
    let report = Pipeline::read(path).for_each(&options, |batch| {
        (0..batch.num_rows()).try_for_each(|row| add(Row::new(&batch, row), filter))
    });
    let report = report.map_err(|error| match error.kind() {
        // What `add` said, without what it was called by.
        ErrorKind::Function => failed(
            &error
                .into_source()
                .map_or_else(String::new, |e| e.to_string()),
        ),
        _ => error,
    })?;
    match report.rejected.samples.first() {
        None => Ok(()),
        Some(reject) => Err(failed(&format!("cannot read an evaluation set: {reject}"))),
    }
}

fn add(row: Row<'_>, filter: &mut NGramsDecontFilter) -> Result<(), BoxError> {
    let source = row.get(columns::SOURCE).unwrap_or_default();
    let fields = row.get(columns::FIELDS).unwrap_or("{}");
    let Fields { query, task } = serde_json::from_str(fields).map_err(|error| {
        let id = row.get(columns::ID).unwrap_or_default();
        format!("cannot read `query` and `task` of record `{id}` of `{source}`: {error}")
    })?;
    let task = task.unwrap_or_else(|| name(source).to_owned());
    Ok(filter.add(&task, query.as_deref(), row.text())?)
}

/// The name of a file without its endings.
fn name(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.split_once('.').map_or(name, |(name, _)| name)
}

fn failed(what: &str) -> Error {
    Error::invalid(format!("step `{}`: {what}", EvaluationSets::OP))
}

impl Settings for EvaluationSets {
    const OP: &'static str = "n_grams_decont";

    fn visit(&mut self, visit: &mut impl Visit) -> Result<(), Error> {
        let Self { paths, config } = self;
        visit.field("paths", paths)?;
        visit.field("n_grams", &mut config.n_grams)?;
        visit.field("find_query_ngrams", &mut config.find_query_ngrams)?;
        visit.field("find_overlap_ngrams", &mut config.find_overlap_ngrams)?;
        let norm = &mut config.norm_config;
        visit.field("lowercase", &mut norm.lowercase)?;
        visit.field("norm_whitespace", &mut norm.norm_whitespace)?;
        visit.field("remove_punctuation", &mut norm.remove_punctuation)?;
        visit.field("norm_unicode_diacritics", &mut norm.norm_unicode_diacritics)?;
        visit.field("norm_numbers", &mut norm.norm_numbers)?;
        visit.field("norm_weekdays", &mut norm.norm_weekdays)?;
        visit.field("norm_monthnames", &mut norm.norm_monthnames)
    }
}
