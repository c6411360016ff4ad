//! Products of several matrices, and matrices made of matrices.

use crate::{Context, Error, Field, MatMut, MatRef};

/// The Kronecker product into `result`: each item of `a` times all of `b`. Costs a multiplication for each item.
///
/// # Errors
/// `InvalidInput` when `a` is `m x n`, `b` is `p x q` and `result` not `m p x n q`.
pub fn kron<T: Field>(
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let ((m, n), (p, q)) = (a.shape(), b.shape());
    if m.checked_mul(p).zip(n.checked_mul(q)) != Some(result.shape()) {
        let message = "take the Kronecker product of";
        return Err(Error::shapes(message, (m, n), (p, q), result.shape()));
    }
    for i in 0..m * p {
        for j in 0..n {
            let factor = a.get(i / p, j);
            for (k, &item) in b.row(i % p).enumerate() {
                *result.item(i, j * q + k) = factor * item;
            }
        }
    }
    Ok(())
}

/// Matrices along the diagonal of `result`, zeros elsewhere.
///
/// # Errors
/// `InvalidInput` when `result` has not as many rows and columns as all of them.
pub fn block_diag<T: Copy + Default>(
    blocks: &[MatRef<'_, T>],
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let sum = |(rows, columns): (usize, usize), block: &MatRef<'_, T>| {
        let (m, n) = block.shape();
        (rows + m, columns + n)
    };
    let (m, n) = blocks.iter().fold((0, 0), sum);
    if result.shape() != (m, n) {
        let (rows, columns) = result.shape();
        let message = format!("cannot lay blocks of {m}x{n} together along {rows}x{columns}");
        return Err(Error::invalid(message));
    }
    for i in 0..m {
        for j in 0..n {
            *result.item(i, j) = T::default();
        }
    }
    let (mut row, mut column) = (0, 0);
    for block in blocks {
        let (p, q) = block.shape();
        for i in 0..p {
            for (j, &item) in block.row(i).enumerate() {
                *result.item(row + i, column + j) = item;
            }
        }
        (row, column) = (row + p, column + q);
    }
    Ok(())
}

/// The product of a chain of matrices into `result`, in the order that costs least: T. H. Cormen et al.,
/// "Introduction to Algorithms", section 14.2. The order depends on the shapes alone. Costs the products, their
/// results but the last, and a table of the square of the number of matrices.
///
/// # Errors
/// `InvalidInput` for no matrices, more than [`CHAIN_MAX`], and shapes that do not fit.
pub fn multi_dot<T: Field>(
    context: Context,
    chain: &[MatRef<'_, T>],
    mut result: MatMut<'_, T>,
) -> Result<(), Error> {
    let lens = chain.iter().map(|a| a.shape().0);
    let lens: Vec<usize> = lens.chain(chain.last().map(|a| a.shape().1)).collect();
    let order = chain_order(&lens)?;
    for (at, pair) in chain.windows(2).enumerate() {
        let ((m, n), (p, q)) = (pair[0].shape(), pair[1].shape());
        if n != p {
            let next = at + 1;
            let message = format!(
                "cannot multiply a chain: matrices {at} and {next} are {m}x{n} and {p}x{q}"
            );
            return Err(Error::invalid(message));
        }
    }
    let (m, n) = (lens[0], lens[chain.len()]);
    if result.shape() != (m, n) {
        let (rows, columns) = result.shape();
        let message = format!("cannot multiply a chain of {m}x{n} into {rows}x{columns}");
        return Err(Error::invalid(message));
    }
    multiply(
        context,
        chain,
        &order,
        (0, chain.len() - 1),
        result.reborrow(),
    )
}

/// Matrices in one chain.
pub const CHAIN_MAX: usize = 512;

/// The order of [`multi_dot`] for matrices with these rows, and the columns of the last one: `[first][last]` of the
/// result is the matrix after which the part from `first` to `last` is cut in two. Costs the cube of the number of
/// matrices.
///
/// # Errors
/// `InvalidInput` for no matrices and more than [`CHAIN_MAX`].
pub fn chain_order(lens: &[usize]) -> Result<Vec<Vec<usize>>, Error> {
    let count = lens.len().saturating_sub(1);
    if count == 0 {
        let message = "cannot multiply a chain of no matrices".to_owned();
        return Err(Error::invalid(message));
    }
    if count > CHAIN_MAX {
        let message = format!("cannot multiply a chain of {count} matrices: more than {CHAIN_MAX}");
        return Err(Error::invalid(message));
    }
    let lens: Vec<f64> = lens.iter().map(|&len| len as f64).collect();
    let mut costs = vec![vec![0.0_f64; count]; count];
    let mut cuts = vec![vec![0; count]; count];
    for width in 1..count {
        for first in 0..count - width {
            let last = first + width;
            let cost = |cut: usize| {
                let product = lens[first] * lens[cut + 1] * lens[last + 1];
                costs[first][cut] + costs[cut + 1][last] + product
            };
            let mut best = (cost(first), first);
            for cut in first + 1..last {
                let found = cost(cut);
                if found < best.0 {
                    best = (found, cut);
                }
            }
            (costs[first][last], cuts[first][last]) = best;
        }
    }
    Ok(cuts)
}

fn multiply<T: Field>(
    context: Context,
    chain: &[MatRef<'_, T>],
    cuts: &[Vec<usize>],
    (first, last): (usize, usize),
    result: MatMut<'_, T>,
) -> Result<(), Error> {
    if first == last {
        crate::dense::copy_into(chain[first], result);
        return Ok(());
    }
    let cut = cuts[first][last];
    let mut items = (Vec::new(), Vec::new());
    let left = part(context, chain, cuts, (first, cut), &mut items.0)?;
    let right = part(context, chain, cuts, (cut + 1, last), &mut items.1)?;
    context.gemm(T::ONE, left, right, T::default(), result);
    Ok(())
}

/// One side of a product: a matrix of the chain as it is, or a product in `items`.
fn part<'a, T: Field>(
    context: Context,
    chain: &[MatRef<'a, T>],
    cuts: &[Vec<usize>],
    (first, last): (usize, usize),
    items: &'a mut Vec<T>,
) -> Result<MatRef<'a, T>, Error> {
    if first == last {
        return Ok(chain[first]);
    }
    let (m, n) = (chain[first].shape().0, chain[last].shape().1);
    items.resize(m * n, T::default());
    let view = MatMut::new(items, m, n)?;
    multiply(context, chain, cuts, (first, last), view)?;
    Ok(MatRef::new(items, m, n)?)
}
