//! Steps about images in a plan: where they may stand, and which of them become one operator.

use super::{Pipeline, RunOptions, Step};
use crate::operators::Pictures;
use crate::{Error, ImageCopies, batch};
use arrow_schema::SchemaRef;
use std::iter::Peekable;
use std::slice::Iter;

impl Pipeline {
    /// The column that holds images in tables; none where images are not read.
    pub(crate) fn image_column(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match step {
            Step::Images(rules) => Some(rules.column.as_str()),
            _ => None,
        })
    }

    /// The columns of the batches that are read.
    pub(super) fn read_schema(&self) -> SchemaRef {
        batch::schema(self.image_column().is_some())
    }

    /// The most rows of a batch for which all steps have room.
    pub(crate) fn batch_rows_max(&self) -> usize {
        let rows = self.steps.iter().map(|step| match step {
            Step::ImageTensors(settings) => settings.batch_rows_max(),
            _ => usize::MAX,
        });
        rows.min().unwrap_or(usize::MAX)
    }

    /// Refuses steps about images that do not follow the one that reads them, and that one where it
    /// stands behind a step that compares all documents: what it rejects would not be counted.
    pub(super) fn check_images(&self, options: &RunOptions) -> Result<(), Error> {
        let (mut decided, mut read) = (None, false);
        for step in &self.steps {
            match step {
                Step::DedupNear(_) => decided = Some("dedup_near"),
                Step::DedupLines(_) => decided = Some("dedup_lines"),
                Step::DedupSubstrings(_) => decided = Some("dedup_substrings"),
                Step::DedupExact(exact) if exact.is_decided_late(options) => {
                    decided = Some("dedup_exact");
                }
                Step::Images(_) if read => {
                    return Err(Error::invalid("a pipeline has one step `images`"));
                }
                Step::Images(_) => {
                    if let Some(decided) = decided {
                        let message = format!("step `images` stands behind `{decided}`");
                        return Err(
                            Error::invalid(message).with_hint(format!("put it before `{decided}`"))
                        );
                    }
                    read = true;
                }
                Step::DedupImages(_) | Step::ImageTensors(_) if !read => {
                    let name = match step {
                        Step::DedupImages(_) => "dedup_images",
                        _ => "image_tensors",
                    };
                    let message = format!("step `{name}` needs the step `images` before it");
                    return Err(Error::invalid(message)
                        .with_hint("`images` reads the images of the source, and decodes them"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Step {
    /// This step and those of `next` that decode the same images, as one operator, and how copies are
    /// found behind it where they are decided late. Then tensors are made of copies too: so each image is
    /// decoded once, and one that is too long for a tensor has no copies, as in one pass.
    pub(super) fn pictures(
        &self,
        next: &mut Peekable<Iter<'_, Step>>,
        is_late: bool,
    ) -> Result<(Pictures, Option<ImageCopies>), Error> {
        let (mut pictures, mut late) = (Pictures::default(), None);
        let mut step = self;
        loop {
            match step {
                Self::Images(rules) => pictures.check(rules)?,
                Self::DedupImages(settings) if is_late => {
                    pictures.hash(*settings)?;
                    late = Some(*settings);
                }
                Self::DedupImages(settings) => pictures.dedup(*settings)?,
                Self::ImageTensors(settings) => pictures.transform(settings)?,
                other => unreachable!("{other:?} is not about images"),
            }
            let follows = |next: &&Self| {
                let place = step.picture_place();
                next.picture_place() > place && place.is_some()
            };
            match next.next_if(follows) {
                Some(next) => step = next,
                None => return Ok((pictures, late)),
            }
        }
    }

    /// The place among the steps of one operator; none for steps that are not about images.
    fn picture_place(&self) -> Option<u8> {
        match self {
            Self::Images(_) => Some(0),
            Self::DedupImages(_) => Some(1),
            Self::ImageTensors(_) => Some(2),
            _ => None,
        }
    }
}
