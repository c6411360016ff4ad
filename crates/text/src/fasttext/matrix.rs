//! Matrices of a model: plain, or product-quantised (Jegou et al. 2011; Joulin et al. 2016,
//! <https://arxiv.org/abs/1612.03651>): a row is one byte for each part of it, the number of the
//! nearest of 256 centroids.

use super::reader::Reader;
use crate::error::Error;
use crate::limits::MODEL_DIM_MAX;

/// A quantised matrix of so many numbers or fewer is made plain, which is quicker: 16 MiB.
const PLAIN_MAX: usize = 1 << 22;

/// Centroids of a part.
const CENTROIDS: usize = 256;

pub(super) enum Matrix {
    Dense {
        rows: usize,
        dim: usize,
        data: Vec<f32>,
    },
    Quantised(Quantised),
}

pub(super) struct Quantised {
    rows: usize,
    dim: usize,
    codes: Vec<u8>,
    parts: Quantiser,
    /// The number of each row's length, and the lengths, if rows are stored at length 1.
    norms: Option<(Vec<u8>, Quantiser)>,
}

struct Quantiser {
    parts: usize,
    /// Numbers in each part but the last.
    part_dim: usize,
    last_dim: usize,
    centroids: Vec<f32>,
}

impl Matrix {
    pub(super) fn read(reader: &mut Reader<'_>, is_quantised: bool) -> Result<Self, Error> {
        if is_quantised {
            let matrix = Quantised::read(reader)?;
            let is_small = matrix.rows.saturating_mul(matrix.dim) <= PLAIN_MAX;
            return Ok(if is_small {
                matrix.to_dense()
            } else {
                Self::Quantised(matrix)
            });
        }
        let (rows, dim) = shape(reader)?;
        let data = reader.floats(rows.saturating_mul(dim), "a matrix")?;
        Ok(Self::Dense { rows, dim, data })
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Dense { rows, .. } | Self::Quantised(Quantised { rows, .. }) => *rows,
        }
    }

    pub(super) fn dim(&self) -> usize {
        match self {
            Self::Dense { dim, .. } | Self::Quantised(Quantised { dim, .. }) => *dim,
        }
    }

    /// Adds rows to `sum`, in their order.
    pub(super) fn add_rows(&self, rows: &[u32], sum: &mut [f32]) {
        match self {
            Self::Dense { data, .. } => {
                // The vectors of language identifiers are this long: the sum stays in registers.
                if let Ok(sum) = <&mut [f32; 16]>::try_from(&mut *sum) {
                    return add_fixed(data, rows, sum);
                }
                for &row in rows {
                    let row = &data[row as usize * sum.len()..][..sum.len()];
                    for (sum, value) in sum.iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            }
            Self::Quantised(matrix) => {
                for &row in rows {
                    let norm = matrix.norm(row as usize);
                    let values = matrix.centroids(row as usize).flatten();
                    for (sum, value) in sum.iter_mut().zip(values) {
                        *sum += norm * value;
                    }
                }
            }
        }
    }

    /// The dot product of row `at` and `vector`.
    pub(super) fn dot_row(&self, at: usize, vector: &[f32]) -> f32 {
        match self {
            Self::Dense { dim, data, .. } => {
                let row = &data[at * dim..][..*dim];
                row.iter().zip(vector).map(|(a, b)| a * b).sum()
            }
            Self::Quantised(matrix) => {
                let values = matrix.centroids(at).flatten();
                matrix.norm(at) * values.zip(vector).map(|(a, b)| a * b).sum::<f32>()
            }
        }
    }
}

fn add_fixed<const DIM: usize>(data: &[f32], rows: &[u32], sum: &mut [f32; DIM]) {
    let (data, _) = data.as_chunks::<DIM>();
    let mut total = *sum;
    for &row in rows {
        for (total, value) in total.iter_mut().zip(&data[row as usize]) {
            *total += value;
        }
    }
    *sum = total;
}

impl Quantised {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let has_norms = reader.flag("a matrix")?;
        let (rows, dim) = shape(reader)?;
        let codes_size =
            reader.count(i32::MAX as usize, "the largest size", "the size of codes")?;
        let codes = reader.bytes(codes_size, "the codes of a matrix")?.to_vec();
        let parts = Quantiser::read(reader, dim)?;
        if rows.checked_mul(parts.parts) != Some(codes.len()) {
            return Err(Error::corrupt(format!(
                "cannot read a fastText model: {rows} rows of {} parts have {} codes",
                parts.parts,
                codes.len()
            )));
        }
        let norms = if has_norms {
            let codes = reader.bytes(rows, "the lengths of rows")?.to_vec();
            Some((codes, Quantiser::read(reader, 1)?))
        } else {
            None
        };
        Ok(Self {
            rows,
            dim,
            codes,
            parts,
            norms,
        })
    }

    fn to_dense(&self) -> Matrix {
        let mut data = Vec::with_capacity(self.rows * self.dim);
        for row in 0..self.rows {
            let norm = self.norm(row);
            data.extend(self.centroids(row).flatten().map(|value| norm * value));
        }
        Matrix::Dense {
            rows: self.rows,
            dim: self.dim,
            data,
        }
    }

    #[inline]
    fn norm(&self, at: usize) -> f32 {
        match &self.norms {
            Some((codes, norms)) => norms.centroids[codes[at] as usize],
            None => 1.0,
        }
    }

    #[inline]
    fn centroids(&self, at: usize) -> impl Iterator<Item = &[f32]> {
        let codes = &self.codes[at * self.parts.parts..][..self.parts.parts];
        let centroid = |(part, code): (usize, &u8)| self.parts.centroid(part, *code as usize);
        codes.iter().enumerate().map(centroid)
    }
}

impl Quantiser {
    fn read(reader: &mut Reader<'_>, dim: usize) -> Result<Self, Error> {
        let mut number = || reader.count(MODEL_DIM_MAX, "MODEL_DIM_MAX", "a part of a quantiser");
        let (own_dim, parts, part_dim, last_dim) = (number()?, number()?, number()?, number()?);
        // Both are below 2^15, so the products fit.
        let is_whole = parts > 0
            && last_dim > 0
            && last_dim <= part_dim
            && (parts - 1) * part_dim + last_dim == dim;
        if own_dim != dim || !is_whole {
            return Err(Error::corrupt(format!(
                "cannot read a fastText model: {parts} parts of {part_dim} and {last_dim} numbers are \
                 no row of {dim}"
            )));
        }
        let centroids = reader.floats(dim * CENTROIDS, "the centroids of a quantiser")?;
        Ok(Self {
            parts,
            part_dim,
            last_dim,
            centroids,
        })
    }

    #[inline]
    fn centroid(&self, part: usize, code: usize) -> &[f32] {
        let first = part * CENTROIDS * self.part_dim;
        let dim = if part + 1 == self.parts {
            self.last_dim
        } else {
            self.part_dim
        };
        &self.centroids[first + code * dim..][..dim]
    }
}

fn shape(reader: &mut Reader<'_>) -> Result<(usize, usize), Error> {
    let rows = reader.long_count(
        u32::MAX as usize,
        "the largest number",
        "the number of rows",
    )?;
    let dim = reader.long_count(MODEL_DIM_MAX, "MODEL_DIM_MAX", "the length of a row")?;
    if rows == 0 || dim == 0 {
        return Err(Error::corrupt(format!(
            "cannot read a fastText model: a matrix of {rows} rows of {dim} numbers is empty"
        )));
    }
    Ok((rows, dim))
}
