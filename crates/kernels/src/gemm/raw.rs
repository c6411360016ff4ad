//! The loops around the tile, after K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008): blocks of the operands are copied so that the tile reads them in a row, and stay
//! in the cache for as long as they are used.

use super::simd::{MatVec, MatVecFn, Pack, Real, Strip, Tile};
use crate::{Isa, MatMut, MatRef};
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// A view without its borrow. Strides count items.
#[derive(Clone, Copy)]
struct Operand<T> {
    data: *const T,
    row: usize,
    column: usize,
}

impl<T> Operand<T> {
    fn transpose(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// The same from item `(i, j)` on.
    fn at(self, i: usize, j: usize) -> Self {
        Self {
            data: self.data.wrapping_add(i * self.row + j * self.column),
            ..self
        }
    }
}

/// A product, or a part of one: `m x n` results of `k` products each.
#[derive(Clone, Copy)]
struct Product<T> {
    tile: Tile<T>,
    /// Computes the only column.
    matvec: Option<MatVecFn<T>>,
    m: usize,
    n: usize,
    k: usize,
    a: Operand<T>,
    b: Operand<T>,
    c: *mut T,
    c_row: usize,
    c_column: usize,
    alpha: T,
    beta: Option<T>,
}

/// A part of a product: a block of the result, which no other part writes.
///
/// Parts may run on different threads, each with a workspace of its own.
pub struct GemmPart<'a, T> {
    product: Product<T>,
    borrows: PhantomData<(&'a T, &'a mut T)>,
}

// SAFETY: a part reads what is borrowed for `'a` and writes a block of what is borrowed mutably for `'a`, and
// no two parts have the same block.
unsafe impl<T: Send + Sync> Send for GemmPart<'_, T> {}

impl<T: Real> GemmPart<'_, T> {
    /// The items that [`run`](Self::run) needs beside the operands.
    pub fn workspace_len(&self) -> usize {
        let Product { tile, m, n, k, .. } = self.product;
        if self.product.matvec.is_some() {
            return 0;
        }
        depth::<T>(k) * (block_rows(&tile, m) + block_columns(&tile, n))
    }

    /// Computes the block.
    ///
    /// # Panics
    /// When `workspace` has fewer items than [`workspace_len`](Self::workspace_len) says.
    pub fn run(self, workspace: &mut [MaybeUninit<T>]) {
        let needed = self.workspace_len();
        assert!(workspace.len() >= needed, "the workspace is too small");
        // SAFETY: `parts` made sure of the operands.
        unsafe { self.product.run(workspace.as_mut_ptr().cast()) }
    }
}

/// The parts of a product, one after the other.
pub struct GemmParts<'a, T> {
    whole: Product<T>,
    /// Rows and columns of a part.
    step: (usize, usize),
    /// Where the next part begins.
    next: (usize, usize),
    borrows: PhantomData<(&'a T, &'a mut T)>,
}

// SAFETY: as for a part.
unsafe impl<T: Send + Sync> Send for GemmParts<'_, T> {}

impl<'a, T: Real> Iterator for GemmParts<'a, T> {
    type Item = GemmPart<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let ((i, j), (rows, columns)) = (self.next, self.step);
        if i >= self.whole.m || j >= self.whole.n {
            return None;
        }
        self.next = if i + rows < self.whole.m {
            (i + rows, j)
        } else {
            (0, j + columns)
        };
        Some(GemmPart {
            product: self.whole.block((i, rows), (j, columns)),
            borrows: PhantomData,
        })
    }
}

impl<T> fmt::Debug for GemmParts<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Product { m, n, k, .. } = self.whole;
        write!(f, "GemmParts({m}x{k} by {k}x{n})")
    }
}

impl<T> fmt::Debug for GemmPart<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Product { m, n, k, .. } = self.product;
        write!(f, "GemmPart({m}x{k} by {k}x{n})")
    }
}

/// Bytes of a step's worth of items along `k` in a block.
const DEPTH_BYTES: usize = 2048;
/// Bytes of a block of the left operand: half of a second-level cache.
const ROWS_BYTES: usize = 256 << 10;
/// Bytes of a block of the right operand: a part of a third-level cache.
const COLUMNS_BYTES: usize = 4 << 20;

