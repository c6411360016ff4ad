//! Pipelines as TOML: `nexus data run PLAN.toml` runs them.
//!
//! ```toml
//! [source]
//! path = "docs"
//!
//! [[steps]]
//! op = "min_chars"
//! chars = 20
//!
//! [sink]
//! write = "clean.parquet"
//! rejects = "rejects.jsonl"
//! ```

use crate::Error;
use crate::files::Files;
use crate::limits::PLAN_SIZE_MAX;
use crate::output::{Format, Output, TokenType};
use crate::pipeline::{Pipeline, Source, Step};
use crate::settings::{Setting, Settings, Visit, quote};
use crate::{
    BadWords, EvaluationSets, ExactCopies, Formatting, ImageCopies, ImageRules, ImageTensors,
    LanguageRules, NearCopies, Quality, RepeatedLines, RepeatedParts, RepeatedSubstrings,
    Tokenization,
};
use nexus_text::{
    Basic, C4Paragraphs, C4Quality, FineWebQuality, FtfyFormatter, GopherQuality, GopherRepetition,
    PiiFormatter, UnicodeFormatter, UrlRules,
};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Pipeline {
    /// Reads a plan. Paths in it are relative to the working folder.
    ///
    /// ```
    /// let plan = r#"
    ///     [source]
    ///     path = "docs"
    ///     [[steps]]
    ///     op = "cleen"
    /// "#;
    /// let error = nexus_data::Pipeline::from_toml(plan).unwrap_err();
    /// assert_eq!(error.to_string(), "plan, line 5: there is no step `cleen`");
    /// assert_eq!(error.hint(), Some("did you mean `clean`?"));
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), with the line, when the plan is no TOML, or
    /// has a key, a step or a value that it should not have, or lacks one.
    pub fn from_toml(plan: &str) -> Result<Self, Error> {
        let root = parse(plan)?;
        let root = Table {
            plan,
            at: 0,
            name: "the plan",
            entries: root.get_ref(),
        };
        root.allow(&["source", "steps", "sink"])?;
        let source = root.table("source")?.ok_or_else(|| root.lacks("source"))?;
        source.allow(&["path", "text", "id"])?;
        let path = source.string("path")?.ok_or_else(|| source.lacks("path"))?;
        let mut files = Files::new(path);
        if let Some(key) = source.string("text")? {
            files = files.text(key);
        }
        if let Some(key) = source.string("id")? {
            files = files.id(key);
        }
        let mut pipeline = Self::read(files);
        for step in root.tables("steps")? {
            pipeline.steps.push(read_step(&step)?);
        }
        if let Some(sink) = root.table("sink")? {
            pipeline.output = read_output(&sink)?;
            pipeline.rejects = sink.string("rejects")?.map(PathBuf::from);
            pipeline.audit = sink.string("audit")?.map(PathBuf::from);
        }
        Ok(pipeline)
    }

    /// Adds a step, as a plan has it in `[[steps]]`.
    ///
    /// ```
    /// let pipeline = nexus_data::Pipeline::read("docs").step("op = \"min_chars\"\nchars = 20")?;
    /// # drop(pipeline);
    /// # Ok::<(), nexus_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`from_toml`](Self::from_toml).
    pub fn step(mut self, step: &str) -> Result<Self, Error> {
        let root = parse(step)?;
        let table = Table {
            plan: step,
            at: 0,
            name: "a step",
            entries: root.get_ref(),
        };
        self.steps.push(read_step(&table)?);
        Ok(self)
    }

    /// Writes the plan that [`from_toml`](Self::from_toml) reads.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the source, a step or a path has no form
    /// in TOML: batches, functions, a tokenizer that is not a file, a path that is no Unicode.
    pub fn to_toml(&self) -> Result<String, Error> {
        let mut plan = String::from("[source]\n");
        match &self.source {
            Source::Path(path) => entry(&mut plan, "path", path)?,
            Source::Batches(_) => return Err(no_form("a source of batches")),
            Source::Table(_) => return Err(no_form("an Arrow table")),
        }
        for (name, key) in self.keys.unusual() {
            let _ = writeln!(plan, "{name} = {}", quote(key));
        }
        for step in &self.steps {
            plan.push_str("\n[[steps]]\n");
            write_step(&mut plan, step)?;
        }
        if self.output.is_some() || self.rejects.is_some() || self.audit.is_some() {
            plan.push_str("\n[sink]\n");
        }
        if let Some(output) = &self.output {
            write_output(&mut plan, output)?;
        }
        if let Some(path) = &self.rejects {
            entry(&mut plan, "rejects", path)?;
        }
        if let Some(path) = &self.audit {
            entry(&mut plan, "audit", path)?;
        }
        Ok(plan)
    }
}

