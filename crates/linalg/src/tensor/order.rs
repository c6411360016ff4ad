//! The order in which operands are contracted, two at a time.
//!
//! A contraction costs the product of the lengths of all its axes, and as much again where one of them is summed
//! over: the measure of D. G. A. Smith, J. Gray, "`opt_einsum`" (JOSS, 2018).

/// A set of axes: a bit for each label.
pub(super) type Labels = u128;

/// Pairs of positions in a list of operands, the lesser first. A pair leaves the list, and its result goes to the
/// end of it.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) path: Vec<(usize, usize)>,
    pub(super) cost: f64,
}

/// Operands up to which the cheapest order is found: `3^n / 2` pairs are compared.
pub(super) const EXACT_MAX: usize = 10;

/// Finds an order: the cheapest one of few operands, a good one of many.
pub(super) fn order(terms: &[Labels], output: Labels, sizes: &[usize]) -> Order {
    let problem = Problem {
        terms,
        output,
        sizes,
    };
    match terms.len() {
        0 | 1 => Order::default(),
        2..=EXACT_MAX => problem.exact(),
        _ => problem.greedy(),
    }
}

struct Problem<'a> {
    terms: &'a [Labels],
    output: Labels,
    sizes: &'a [usize],
}

impl Problem<'_> {
    /// How many items an array with these axes has.
    fn size(&self, mut labels: Labels) -> f64 {
        let mut size = 1.0;
        while labels != 0 {
            size *= self.sizes[labels.trailing_zeros() as usize] as f64;
            labels &= labels - 1;
        }
        size
    }

    /// What it costs to join two arrays, of whose axes `keep` are needed later.
    fn cost(&self, a: Labels, b: Labels, keep: Labels) -> f64 {
        let sums = a & b & !keep != 0;
        self.size(a | b) * if sums { 2.0 } else { 1.0 }
    }

    /// By the cheapest orders of all subsets.
    fn exact(&self) -> Order {
        let n = self.terms.len();
        let all = (1_usize << n) - 1;
        let mut union = vec![0; all + 1];
        for set in 1..=all {
            let last = set & (set - 1);
            union[set] = union[last] | self.terms[set.trailing_zeros() as usize];
        }
        let keep: Vec<Labels> = (0..=all)
            .map(|set| union[set] & (self.output | union[all ^ set]))
            .collect();
        let mut best = vec![(f64::INFINITY, 0_usize); all + 1];
        for set in 1..=all {
            let lowest = set & set.wrapping_neg();
            let rest = set ^ lowest;
            if rest == 0 {
                best[set] = (0.0, 0);
                continue;
            }
            // Each cut of the set in two, once: one side has the lowest operand.
            let mut other = rest;
            while other != 0 {
                let one = set ^ other;
                let before = best[one].0 + best[other].0;
                let first = best[set].1 == 0;
                if first || before < best[set].0 {
                    let cost = before + self.cost(keep[one], keep[other], keep[set]);
                    if first || cost < best[set].0 {
                        best[set] = (cost, other);
                    }
                }
                other = (other - 1) & rest;
            }
        }
        let mut order = Order {
            path: Vec::with_capacity(n - 1),
            cost: best[all].0,
        };
        let mut list: Vec<usize> = (0..n).map(|term| 1 << term).collect();
        emit(&best, all, &mut list, &mut order.path);
        order
    }

    /// The best of some orders that each look one step ahead.
    fn greedy(&self) -> Order {
        let size = |labels| self.size(labels);
        // What a step makes is compared with what it takes, in four ways.
        let ranks: [&dyn Fn(Labels, Labels, Labels) -> f64; 4] = [
            &|a, b, kept| size(kept) - size(a) - size(b),
            &|a, b, kept| size(kept) - f64::midpoint(size(a), size(b)),
            &|a, b, kept| size(kept) / (size(a) + size(b)),
            &|a, b, kept| size(kept) / size(a).max(size(b)),
        ];
        let orders = ranks.map(|rank| self.ahead(rank));
        let best = orders.into_iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
        best.unwrap_or_default()
    }

    /// Always the pair of least rank; pairs that share no axis last, the cheapest first.
    fn ahead(&self, rank: &dyn Fn(Labels, Labels, Labels) -> f64) -> Order {
        let mut order = Order::default();
        // Axes of one operand alone go before anything else.
        let kept = |at: usize| self.terms[at] & (self.output | others(self.terms, (at, at)));
        let mut list: Vec<Labels> = (0..self.terms.len()).map(kept).collect();
        while list.len() > 1 {
            let (mut best, mut pair): (Option<(bool, f64, f64)>, _) = (None, (0, 1));
            for (i, j) in (1..list.len()).flat_map(|j| (0..j).map(move |i| (i, j))) {
                let (a, b) = (list[i], list[j]);
                let apart = a & b == 0;
                if apart && best.is_some_and(|(apart, ..)| !apart) {
                    continue;
                }
                let kept = (a | b) & (self.output | others(&list, (i, j)));
                let cost = self.cost(a, b, kept);
                let found = (apart, if apart { cost } else { rank(a, b, kept) }, cost);
                if best.is_none_or(|best| found < best) {
                    (best, pair) = (Some(found), (i, j));
                }
            }
            let (i, j) = pair;
            let (a, b) = (list[i], list[j]);
            let kept = (a | b) & (self.output | others(&list, pair));
            order.cost += self.cost(a, b, kept);
            list.remove(j);
            list.remove(i);
            list.push(kept);
            order.path.push(pair);
        }
        order
    }
}

/// The axes of all operands but two.
fn others(list: &[Labels], (i, j): (usize, usize)) -> Labels {
    let rest = list
        .iter()
        .enumerate()
        .filter(|&(at, _)| at != i && at != j);
    rest.fold(0, |all, (_, &labels)| all | labels)
}

/// Writes down the joins that make up a set, and leaves the set at the end of the list.
fn emit(best: &[(f64, usize)], set: usize, list: &mut Vec<usize>, path: &mut Vec<(usize, usize)>) {
    let other = best[set].1;
    if other == 0 {
        return;
    }
    emit(best, set ^ other, list, path);
    emit(best, other, list, path);
    let place = |part: usize| list.iter().position(|&at| at == part);
    if let (Some(i), Some(j)) = (place(set ^ other), place(other)) {
        let pair = (i.min(j), i.max(j));
        list.remove(pair.1);
        list.remove(pair.0);
        list.push(set);
        path.push(pair);
    }
}
