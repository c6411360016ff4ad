//! The loops around the tile, after K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
//! multiplication" (2008): blocks of the operands are copied so that the tile reads them in a row, and stay
//! in the cache for as long as they are used.

mod small;

use super::simd::{
    Cell, CellVec, MatVec, MatVecFn, Narrow, Pack, Packs, Real, SPILL_MAX, Strip, Tile, ToCells,
    padded,
};
use crate::{Isa, MatMut, MatRef};
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

pub(super) use small::{pairs, small};

/// A view without its borrow and the type of its items. Strides count items.
#[derive(Clone, Copy)]
struct Operand<P> {
    data: *const c_void,
    /// Bytes of an item.
    size: usize,
    row: usize,
    column: usize,
    /// The copies by which its items become cells.
    packs: Packs<P>,
    /// The items are cells, which a tile can read where they are.
    is_cells: bool,
}

impl<P: Cell> Operand<P> {
    fn new<T: Copy>(view: MatRef<'_, T>, packs: Packs<P>, is_cells: bool) -> Self {
        Self {
            data: view.data().as_ptr().cast(),
            size: size_of::<T>(),
            row: view.strides().0,
            column: view.strides().1,
            packs,
            is_cells,
        }
    }

    fn transpose(self) -> Self {
        Self {
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// The same from item `(i, j)` on.
    fn at(self, i: usize, j: usize) -> Self {
        let items = i * self.row + j * self.column;
        Self {
            data: self.data.wrapping_byte_add(items * self.size),
            ..self
        }
    }

    /// Where the cells are, if the items are cells.
    fn cells(&self) -> *const P {
        self.data.cast()
    }
}

/// How the only column is computed.
#[derive(Clone, Copy)]
enum Column<P: Cell> {
    /// By the tile.
    Tile,
    /// By a loop over items that are cells.
    Cells(MatVecFn<P::Sum>),
    /// By a loop that makes cells of the items of rows; before it the other function makes cells of the column.
    Rows(unsafe fn(&CellVec<P>), ToCells<P>),
}

/// A product, or a part of one: `m x n` results of `k` products each.
#[derive(Clone, Copy)]
struct Product<P: Cell> {
    tile: Tile<P>,
    column: Column<P>,
    m: usize,
    n: usize,
    /// Items; a cell has one or more of them.
    k: usize,
    a: Operand<P>,
    b: Operand<P>,
    c: *mut P::Sum,
    c_row: usize,
    c_column: usize,
    alpha: P::Sum,
    beta: Option<P::Sum>,
}

/// A part of a product: a block of the result, which no other part writes.
///
/// Parts may run on different threads, each with a workspace of its own.
pub struct GemmPart<'a, P: Cell> {
    product: Product<P>,
    borrows: PhantomData<(&'a P, &'a mut P::Sum)>,
}

// SAFETY: a part reads what is borrowed for `'a` and writes a block of what is borrowed mutably for `'a`, and
// no two parts have the same block.
unsafe impl<P: Cell> Send for GemmPart<'_, P> {}

impl<P: Cell> GemmPart<'_, P> {
    /// The cells that [`run`](Self::run) needs beside the operands.
    pub fn workspace_len(&self) -> usize {
        let Product { tile, m, n, k, .. } = self.product;
        match self.product.column {
            Column::Tile => {
                let cells = cells::<P>(depth::<P>(k));
                cells * (block_rows(&tile, m) + block_columns(&tile, n)) + SPILL_MAX
            }
            Column::Cells(_) => 0,
            Column::Rows(..) => padded::<P>(k),
        }
    }

    /// Computes the block.
    ///
    /// # Panics
    /// When `workspace` has fewer items than [`workspace_len`](Self::workspace_len) says.
    pub fn run(self, workspace: &mut [MaybeUninit<P>]) {
        let needed = self.workspace_len();
        assert!(workspace.len() >= needed, "the workspace is too small");
        // SAFETY: `parts` made sure of the operands.
        unsafe { self.product.run(workspace.as_mut_ptr().cast()) }
    }
}

/// The parts of a product, one after the other.
pub struct GemmParts<'a, P: Cell> {
    whole: Product<P>,
    /// Rows and columns of a part.
    step: (usize, usize),
    /// Where the next part begins.
    next: (usize, usize),
    borrows: PhantomData<(&'a P, &'a mut P::Sum)>,
}

// SAFETY: as for a part.
unsafe impl<P: Cell> Send for GemmParts<'_, P> {}

impl<'a, P: Cell> Iterator for GemmParts<'a, P> {
    type Item = GemmPart<'a, P>;

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

impl<P: Cell> fmt::Debug for GemmParts<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Product { m, n, k, .. } = self.whole;
        write!(f, "GemmParts({m}x{k} by {k}x{n})")
    }
}