fn parse(plan: &str) -> Result<Spanned<DeTable<'_>>, Error> {
    if plan.len() > PLAN_SIZE_MAX {
        return Err(Error::limit(format!(
            "a plan has at most {PLAN_SIZE_MAX} bytes"
        )));
    }
    DeTable::parse(plan).map_err(|error| {
        let line = error.span().map_or(1, |span| line(plan, span.start));
        Error::invalid(format!("plan, line {line}: {}", error.message()))
    })
}

/// The steps that plans may have.
const STEPS: [&str; 25] = [
    "clean",
    "min_chars",
    PiiFormatter::OP,
    FtfyFormatter::OP,
    UnicodeFormatter::OP,
    RepeatedParts::OP,
    LanguageRules::OP,
    UrlRules::OP,
    GopherQuality::OP,
    GopherRepetition::OP,
    C4Quality::OP,
    C4Paragraphs::OP,
    BadWords::OP,
    FineWebQuality::OP,
    Basic::OP,
    EvaluationSets::OP,
    ExactCopies::OP,
    NearCopies::OP,
    RepeatedLines::OP,
    RepeatedSubstrings::OP,
    ImageRules::OP,
    ImageCopies::OP,
    ImageTensors::OP,
    Tokenization::OP,
    "cut",
];

fn read_step(step: &Table<'_>) -> Result<Step, Error> {
    let op = step.string("op")?.ok_or_else(|| step.lacks("op"))?;
    Ok(match op {
        "clean" => {
            step.allow(&["op"])?;
            Step::Clean
        }
        "min_chars" => {
            step.allow(&["op", "chars"])?;
            Step::MinChars(step.count("chars")?)
        }
        "cut" => {
            step.allow(&["op", "max_tokens"])?;
            Step::Cut(step.count("max_tokens")?)
        }
        Basic::OP => Step::Quality(step.settings::<Basic>()?.into()),
        GopherQuality::OP => Step::Quality(step.settings::<GopherQuality>()?.into()),
        GopherRepetition::OP => Step::Quality(step.settings::<GopherRepetition>()?.into()),
        C4Quality::OP => Step::Quality(step.settings::<C4Quality>()?.into()),
        C4Paragraphs::OP => Step::Quality(step.settings::<C4Paragraphs>()?.into()),
        FineWebQuality::OP => Step::Quality(step.settings::<FineWebQuality>()?.into()),
        LanguageRules::OP => Step::Quality(step.settings::<LanguageRules>()?.into()),
        UrlRules::OP => Step::Quality(step.settings::<UrlRules>()?.into()),
        PiiFormatter::OP => Step::Format(step.settings::<PiiFormatter>()?.into()),
        FtfyFormatter::OP => Step::Format(step.settings::<FtfyFormatter>()?.into()),
        UnicodeFormatter::OP => Step::Format(step.settings::<UnicodeFormatter>()?.into()),
        RepeatedParts::OP => Step::Format(step.settings::<RepeatedParts>()?.into()),
        BadWords::OP => {
            step.value("path").ok_or_else(|| step.lacks("path"))?;
            Step::Quality(step.settings::<BadWords>()?.into())
        }
        EvaluationSets::OP => {
            step.value("paths").ok_or_else(|| step.lacks("paths"))?;
            Step::Quality(step.settings::<EvaluationSets>()?.into())
        }
        ExactCopies::OP => Step::DedupExact(step.settings()?),
        NearCopies::OP => Step::DedupNear(step.settings()?),
        RepeatedLines::OP => Step::DedupLines(step.settings()?),
        RepeatedSubstrings::OP => Step::DedupSubstrings(step.settings()?),
        ImageRules::OP => Step::Images(step.settings()?),
        ImageCopies::OP => Step::DedupImages(step.settings()?),
        ImageTensors::OP => Step::ImageTensors(step.settings()?),
        Tokenization::OP => {
            step.value("path").ok_or_else(|| step.lacks("path"))?;
            Step::TokenizeFile(step.settings()?)
        }
        _ => {
            let at = step.value("op").map_or(step.at, |value| value.span().start);
            let error = step.error(at, &format!("there is no step `{op}`"));
            return Err(suggest(error, op, STEPS));
        }
    })
}

