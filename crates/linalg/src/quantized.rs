//! Matrices of weights in blocks of 8- or 4-bit numbers, for inference.

use crate::{Context, Error, ErrorKind, MatMut, MatRef, pool};
use nexus_kernels::{
    BLOCK_LEN, BlockFormat, VectorGroup, block_dots, dequantize_block, quantize_block,
};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A matrix of which each row is blocks of 32 numbers with a scale: 34 bytes for 32 items in
/// [`BlockFormat::Q8_0`], 18 in [`BlockFormat::Q4_0`].
///
/// The bytes are those of GGML's types `q8_0` and `q4_0`, row after row, so a matrix may borrow those of a mapped
/// GGUF file. A row that does not fill its last block is filled up with zeros.
///
/// ```
/// use nexus_linalg::kernels::BlockFormat;
/// use nexus_linalg::{Context, MatRef, QMatrix};
///
/// let weights: Vec<f32> = (0..64 * 96).map(|i| (i as f32).sin()).collect();
/// let matrix = QMatrix::quantize(BlockFormat::Q8_0, MatRef::new(&weights, 64, 96)?)?;
/// assert_eq!(matrix.blocks().len(), 64 * 3 * 34);
/// let mut y = [0.0; 64];
/// matrix.matvec(Context::default(), &[0.5; 96], &mut y)?;
/// let exact: f32 = weights[..96].iter().map(|w| w * 0.5).sum();
/// assert!((y[0] - exact).abs() < 0.2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct QMatrix<'a> {
    format: BlockFormat,
    rows: usize,
    columns: usize,
    blocks: Cow<'a, [u8]>,
}

impl QMatrix<'static> {
    /// The nearest matrix: no item moves by more than half of its block's scale.
    ///
    /// A scale is the largest absolute value of the block divided by 127 (`Q8_0`) or 7 (`Q4_0`), rounded up to an
    /// `f16`.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`] and [`ErrorKind::Infinite`] with the place; [`ErrorKind::InvalidInput`] where a
    /// scale would be more than 65 504.
    pub fn quantize(format: BlockFormat, weights: MatRef<'_, f32>) -> Result<Self, Error> {
        let (rows, columns) = weights.shape();
        let size = format.block_size();
        let mut blocks = vec![0; rows * row_size(format, columns)];
        let mut places = blocks.chunks_exact_mut(size);
        let mut items = [0.0; BLOCK_LEN];
        for i in 0..rows {
            let mut row = weights.row(i).enumerate();
            for place in places.by_ref().take(columns.div_ceil(BLOCK_LEN)) {
                let mut len = 0;
                for (j, &item) in row.by_ref().take(BLOCK_LEN) {
                    finite(item, (i, j))?;
                    items[len] = item;
                    len += 1;
                }
                if !quantize_block(format, &items[..len], place) {
                    let message = format!(
                        "cannot quantize a {rows}x{columns} matrix to {format:?}: a weight of row {i} is too large"
                    );
                    return Err(Error::invalid(message));
                }
            }
        }
        Ok(Self {
            format,
            rows,
            columns,
            blocks: Cow::Owned(blocks),
        })
    }
}

impl<'a> QMatrix<'a> {
    /// A matrix of the blocks of a file: `rows` times so many that they hold `columns` items.
    ///
    /// Nothing is copied from a slice. Scales may be anything: NaN and infinities go into results.
    ///
    /// # Errors
    /// When there are not as many bytes as the shape needs.
    pub fn from_blocks(
        format: BlockFormat,
        (rows, columns): (usize, usize),
        blocks: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Self, Error> {
        let blocks = blocks.into();
        let needed = columns
            .div_ceil(BLOCK_LEN)
            .checked_mul(format.block_size())
            .and_then(|row| row.checked_mul(rows));
        if needed != Some(blocks.len()) {
            let message = format!(
                "cannot take {} bytes as a {rows}x{columns} matrix of {format:?}: it needs {} bytes for each {BLOCK_LEN} items of a row",
                blocks.len(),
                format.block_size()
            );
            return Err(Error::invalid(message));
        }
        Ok(Self {
            format,
            rows,
            columns,
            blocks,
        })
    }

    /// The layout of the blocks.
    pub fn format(&self) -> BlockFormat {
        self.format
    }

    /// Rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.columns)
    }

    /// The bytes of all blocks, row after row.
    pub fn blocks(&self) -> &[u8] {
        &self.blocks
    }

