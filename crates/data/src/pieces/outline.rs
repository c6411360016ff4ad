//! A plan without its functions, which have no form in TOML.

use super::check;
use crate::pipeline::Step;
use crate::plan::write_step;
use crate::{Error, Pipeline};

/// What [`Pipeline::outline`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Source and sink, as [`from_toml`](Pipeline::from_toml) reads them.
    pub plan: String,
    /// Each step, as [`step`](Pipeline::step) reads it; none for a function.
    pub steps: Vec<Option<String>>,
}

impl Pipeline {
    /// The plan step by step, so that a caller who knows its functions can carry it elsewhere.
    ///
    /// # Errors
    /// Those of [`to_toml`](Self::to_toml), but for functions; [`Unsupported`](crate::ErrorKind::Unsupported)
    /// for what is not done in [pieces](super::Pieces::new).
    ///
    /// ```
    /// let pipeline = nexus_data::Pipeline::read("docs").clean().filter(|row| row.line().is_some());
    /// let outline = pipeline.outline()?;
    /// assert_eq!(outline.plan, "[source]\npath = \"docs\"\n");
    /// assert_eq!(outline.steps, [Some("op = \"clean\"\n".to_owned()), None]);
    /// # Ok::<(), nexus_data::Error>(())
    /// ```
    pub fn outline(&self) -> Result<Outline, Error> {
        check(self)?;
        let steps = self.steps.iter().map(|step| match step {
            Step::Map(_)
            | Step::Filter(_)
            | Step::FilterBatches { .. }
            | Step::MapBatches { .. } => Ok(None),
            step => {
                let mut plan = String::new();
                write_step(&mut plan, step).map(|()| Some(plan))
            }
        });
        let steps = steps.collect::<Result<_, _>>()?;
        let mut ends = self.clone();
        ends.steps.clear();
        Ok(Outline {
            plan: ends.to_toml()?,
            steps,
        })
    }
}