/// How many products are added up at a time. It depends on `k` alone, for it is seen in the last bits.
fn depth<T>(k: usize) -> usize {
    let most = DEPTH_BYTES / size_of::<T>();
    k.div_ceil(k.div_ceil(most).max(1)).max(1)
}

fn block_rows<T>(tile: &Tile<T>, m: usize) -> usize {
    let most = (ROWS_BYTES / DEPTH_BYTES).next_multiple_of(tile.rows);
    m.next_multiple_of(tile.rows).min(most)
}

fn block_columns<T>(tile: &Tile<T>, n: usize) -> usize {
    let most = (COLUMNS_BYTES / DEPTH_BYTES).next_multiple_of(tile.columns);
    n.next_multiple_of(tile.columns).min(most)
}

/// About `count` parts of `c = alpha * a * b + beta * c`; none where the result is empty.
pub(super) fn parts<'a, T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'a, T>, MatRef<'a, T>),
    beta: T,
    mut c: MatMut<'a, T>,
    count: usize,
) -> GemmParts<'a, T> {
    let ((m, k), (_, n)) = (a.shape(), b.shape());
    let operand = |view: MatRef<'_, T>| Operand {
        data: view.data().as_ptr(),
        row: view.strides().0,
        column: view.strides().1,
    };
    let (c_row, c_column) = c.strides();
    let loops = T::loops(isa);
    let mut whole = Product {
        tile: loops.tile,
        matvec: None,
        m,
        n,
        k,
        a: operand(a),
        b: operand(b),
        c: c.data_mut().as_mut_ptr(),
        c_row,
        c_column,
        alpha,
        beta: (beta != T::default()).then_some(beta),
    };
    // Registers lie along the columns of the result, so these must be what lies side by side.
    if n != 1 && (m == 1 || c_row != 1 && c_column == 1) {
        whole = Product {
            m: n,
            n: m,
            a: whole.b.transpose(),
            b: whole.a.transpose(),
            c_row: c_column,
            c_column: c_row,
            ..whole
        };
    }
    if whole.n == 1 && whole.b.row == 1 {
        whole.matvec = match whole.a {
            Operand { row: 1, .. } => Some(loops.sweep),
            // A product of one row with a matrix must have the bits that it has in one of more rows.
            Operand { column: 1, .. } if n == 1 => Some(loops.dots),
            Operand { column: 1, .. } => Some(loops.turned),
            _ => None,
        };
    }
    // Views prove at construction that all their items lie inside their slices, and that those of `c` do
    // not share places; `c` is borrowed mutably for as long as the parts live, so it is apart from `a` and
    // `b`.
    GemmParts {
        whole,
        step: whole.grid(count),
        next: (0, 0),
        borrows: PhantomData,
    }
}

impl<T: Real> Product<T> {
    /// Rows and columns of each of about `count` parts: whole tiles, and as close to squares as can be, so
    /// that little is packed more than once.
    fn grid(&self, count: usize) -> (usize, usize) {
        let Tile { rows, columns, .. } = self.tile;
        let size = |across: usize| {
            let down = count / across;
            (
                self.m.div_ceil(down).next_multiple_of(rows),
                self.n.div_ceil(across).next_multiple_of(columns),
            )
        };
        (1..=count.max(1))
            .filter(|across| count.max(1).is_multiple_of(*across))
            .map(size)
            .min_by_key(|(m, n)| m + n)
            .unwrap_or((rows, columns))
    }

    /// A part that begins at `(i, j)`.
    fn block(&self, (i, rows): (usize, usize), (j, columns): (usize, usize)) -> Self {
        Self {
            m: rows.min(self.m - i),
            n: columns.min(self.n - j),
            a: self.a.at(i, 0),
            b: self.b.at(0, j),
            c: self.c.wrapping_add(i * self.c_row + j * self.c_column),
            ..*self
        }
    }

