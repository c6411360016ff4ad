//! Which source pixels make a target pixel, and with what weights.
//!
//! As Pillow computes them (`src/libImaging/Resample.c`): when an image shrinks, the filter widens by
//! the same factor, which is the antialiasing; weights are rounded to 22 bits behind the point.

use std::ops::Range;

/// Bits behind the point: 32 of an `i32`, less 8 of a sample and 2 for sums of weights beyond 1.
pub(crate) const PRECISION: u32 = 32 - 8 - 2;

/// A weight is `high << LOW_BITS | low`, so that both halves fit the 16 bits that SIMD multiplies.
pub(crate) const LOW_BITS: u32 = 11;

/// Taps are padded with weights of 0 to a multiple of this.
pub(crate) const TAPS_STEP: usize = 4;

/// How a resized pixel is made of its neighbours; all three antialias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// A triangle, two pixels wide; torchvision's default.
    #[default]
    Bilinear,
    /// Keys' cubic with a = -0.5, four pixels wide.
    Bicubic,
    /// A sinc windowed by a sinc, six pixels wide.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => cubic(x.abs()),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// The weights of a range of target places along one axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    of: Option<Shape>,
    spans: Vec<Range<usize>>,
    /// How many weights stand in the tables for each place.
    taps: usize,
    weights: Vec<i32>,
    high: Vec<i16>,
    low: Vec<i16>,
}

/// What a kernel depends on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    pub(crate) filter: Filter,
    pub(crate) source: usize,
    pub(crate) target: usize,
    /// The target places that are wanted.
    pub(crate) keep: Range<usize>,
}

/// The taps of one target place.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "the halves are for AVX2")
)]
pub(crate) struct Taps<'a> {
    /// The first source place.
    pub(crate) start: usize,
    /// One weight for each source place from `start` on.
    pub(crate) weights: &'a [i32],
    /// The high halves, with zeros up to a multiple of [`TAPS_STEP`].
    pub(crate) high: &'a [i16],
    /// The low halves, likewise.
    pub(crate) low: &'a [i16],
}

impl Kernel {
    /// Computes the weights, unless they are there from the image before.
    pub(crate) fn prepare(&mut self, shape: Shape) {
        if self.of.as_ref() == Some(&shape) {
            return;
        }
        self.compute(&shape);
        self.of = Some(shape);
    }

    fn compute(&mut self, shape: &Shape) {
        let scale = shape.source as f64 / shape.target as f64;
        let stretch = scale.max(1.0);
        let support = shape.filter.support() * stretch;
        self.taps = (support.ceil() as usize * 2 + 1).next_multiple_of(TAPS_STEP);
        self.spans.clear();
        self.weights.clear();
        let mut exact = Vec::with_capacity(self.taps);
        for place in shape.keep.clone() {
            let center = (place as f64 + 0.5) * scale;
            // A negative number becomes 0, as in Pillow.
            let start = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(shape.source);
            exact.clear();
            exact.extend((start..end).map(|at| {
                let offset = at as f64 - center + 0.5;
                shape.filter.weight(offset * (1.0 / stretch))
            }));
            let sum: f64 = exact.iter().sum();
            let first = self.weights.len();
            self.weights.extend(exact.iter().map(|&weight| {
                let weight = if sum == 0.0 { weight } else { weight / sum };
                let scaled = weight * f64::from(1 << PRECISION);
                (scaled + 0.5_f64.copysign(scaled)) as i32
            }));
            self.weights.resize(first + self.taps, 0);
            self.spans.push(start..end);
        }
        self.split();
    }

    fn split(&mut self) {
        let mask = (1 << LOW_BITS) - 1;
        self.high.clear();
        self.low.clear();
        let halves = |&weight: &i32| (weight >> LOW_BITS) as i16;
        self.high.extend(self.weights.iter().map(halves));
        self.low
            .extend(self.weights.iter().map(|&weight| (weight & mask) as i16));
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The taps of the `at`th place that is kept.
    #[inline]
    pub(crate) fn taps(&self, at: usize) -> Taps<'_> {
        let span = &self.spans[at];
        let table = at * self.taps;
        let padded = table..table + span.len().next_multiple_of(TAPS_STEP);
        Taps {
            start: span.start,
            weights: &self.weights[table..table + span.len()],
            high: &self.high[padded.clone()],
            low: &self.low[padded],
        }
    }

    /// The source places that any kept place needs.
    pub(crate) fn source_range(&self) -> Range<usize> {
        match (self.spans.first(), self.spans.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}
