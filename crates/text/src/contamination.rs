//! Documents that hold parts of evaluation sets.

use crate::filter::{Evidence, Filter};
use crate::profile::{Profile, Profiler};
use crate::simplify::TextNorm;
use crate::verdict::{Verdict, drop_if, verdict};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// Which runs of words of an evaluation set a document may not hold: datatrove's
/// `NGramsDecontConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NGramsDecontConfig {
    /// Words in a run; GPT-3 (Brown et al. 2020, <https://arxiv.org/abs/2005.14165>) took 13.
    pub n_grams: usize,
    /// Whether runs within the question count.
    pub find_query_ngrams: bool,
    /// Whether runs count that begin in the question and end in the answer.
    pub find_overlap_ngrams: bool,
    /// In which form texts are compared.
    pub norm_config: TextNorm,
}

impl Default for NGramsDecontConfig {
    fn default() -> Self {
        Self {
            n_grams: 12,
            find_query_ngrams: false,
            find_overlap_ngrams: true,
            norm_config: TextNorm::default(),
        }
    }
}

/// A run of words of an evaluation set that a document holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contamination<'a> {
    /// The evaluation set.
    pub task: &'a str,
    /// The words of the run, in the form in which texts are compared, joined by blanks.
    pub ngram: String,
}

/// Drops documents that hold a run of words of an evaluation set, with the verdicts of datatrove's
/// `NGramsDecontFilter`.
///
/// ```
/// use nexus_text::{Filter, NGramsDecontConfig, NGramsDecontFilter, Profiler};
///
/// let config = NGramsDecontConfig { n_grams: 4, ..NGramsDecontConfig::default() };
/// let mut filter = NGramsDecontFilter::new(config);
/// filter.add("quiz", Some("What is the capital of France?"), "It is Paris.")?;
/// let mut profiler = Profiler::new();
/// let mut profile = profiler.profile("The capital of France: it is Paris!")?;
/// let found = filter.find(&mut profile).unwrap();
/// assert_eq!((found.task, &*found.ngram), ("quiz", "capital of france it"));
/// assert!(!filter.judge(&mut profile).is_kept());
/// # Ok::<(), nexus_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NGramsDecontFilter {
    config: NGramsDecontConfig,
    /// The number of the task of each run's hash.
    runs: HashMap<u64, u32>,
    tasks: Vec<String>,
}

/// Odd, so that no bit of a word's hash is lost.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

impl NGramsDecontFilter {
    /// A filter that knows no evaluation set yet. Runs have at least one word.
    pub fn new(config: NGramsDecontConfig) -> Self {
        Self {
            config,
            runs: HashMap::new(),
            tasks: Vec::new(),
        }
    }

    /// Adds an item of an evaluation set: its answer, and its question if there is one. A run that is
    /// in several sets belongs to the last one. A map keeps 17 to 39 bytes for each run.
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when a text is larger than
    /// [`TEXT_SIZE_MAX`](crate::limits::TEXT_SIZE_MAX).
    pub fn add(
        &mut self,
        task: &str,
        query: Option<&str>,
        label: &str,
    ) -> Result<(), crate::Error> {
        let n = self.config.n_grams.max(1);
        let mut profiler = Profiler::new();
        let mut hashes = |text: &str| -> Result<Vec<u64>, crate::Error> {
            let mut profile = profiler.profile(text)?;
            let mut hashes = Vec::new();
            self.words(&mut profile, |_, hash| hashes.push(hash));
            Ok(hashes)
        };
        let label = hashes(label)?;
        let mut runs: Vec<u64> = label.windows(n).map(hash_run).collect();
        if let Some(query) = query {
            let query = hashes(query)?;
            if self.config.find_query_ngrams {
                runs.extend(query.windows(n).map(hash_run));
            }
            if self.config.find_overlap_ngrams {
                let back = &query[query.len().saturating_sub(n - 1)..];
                let front = &label[..label.len().min(n - 1)];
                runs.extend([back, front].concat().windows(n).map(hash_run));
            }
        }
        let number = self.tasks.iter().position(|known| known == task);
        let number = number.unwrap_or_else(|| {
            self.tasks.push(task.to_owned());
            self.tasks.len() - 1
        });
        self.runs
            .extend(runs.into_iter().map(|run| (run, number as u32)));
        Ok(())
    }

    /// The number of different runs that are known.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether no run is known.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The first run of the document that an evaluation set holds. Time is linear in the text.
    pub fn find(&self, profile: &mut Profile<'_>) -> Option<Contamination<'_>> {
        if self.runs.is_empty() {
            return None;
        }
        let n = self.config.n_grams.max(1);
        let power = (1..n).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        let (mut hashes, mut ends) = (Vec::new(), Vec::new());
        let text = self.words(profile, |range, hash| {
            hashes.push(hash);
            ends.push(range);
        });
        let mut run = 0_u64;
        for (at, &hash) in hashes.iter().enumerate() {
            if at >= n {
                run = run.wrapping_sub(hashes[at - n].wrapping_mul(power));
            }
            run = run.wrapping_mul(BASE).wrapping_add(hash);
            if at + 1 < n {
                continue;
            }
            if let Some(&task) = self.runs.get(&run) {
                let words = ends[at + 1 - n..=at]
                    .iter()
                    .map(|range| &text[range.clone()]);
                return Some(Contamination {
                    task: &self.tasks[task as usize],
                    ngram: words.collect::<Vec<_>>().join(" "),
                });
            }
        }
        None
    }

    /// Gives `found` each word of the simplified text, by its place there and its hash; gives that text.
    fn words(
        &self,
        profile: &mut Profile<'_>,
        mut found: impl FnMut(std::ops::Range<usize>, u64),
    ) -> String {
        let text = self.config.norm_config.apply(profile.text());
        profile.words_of(text, |text, word| {
            let range = word.start as usize..word.end as usize;
            let hash = xxh3_64(&text.as_bytes()[range.clone()]);
            found(range, hash);
        })
    }
}

impl Filter for NGramsDecontFilter {
    fn name(&self) -> &'static str {
        "n_grams_decont"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        verdict(drop_if(self.find(profile).is_some(), "contaminated"))
    }

    /// The evaluation set and the run.
    fn evidence(&self, profile: &mut Profile<'_>) -> Option<Evidence> {
        let Contamination { task, ngram } = self.find(profile)?;
        Some(Evidence {
            reason: format!("contaminated_{task}"),
            passage: ngram,
        })
    }
}

fn hash_run(words: &[u64]) -> u64 {
    let add = |run: u64, &word: &u64| run.wrapping_mul(BASE).wrapping_add(word);
    words.iter().fold(0, add)
}