    /// # Safety
    /// Operands are readable, the result is writable, and the workspace has the length that was asked for.
    unsafe fn run(&self, workspace: *mut T) {
        let depth = depth::<T>(self.k);
        if let Some(matvec) = self.matvec {
            // SAFETY: there is one column, and operands lie as the function wants them.
            unsafe {
                matvec(&MatVec {
                    rows: self.m,
                    k: self.k,
                    depth,
                    a: self.a.data,
                    a_row: self.a.row,
                    a_column: self.a.column,
                    x: self.b.data,
                    y: self.c,
                    y_step: self.c_row,
                    alpha: self.alpha,
                    beta: self.beta,
                });
            }
            return;
        }
        let rows = block_rows(&self.tile, self.m);
        let columns = block_columns(&self.tile, self.n);
        let right = workspace.wrapping_add(rows * depth);
        for j in (0..self.n).step_by(columns) {
            let columns = columns.min(self.n - j);
            // Without products the result is still scaled.
            for l in (0..self.k.max(1)).step_by(depth) {
                let depth = depth.min(self.k - l);
                let beta = if l == 0 { self.beta } else { Some(T::ONE) };
                // SAFETY: the block lies inside the operands, and the workspace holds it.
                unsafe {
                    self.block_of_columns((j, columns), (l, depth), beta, rows, workspace, right);
                }
            }
        }
    }

    unsafe fn block_of_columns(
        &self,
        (j, columns): (usize, usize),
        (l, depth): (usize, usize),
        beta: Option<T>,
        rows: usize,
        left: *mut T,
        right: *mut T,
    ) {
        // A right operand is read once for each tile's height of rows; below that a copy costs more.
        let b = self.b.at(l, j);
        let is_packed = self.m > 4 * self.tile.rows;
        if is_packed {
            // SAFETY: the workspace holds the block.
            unsafe {
                pack(
                    b.transpose(),
                    (columns, depth),
                    self.tile.columns,
                    self.tile.pack_columns,
                    right,
                );
            };
        }
        for i in (0..self.m).step_by(rows) {
            let rows = rows.min(self.m - i);
            let a = self.a.at(i, l);
            // The same of the left one; but rows that do not fill a tile must be filled up.
            let is_direct = a.row == 1 && columns <= 8 * self.tile.columns;
            let whole = if is_direct {
                rows / self.tile.rows * self.tile.rows
            } else {
                0
            };
            if whole < rows {
                let a = a.at(whole, 0);
                let rows = rows - whole;
                // SAFETY: as above.
                unsafe { pack(a, (rows, depth), self.tile.rows, self.tile.pack_rows, left) };
            }
            for jj in (0..columns).step_by(self.tile.columns) {
                let width = self.tile.columns.min(columns - jj);
                let (b, b_step, b_column) = if is_packed {
                    (
                        right.cast_const().wrapping_add(jj * depth),
                        self.tile.columns,
                        1,
                    )
                } else {
                    (b.at(0, jj).data, b.row, b.column)
                };
                for ii in (0..rows).step_by(self.tile.rows) {
                    let (a, a_step) = if ii < whole {
                        (a.at(ii, 0).data, a.column)
                    } else {
                        let strip = left.wrapping_add((ii - whole) * depth);
                        (strip.cast_const(), self.tile.rows)
                    };
                    let strip = Strip {
                        depth,
                        a,
                        a_step,
                        b,
                        b_step,
                        b_column,
                        c: self
                            .c
                            .wrapping_add((i + ii) * self.c_row + (j + jj) * self.c_column),
                        c_row: self.c_row,
                        c_column: self.c_column,
                        rows: self.tile.rows.min(rows - ii),
                        columns: width,
                        alpha: self.alpha,
                        beta,
                    };
                    // SAFETY: a packed strip has all rows of the tile, a direct one only when all are
                    // there; the rest is what the caller vouches for.
                    unsafe { (self.tile.run)(&strip) };
                }
            }
        }
    }
}

/// Copies a block in strips of `width` rows: for each strip and each of its columns, its items side by
/// side. What is missing in the last strip is zero.
///
/// # Safety
/// The block is readable, `to` has room for all strips, and `strip` copies `width` rows.
unsafe fn pack<T: Real>(
    from: Operand<T>,
    (rows, depth): (usize, usize),
    width: usize,
    strip: Pack<T>,
    to: *mut T,
) {
    for i in (0..rows).step_by(width) {
        let from = from.at(i, 0);
        let to = to.wrapping_add(i * depth);
        let there = width.min(rows - i);
        // SAFETY: the caller says so.
        unsafe {
            if there == width {
                strip(from.data, (from.row, from.column), depth, to);
                continue;
            }
            to.write_bytes(0, width * depth);
            for l in 0..depth {
                for row in 0..there {
                    *to.add(l * width + row) = *from.at(row, l).data;
                }
            }
        }
    }
}