    /// The same, to be kept.
    pub fn into_blocks(self) -> Cow<'a, [u8]> {
        self.blocks
    }

    /// Writes the items as `f32`, exactly.
    ///
    /// # Errors
    /// When `to` has another shape.
    pub fn dequantize(&self, mut to: MatMut<'_, f32>) -> Result<(), Error> {
        if to.shape() != self.shape() {
            return Err(self.mismatch("dequantize", to.shape(), self.shape()));
        }
        self.dequantize_rows(0, &mut to);
        Ok(())
    }

    /// `y = self * x`, with numbers of 8 bits for `x`.
    ///
    /// Each 32 items of `x` get a scale, a 127th of the largest one, and are rounded to whole numbers; sums within
    /// blocks are exact, those of blocks are `f32`. So a result is off by at most half of that scale times the
    /// absolute weights of the block, added up, and by the roundings of a sum of as many blocks. An infinity in
    /// `x` gives NaN. The bits of a result do not depend on threads or other rows.
    ///
    /// The time is that of reading the blocks from memory. Takes 40 bytes for 32 columns.
    ///
    /// # Errors
    /// When `x` has not as many items as the matrix has columns, or `y` as it has rows.
    pub fn matvec(&self, context: Context, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        if (y.len(), x.len()) != self.shape() {
            return Err(self.mismatch("multiply", (x.len(), 1), (y.len(), 1)));
        }
        let groups = x.chunks(VectorGroup::LEN).map(VectorGroup::new);
        let vector: Vec<VectorGroup> = groups.collect();
        let (isa, row) = (context.isa(), row_size(self.format, self.columns));
        let count = self.columns.div_ceil(BLOCK_LEN);
        let dots = |(first, y): (usize, &mut [f32])| {
            let rows = &self.blocks[first * row..][..y.len() * row];
            block_dots(isa, self.format, (rows, count), &vector, y);
        };
        let parts = y.chunks_mut(ROWS).enumerate().map(|(i, y)| (i * ROWS, y));
        let threads = context.threads_for(self.rows.saturating_mul(self.columns));
        if threads == 1 {
            parts.for_each(dots);
        } else {
            let parts = Mutex::new(parts);
            let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            pool::share(threads, &|| std::iter::from_fn(next).for_each(dots));
        }
        Ok(())
    }

    /// `y = self * x`, by the product of the items as `f32`: the weights are as exact as they are, `x` is not
    /// rounded.
    ///
    /// Each item has the bits of [`Context::matmul`] of the dequantized matrix. Takes room for 256 rows of `f32`.
    ///
    /// # Errors
    /// When the shapes are not `(k, n)` and `(m, n)` for a matrix of `(m, k)`.
    pub fn matmul(
        &self,
        context: Context,
        x: MatRef<'_, f32>,
        mut y: MatMut<'_, f32>,
    ) -> Result<(), Error> {
        let ((m, k), (k_x, n)) = (self.shape(), x.shape());
        if k != k_x || y.shape() != (m, n) {
            return Err(self.mismatch("multiply", x.shape(), y.shape()));
        }
        let mut panel = vec![0.0; PANEL_ROWS.min(m) * k];
        for first in (0..m).step_by(PANEL_ROWS) {
            let rows = PANEL_ROWS.min(m - first);
            let mut weights = MatMut::new(&mut panel, rows, k)?;
            self.dequantize_rows(first, &mut weights);
            let y = y.reborrow().block(first..first + rows, 0..n);
            context.gemm(1.0, weights.as_ref(), x, 0.0, y);
        }
        Ok(())
    }

    /// Writes as many rows as `to` has, from row `first` on.
    fn dequantize_rows(&self, first: usize, to: &mut MatMut<'_, f32>) {
        let size = self.format.block_size();
        let row = row_size(self.format, self.columns);
        let ((rows, columns), (to_row, to_column)) = (to.shape(), to.strides());
        let to = to.data_mut();
        for i in 0..rows {
            let blocks = self.blocks[(first + i) * row..][..row].chunks_exact(size);
            for (start, block) in (0..columns).step_by(BLOCK_LEN).zip(blocks) {
                let items = dequantize_block(self.format, block);
                let len = BLOCK_LEN.min(columns - start);
                if to_column == 1 {
                    to[i * to_row + start..][..len].copy_from_slice(&items[..len]);
                    continue;
                }
                for (j, item) in (start..columns).zip(items) {
                    to[i * to_row + j * to_column] = item;
                }
            }
        }
    }

    fn mismatch(&self, operation: &str, x: (usize, usize), y: (usize, usize)) -> Error {
        Error::shapes(operation, self.shape(), x, y)
    }
}

impl fmt::Debug for QMatrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "QMatrix({}x{} in {:?})",
            self.rows, self.columns, self.format
        )
    }
}

/// Rows that a thread takes at a time.
const ROWS: usize = 64;

/// Rows that are `f32` at a time.
const PANEL_ROWS: usize = 256;

fn row_size(format: BlockFormat, columns: usize) -> usize {
    columns.div_ceil(BLOCK_LEN) * format.block_size()
}

fn finite(item: f32, at: (usize, usize)) -> Result<(), Error> {
    let (kind, what) = if item.is_nan() {
        (ErrorKind::NotANumber { at }, "NaN")
    } else if item.is_infinite() {
        (ErrorKind::Infinite { at }, "an infinity")
    } else {
        return Ok(());
    };
    let message = format!("cannot quantize a matrix with {what} at {at:?}");
    Err(Error::new(kind, message))
}
