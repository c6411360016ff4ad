//! Which part of an image a tensor shows: the places of torchvision's transforms.

use crate::error::Error;
use crate::image::{Image, View};
use crate::kernel::Filter;
use crate::random::Draws;
use crate::resize::{Window, check_sides};
use std::ops::Range;

/// How often [`Frame::RandomResized`] draws a rectangle before it takes one in the middle.
const DRAWS_MAX: usize = 10;

/// Which part of an image a tensor shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frame {
    /// All of it, squeezed: `Resize((height, width))`.
    Squeeze,
    /// `Resize(shorter)`, then `CenterCrop((height, width))`, with black where the image is smaller.
    Center {
        /// The shorter side after resizing, in pixels.
        shorter: usize,
    },
    /// `Resize(shorter)`, then a crop from a random place.
    Random {
        /// The shorter side after resizing, in pixels; not less than the tensor's sides.
        shorter: usize,
    },
    /// `RandomResizedCrop((height, width), scale=area, ratio=aspect)`.
    RandomResized {
        /// The least and the greatest part of the image's area; torchvision takes 0.08 and 1.
        area: (f64, f64),
        /// The least and the greatest width by height; torchvision takes 3/4 and 4/3.
        aspect: (f64, f64),
    },
}

/// The part of an image that is resized, to what, and where that lies in the tensor.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Left, top, width, height in the source.
    part: [usize; 4],
    pub(crate) window: Window,
    /// The column and the row of the tensor that the window begins at.
    pub(crate) left: usize,
    pub(crate) top: usize,
}

impl Plan {
    pub(crate) fn source<'a>(&self, image: &'a Image) -> View<'a> {
        let [left, top, width, height] = self.part;
        image.view().crop(left, top, width, height)
    }

    /// A part of the source becomes the whole target.
    fn squeeze(part: [usize; 4], target: (usize, usize), filter: Filter) -> Self {
        Self {
            part,
            window: Window::whole(filter, target.0, target.1),
            left: 0,
            top: 0,
        }
    }
}

impl Frame {
    pub(crate) fn check(&self, width: usize, height: usize) -> Result<(), Error> {
        let rising = |(low, high): (f64, f64)| low > 0.0 && low <= high && high.is_finite();
        match *self {
            Self::Squeeze => Ok(()),
            Self::Random { shorter } if shorter < width.max(height) => {
                Err(Error::invalid(format!(
                    "cannot crop {width}x{height} pixels from an image whose shorter side is {shorter}"
                ))
                .with_hint("resize to a shorter side that is not shorter than the crop"))
            }
            Self::Center { shorter } | Self::Random { shorter } => check_sides(shorter, shorter),
            Self::RandomResized { area, aspect } => {
                if rising(area) && area.1 <= 1.0 && rising(aspect) {
                    return Ok(());
                }
                Err(Error::invalid(format!(
                    "cannot draw rectangles of areas {area:?} and aspects {aspect:?}: \
                     both rise and are positive, areas are at most 1"
                )))
            }
        }
    }

    /// What becomes of a source of a size; sizes are widths and heights.
    pub(crate) fn plan(
        &self,
        (width, height): (usize, usize),
        target: (usize, usize),
        filter: Filter,
        draws: &mut Draws,
    ) -> Result<Plan, Error> {
        let (shorter, random) = match *self {
            Self::Squeeze => return Ok(Plan::squeeze([0, 0, width, height], target, filter)),
            Self::RandomResized { area, aspect } => {
                let part = rectangle(width, height, area, aspect, draws);
                return Ok(Plan::squeeze(part, target, filter));
            }
            Self::Center { shorter } => (shorter, false),
            Self::Random { shorter } => (shorter, true),
        };
        let (full_width, full_height) = if width <= height {
            (shorter, shorter.saturating_mul(height) / width)
        } else {
            (shorter.saturating_mul(width) / height, shorter)
        };
        check_sides(full_width, full_height)?;
        let mut span = |full, crop| {
            if random {
                (0, random_span(full, crop, draws))
            } else {
                central_span(full, crop)
            }
        };
        let (left, columns) = span(full_width, target.0);
        let (top, rows) = span(full_height, target.1);
        Ok(Plan {
            part: [0, 0, width, height],
            window: Window {
                filter,
                width: full_width,
                height: full_height,
                columns,
                rows,
            },
            left,
            top,
        })
    }
}

/// The place in the tensor and the target places of a crop in the middle; where the image is too
/// small, all of it, in the middle of the tensor.
fn central_span(full: usize, crop: usize) -> (usize, Range<usize>) {
    if full <= crop {
        return ((crop - full) / 2, 0..full);
    }
    let twice = full - crop;
    // Python rounds halves to even numbers.
    let start = twice / 2 + usize::from(twice % 4 == 3);
    (0, start..start + crop)
}