impl<P: Cell> fmt::Debug for GemmPart<'_, P> {
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

/// Tiles that read a right operand where it is, at most: one whose items lie side by side along `k`.
const DIRECT_ALONG: usize = 32;
/// Another one.
const DIRECT_ACROSS: usize = 8;
/// One whose columns share sets of the cache.
const DIRECT_CROWDED: usize = 4;
/// Tiles that read a left operand where it is, at most.
const DIRECT_LEFT: usize = 16;

/// Whether what lies so many bytes apart shares sets of a first-level cache, whose ways are of 4096 bytes each.
fn shares_sets(stride: usize) -> bool {
    !(512..=4096 - 512).contains(&(stride % 4096))
}

/// How many numbers' products are added up at a time. It depends on `k` alone, for it is seen in the last bits.
fn depth<P: Cell>(k: usize) -> usize {
    k.div_ceil(k.div_ceil(DEPTH_BYTES / P::BYTES).max(1)).max(1)
}

/// The cells of so many numbers.
fn cells<P: Cell>(numbers: usize) -> usize {
    numbers.div_ceil(P::NUMBERS) + P::TAIL
}

fn block_rows<P: Cell>(tile: &Tile<P>, m: usize) -> usize {
    let most = (ROWS_BYTES / DEPTH_BYTES).next_multiple_of(tile.rows);
    m.next_multiple_of(tile.rows).min(most)
}

fn block_columns<P: Cell>(tile: &Tile<P>, n: usize) -> usize {
    let most = (COLUMNS_BYTES / DEPTH_BYTES).next_multiple_of(tile.columns);
    n.next_multiple_of(tile.columns).min(most)
}

/// About `count` parts of `c = alpha * a * b + beta * c`; none where the result is empty.
pub(super) fn parts<'a, T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'a, T>, MatRef<'a, T>),
    beta: T,
    c: MatMut<'a, T>,
    count: usize,
) -> GemmParts<'a, T> {
    real_product(isa, alpha, (a, b), beta, c).parts(count)
}

/// A product of items that are cells.
fn real_product<T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    c: MatMut<'_, T>,
) -> Product<T> {
    let loops = T::loops(isa);
    let operand = |view| Operand::new(view, loops.packs, true);
    let mut whole = product(isa, alpha, (operand(a), operand(b)), a.shape().1, beta, c);
    if whole.n == 1 && whole.b.row == 1 {
        whole.column = match whole.a {
            Operand { row: 1, .. } => Column::Cells(loops.sweep),
            // A product of one row with a matrix must have the bits that it has in one of more rows.
            Operand { column: 1, .. } if b.shape().1 == 1 => Column::Cells(loops.dots),
            Operand { column: 1, .. } => Column::Cells(loops.turned),
            _ => Column::Tile,
        };
    }
    whole
}

/// About `count` parts of `c = a * b`, whose items become cells as they are copied.
pub(super) fn narrow_parts<'a, A: Narrow, B: Narrow<Cell = A::Cell>>(
    isa: Isa,
    (a, b): (MatRef<'a, A>, MatRef<'a, B>),
    c: MatMut<'a, <A::Cell as Cell>::Sum>,
    count: usize,
) -> GemmParts<'a, A::Cell> {
    let (left, right) = (A::loops(isa), B::loops(isa));
    let operands = (
        Operand::new(a, left.packs, false),
        Operand::new(b, right.packs, false),
    );
    let (one, zero) = (A::Cell::UNIT, Default::default());
    let mut whole = product(isa, one, operands, a.shape().1, zero, c);
    if let (1, 1, Some((dots, _)), Some((_, cells))) =
        (b.shape().1, a.strides().1, left.column, right.column)
    {
        whole.column = Column::Rows(dots, cells);
    }
    whole.parts(count)
}

/// A product with the columns of its result side by side, if it has such.
fn product<P: Cell>(
    isa: Isa,
    alpha: P::Sum,
    (a, b): (Operand<P>, Operand<P>),
    k: usize,
    beta: P::Sum,
    mut c: MatMut<'_, P::Sum>,
) -> Product<P> {
    let ((m, n), (c_row, c_column)) = (c.shape(), c.strides());
    let whole = Product {
        tile: P::tile(isa),
        column: Column::Tile,
        m,
        n,
        k,
        a,
        b,
        c: c.data_mut().as_mut_ptr(),
        c_row,
        c_column,
        alpha,
        beta: (beta != P::Sum::default()).then_some(beta),
    };
    // Registers lie along the columns of the result, so these must be what lies side by side.
    if n != 1 && (m == 1 || c_row != 1 && c_column == 1) {
        return Product {
            m: n,
            n: m,
            a: b.transpose(),
            b: a.transpose(),
            c_row: c_column,
            c_column: c_row,
            ..whole
        };
    }
    whole
}