fn read_output(sink: &Table<'_>) -> Result<Option<Output>, Error> {
    sink.allow(&[
        "write",
        "write_jsonl",
        "format",
        "shard_size_bytes",
        "token_type",
        "records",
        "rejects",
        "audit",
    ])?;
    let one_file = sink.string("write_jsonl")?;
    let Some(path) = sink.string("write")? else {
        for key in ["format", "shard_size_bytes", "token_type", "records"] {
            if sink.value(key).is_some() {
                return Err(sink.lacks("write"));
            }
        }
        return Ok(one_file.map(|path| Output::jsonl_file(path.into())));
    };
    if one_file.is_some() {
        return Err(sink.error(
            sink.at,
            "sink has `write` and `write_jsonl`, it takes one of them",
        ));
    }
    let mut output = Output::new(path);
    if let Some(format) = sink.named("format", Format::from_name)? {
        output = output.format(format);
    }
    if sink.value("shard_size_bytes").is_some() {
        output = output.shard_size_bytes(sink.count("shard_size_bytes")? as u64);
    }
    if let Some(token_type) = sink.named("token_type", TokenType::from_name)? {
        output = output.token_type(token_type);
    }
    if let Some(value) = sink.value("records")
        && bool::read(value.get_ref())
            .ok_or_else(|| sink.wrong("records", value, bool::EXPECTED))?
    {
        output = output.records();
    }
    Ok(Some(output))
}

fn write_output(plan: &mut String, output: &Output) -> Result<(), Error> {
    if output.is_file {
        return entry(plan, "write_jsonl", &output.path);
    }
    entry(plan, "write", &output.path)?;
    if let Some(format) = output.format {
        let _ = writeln!(plan, "format = \"{}\"", format.name());
    }
    if let Some(size) = output.shard_size_bytes {
        let _ = writeln!(plan, "shard_size_bytes = {size}");
    }
    if let Some(token_type) = output.token_type {
        let _ = writeln!(plan, "token_type = \"{}\"", token_type.name());
    }
    if output.as_records {
        plan.push_str("records = true\n");
    }
    Ok(())
}