fn random_span(full: usize, crop: usize, draws: &mut Draws) -> Range<usize> {
    let start = draws.below(full - crop + 1);
    start..start + crop
}

/// Draws the part of the image that is kept: left, top, width, height.
fn rectangle(
    width: usize,
    height: usize,
    area: (f64, f64),
    aspect: (f64, f64),
    draws: &mut Draws,
) -> [usize; 4] {
    let whole = width as f64 * height as f64;
    for _ in 0..DRAWS_MAX {
        let wanted = whole * draws.between(area.0, area.1);
        // `libm` gives the same bits on every machine.
        let ratio = libm::exp(draws.between(libm::log(aspect.0), libm::log(aspect.1)));
        let w = (wanted * ratio).sqrt().round_ties_even() as usize;
        let h = (wanted / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = draws.below(height - h + 1);
            return [draws.below(width - w + 1), top, w, h];
        }
    }
    let shape = width as f64 / height as f64;
    let (w, h) = if shape < aspect.0 {
        (width, (width as f64 / aspect.0).round_ties_even() as usize)
    } else if shape > aspect.1 {
        (
            (height as f64 * aspect.1).round_ties_even() as usize,
            height,
        )
    } else {
        (width, height)
    };
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    [(width - w) / 2, (height - h) / 2, w, h]
}

#[cfg(test)]
mod tests {
    use super::{Frame, central_span, rectangle};
    use crate::image::Image;
    use crate::kernel::Filter;
    use crate::random::{Draws, SampleKey};
    use crate::resize::Resizer;

    #[test]
    fn central_crops_begin_where_python_rounds_to() {
        // `int(round((full - crop) / 2.0))` of Python 3.
        for (full, crop, place, start) in [
            (341, 224, 0, 58),
            (256, 224, 0, 16),
            (7, 2, 0, 2),
            (5, 2, 0, 2),
            (9, 2, 0, 4),
            (3, 2, 0, 0),
            (4, 4, 0, 0),
            (4, 7, 1, 0),
            (4, 8, 2, 0),
        ] {
            let (at, span) = central_span(full, crop);
            assert_eq!((at, span.start), (place, start), "{full} {crop}");
            assert_eq!(span.len(), crop.min(full), "{full} {crop}");
        }
    }

    #[test]
    fn a_drawn_rectangle_is_cut_out_before_it_is_resized() {
        let pixels = (0..50 * 40 * 3).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
        let image = Image::from_rgb(50, 40, pixels.collect()).unwrap();
        let frame = Frame::RandomResized {
            area: (0.1, 0.5),
            aspect: (0.5, 2.0),
        };
        for sample in 0..50 {
            let key = SampleKey {
                sample,
                ..SampleKey::default()
            };
            let plan = frame.plan((50, 40), (16, 12), Filter::Lanczos, &mut Draws::new(key));
            let plan = plan.unwrap();
            let mut rows: Vec<u8> = Vec::new();
            Resizer::new().run::<3>(plan.source(&image), &plan.window, |_, row| rows.extend(row));
            let [left, top, width, height] = plan.part;
            let part = image.pixels().chunks_exact(150).skip(top).take(height);
            let part = part.flat_map(|row| &row[left * 3..][..width * 3]);
            let part = Image::from_rgb(width, height, part.copied().collect()).unwrap();
            let mut expected = Image::new();
            Resizer::new()
                .resize(&part, 16, 12, Filter::Lanczos, &mut expected)
                .unwrap();
            assert_eq!(rows, expected.pixels(), "{plan:?}");
        }
    }

    #[test]
    fn drawn_rectangles_lie_in_the_image_and_have_the_area_and_the_aspect() {
        for sample in 0..5000 {
            let key = SampleKey {
                sample,
                ..SampleKey::default()
            };
            let (width, height) = (1 + sample as usize % 301, 1 + sample as usize % 97);
            let (area, aspect) = ((0.08, 1.0), (0.75, 4.0 / 3.0));
            let [left, top, w, h] = rectangle(width, height, area, aspect, &mut Draws::new(key));
            assert!(w > 0 && h > 0 && left + w <= width && top + h <= height);
            if width.min(height) > 60 {
                let ratio = w as f64 / h as f64;
                let part = (w * h) as f64 / (width * height) as f64;
                assert!((0.70..1.45).contains(&ratio), "{w} {h}");
                assert!(part > 0.07, "{w} {h} of {width} {height}");
            }
        }
    }
}