impl<P: Cell> Product<P> {
    /// Views prove at construction that all their items lie inside their slices, and that those of `c` do
    /// not share places; `c` is borrowed mutably for as long as the parts live, so it is apart from `a` and
    /// `b`.
    fn parts<'a>(self, count: usize) -> GemmParts<'a, P> {
        GemmParts {
            whole: self,
            step: self.grid(count),
            next: (0, 0),
            borrows: PhantomData,
        }
    }

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
    unsafe fn run(&self, workspace: *mut P) {
        let depth = depth::<P>(self.k);
        match self.column {
            Column::Tile => {}
            Column::Cells(column) => {
                let it = MatVec {
                    rows: self.m,
                    k: self.k,
                    depth,
                    a: self.a.data.cast(),
                    a_row: self.a.row,
                    a_column: self.a.column,
                    x: self.b.data.cast(),
                    y: self.c,
                    y_step: self.c_row,
                    alpha: self.alpha,
                    beta: self.beta,
                };
                // SAFETY: there is one column, and operands lie as the function wants them.
                return unsafe { column(&it) };
            }
            Column::Rows(dots, to_cells) => {
                let it = CellVec {
                    rows: self.m,
                    k: self.k,
                    a: self.a.data,
                    a_row: self.a.row,
                    x: workspace,
                    y: self.c,
                    y_step: self.c_row,
                };
                // SAFETY: as above; the workspace holds the cells of the column.
                return unsafe {
                    to_cells(self.b.data, self.b.row, self.k, workspace);
                    dots(&it);
                };
            }
        }
        let rows = block_rows(&self.tile, self.m);
        let columns = block_columns(&self.tile, self.n);
        let right = workspace.wrapping_add(rows * cells::<P>(depth));
        for j in (0..self.n).step_by(columns) {
            let columns = columns.min(self.n - j);
            // Without products the result is still scaled.
            for l in (0..self.k.max(1)).step_by(depth) {
                let numbers = depth.min(self.k - l);
                let beta = if l == 0 { self.beta } else { Some(P::UNIT) };
                // SAFETY: the block lies inside the operands, and the workspace holds it.
                unsafe {
                    self.block_of_columns((j, columns), (l, numbers), beta, rows, workspace, right);
                }
            }
        }
    }

    unsafe fn block_of_columns(
        &self,
        (j, columns): (usize, usize),
        (l, numbers): (usize, usize),
        beta: Option<P::Sum>,
        rows: usize,
        left: *mut P,
        right: *mut P,
    ) {
        let depth = cells::<P>(numbers);
        // A right operand is read once for each tile's height of rows; below that a copy costs more.
        let b = self.b.at(l, j);
        let most = match b.row {
            1 if !shares_sets(b.column * b.size) => DIRECT_ALONG,
            1 => DIRECT_CROWDED,
            _ => DIRECT_ACROSS,
        };
        let is_packed = !b.is_cells || self.m > most * self.tile.rows;
        if is_packed {
            let (b, width) = (b.transpose(), self.tile.columns);
            // SAFETY: the workspace holds the block.
            unsafe { pack(b, (columns, numbers), width, b.packs.columns, right) };
        }
        for i in (0..self.m).step_by(rows) {
            let rows = rows.min(self.m - i);
            let a = self.a.at(i, l);
            // The same of the left one; but rows that do not fill a tile must be filled up.
            let is_direct = a.is_cells && a.row == 1 && columns <= DIRECT_LEFT * self.tile.columns;
            let whole = if is_direct {
                rows / self.tile.rows * self.tile.rows
            } else {
                0
            };
            if whole < rows {
                let a = a.at(whole, 0);
                let rows = rows - whole;
                // SAFETY: as above.
                unsafe { pack(a, (rows, numbers), self.tile.rows, a.packs.rows, left) };
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
                    (b.at(0, jj).cells(), b.row, b.column)
                };
                for ii in (0..rows).step_by(self.tile.rows) {
                    let (a, a_step) = if ii < whole {
                        (a.at(ii, 0).cells(), a.column)
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

/// Copies a block in strips of `width` rows: for each strip and each of its columns, its cells side by
/// side. What is missing in the last strip repeats its last row.
///
/// # Safety
/// The block is readable, `to` has room for all strips, and `strip` copies `width` rows.
unsafe fn pack<P: Cell>(
    from: Operand<P>,
    (rows, numbers): (usize, usize),
    width: usize,
    strip: Pack<P>,
    to: *mut P,
) {
    for i in (0..rows).step_by(width) {
        let to = to.wrapping_add(i * cells::<P>(numbers));
        let size = (width.min(rows - i), numbers);
        // SAFETY: the caller says so.
        unsafe { strip(from.at(i, 0).data, (from.row, from.column), size, to) };
    }
}