pub(crate) fn write_step(plan: &mut String, step: &Step) -> Result<(), Error> {
    match step {
        Step::Clean => plan.push_str("op = \"clean\"\n"),
        Step::MinChars(chars) => {
            let _ = writeln!(plan, "op = \"min_chars\"\nchars = {chars}");
        }
        Step::Cut(tokens) => {
            let _ = writeln!(plan, "op = \"cut\"\nmax_tokens = {tokens}");
        }
        Step::Quality(quality) => match quality {
            Quality::GopherQuality(settings) => write_settings(plan, settings)?,
            Quality::GopherRepetition(settings) => write_settings(plan, settings)?,
            Quality::C4Quality(settings) => write_settings(plan, settings)?,
            Quality::C4Paragraphs(settings) => write_settings(plan, settings)?,
            Quality::C4BadWords(settings) => write_settings(plan, settings)?,
            Quality::FineWebQuality(settings) => write_settings(plan, settings)?,
            Quality::Language(settings) => write_settings(plan, settings)?,
            Quality::Url(settings) => write_settings(plan, settings)?,
            Quality::Basic(settings) => write_settings(plan, settings)?,
            Quality::NGramsDecont(settings) => write_settings(plan, settings)?,
        },
        Step::Format(formatting) => match formatting {
            Formatting::Pii(settings) => write_settings(plan, settings)?,
            Formatting::Ftfy(settings) => write_settings(plan, settings)?,
            Formatting::Unicode(settings) => write_settings(plan, settings)?,
            Formatting::LineDedup(settings) => write_settings(plan, settings)?,
        },
        Step::DedupExact(settings) => write_settings(plan, settings)?,
        Step::DedupNear(settings) => write_settings(plan, settings)?,
        Step::DedupLines(settings) => write_settings(plan, settings)?,
        Step::DedupSubstrings(settings) => write_settings(plan, settings)?,
        Step::Images(settings) => write_settings(plan, settings)?,
        Step::DedupImages(settings) => write_settings(plan, settings)?,
        Step::ImageTensors(settings) => write_settings(plan, settings)?,
        Step::TokenizeFile(settings) => write_settings(plan, settings)?,
        Step::Tokenize(_) => {
            let error = no_form("a tokenizer in memory");
            return Err(error.with_hint("give `tokenize` the path of the tokenizer's file"));
        }
        Step::Map(_) => return Err(no_form("step `map`, a function,")),
        Step::Filter(_) => return Err(no_form("step `filter`, a function,")),
        Step::FilterBatches { name, .. } | Step::MapBatches { name, .. } => {
            return Err(no_form(&format!("step `{name}`, a function,")));
        }
    }
    Ok(())
}

/// Writes the settings that are not the default.
fn write_settings<S: Settings + Clone>(plan: &mut String, settings: &S) -> Result<(), Error> {
    let _ = writeln!(plan, "op = \"{}\"", S::OP);
    let (mut own, mut default) = (WriteSettings::default(), WriteSettings::default());
    settings.clone().visit(&mut own)?;
    S::default().visit(&mut default)?;
    for (line, default) in own.0.iter().zip(&default.0) {
        if line != default {
            plan.push_str(line);
        }
    }
    Ok(())
}

/// A line for each setting.
#[derive(Default)]
struct WriteSettings(Vec<String>);

impl Visit for WriteSettings {
    fn field<T: Setting>(&mut self, key: &'static str, value: &mut T) -> Result<(), Error> {
        let text = value
            .write()
            .ok_or_else(|| no_form("a path that is no Unicode"))?;
        self.0.push(format!("{key} = {text}\n"));
        Ok(())
    }
}

/// Takes settings out of a step's table.
struct ReadSettings<'a, 'b> {
    step: &'b Table<'a>,
    keys: Vec<&'static str>,
}

impl Visit for ReadSettings<'_, '_> {
    fn field<T: Setting>(&mut self, key: &'static str, value: &mut T) -> Result<(), Error> {
        self.keys.push(key);
        if let Some(given) = self.step.value(key) {
            *value =
                T::read(given.get_ref()).ok_or_else(|| self.step.wrong(key, given, T::EXPECTED))?;
        }
        Ok(())
    }
}

fn entry(plan: &mut String, key: &str, path: &Path) -> Result<(), Error> {
    let path = path
        .to_str()
        .ok_or_else(|| no_form("a path that is no Unicode"))?;
    let value = quote(path);
    let _ = writeln!(plan, "{key} = {value}");
    Ok(())
}

fn no_form(what: &str) -> Error {
    Error::invalid(format!("cannot write the plan: {what} has no form in TOML"))
}

/// A table of the plan, and where it stands.
struct Table<'a> {
    plan: &'a str,
    at: usize,
    name: &'a str,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    fn allow(&self, keys: &[&str]) -> Result<(), Error> {
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                let message = format!("{} has no key `{name}`", self.name);
                let error = self.error(key.span().start, &message);
                return Err(suggest(error, name, keys.iter().copied()));
            }
        }
        Ok(())
    }

    /// The settings of a step: what is not given is as by default.
    fn settings<S: Settings>(&self) -> Result<S, Error> {
        let (mut settings, keys) = (S::default(), vec!["op"]);
        let mut read = ReadSettings { step: self, keys };
        settings.visit(&mut read)?;
        self.allow(&read.keys)?;
        Ok(settings)
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.entries.get(key)
    }

    fn string(&self, key: &str) -> Result<Option<&'a str>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        value
            .get_ref()
            .as_str()
            .map(Some)
            .ok_or_else(|| self.wrong(key, value, "a string"))
    }

    /// The value that a name stands for.
    fn named<T>(
        &self,
        key: &str,
        from_name: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some((name, value)) = self.string(key)?.zip(self.value(key)) else {
            return Ok(None);
        };
        from_name(name).map(Some).map_err(|error| {
            let hint = error.hint().unwrap_or_default().to_owned();
            self.error(value.span().start, &error.to_string())
                .with_hint(hint)
        })
    }

    fn count(&self, key: &str) -> Result<usize, Error> {
        let value = self.value(key).ok_or_else(|| self.lacks(key))?;
        let number = value.get_ref().as_integer();
        number
            .and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok())
            .ok_or_else(|| self.wrong(key, value, "a whole number from 0"))
    }

    fn table(&self, key: &'a str) -> Result<Option<Table<'a>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        self.as_table(key, value).map(Some)
    }

    fn tables(&self, key: &'a str) -> Result<Vec<Table<'a>>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        let Some(array) = value.get_ref().as_array() else {
            return Err(self
                .wrong(key, value, "an array of tables")
                .with_hint("write `[[steps]]`"));
        };
        array
            .iter()
            .map(|value| self.as_table("a step", value))
            .collect()
    }

    fn as_table(&self, name: &'a str, value: &'a Spanned<DeValue<'a>>) -> Result<Table<'a>, Error> {
        let entries = value
            .get_ref()
            .as_table()
            .ok_or_else(|| self.wrong(name, value, "a table"))?;
        Ok(Table {
            plan: self.plan,
            at: value.span().start,
            name,
            entries,
        })
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Error {
        let found = value.get_ref().type_str();
        self.error(
            value.span().start,
            &format!("`{key}` is {expected}, not of type {found}"),
        )
    }

    fn lacks(&self, key: &str) -> Error {
        self.error(self.at, &format!("{} needs the key `{key}`", self.name))
    }

    fn error(&self, at: usize, message: &str) -> Error {
        Error::invalid(format!("plan, line {}: {message}", line(self.plan, at)))
    }
}

/// The line, from 1, that holds byte `at`.
fn line(plan: &str, at: usize) -> usize {
    plan.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

/// Adds the nearest of the names that could have been meant.
fn suggest<'a>(error: Error, name: &str, names: impl IntoIterator<Item = &'a str>) -> Error {
    let names: Vec<_> = names.into_iter().collect();
    let is_start = |known: &str| !name.is_empty() && known.starts_with(name);
    let far = |known: &str| {
        if is_start(known) {
            0
        } else {
            distance(name, known)
        }
    };
    match names.iter().min_by_key(|known| far(known)) {
        Some(known) if far(known) <= known.len() / 2 => {
            error.with_hint(format!("did you mean `{known}`?"))
        }
        _ => error.with_hint(format!("known are {}", names.join(", "))),
    }
}

/// How many characters must be changed, added or removed (Levenshtein, 1966).
fn distance(a: &str, b: &str) -> usize {
    // Longer names are no misspelling of ours, whatever they cost to compare.
    let a: Vec<char> = a.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (y, right) in b.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], y + 1);
        for (x, &left) in a.iter().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[x + 1];
            row[x + 1] = changed.min(diagonal + 1).min(row[x] + 1);
        }
    }
    row[a.len()]
}
