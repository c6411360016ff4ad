//! Einstein's summation against a loop over all indices, in any layout; orders against `opt_einsum`.

use nexus_linalg::tensor::{ArrayMut, ArrayRef, Einsum, einsum, row_major};
use nexus_linalg::{Context, ErrorKind};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZero;

/// An array in a layout that need not be dense.
#[derive(Clone, Debug)]
struct Stored {
    items: Vec<f64>,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Stored {
    /// Small whole numbers, so that sums are exact in any order; axes lie in memory in this order.
    fn of(shape: &[usize], memory: &[usize], gap: usize, seed: usize) -> Self {
        let mut strides = vec![0; shape.len()];
        let mut reach = 1;
        for &axis in memory.iter().rev() {
            strides[axis] = reach;
            reach = reach * shape[axis].max(1) + gap;
        }
        let items = (0..reach).map(|i| ((i * 7 + seed * 5) % 11) as f64 - 5.0);
        Self {
            items: items.collect(),
            shape: shape.to_vec(),
            strides,
        }
    }

    fn dense(shape: &[usize], seed: usize) -> Self {
        let memory: Vec<usize> = (0..shape.len()).collect();
        Self::of(shape, &memory, 0, seed)
    }

    fn view(&self) -> ArrayRef<'_, f64> {
        ArrayRef::new(&self.items, &self.shape, &self.strides).unwrap()
    }
}

/// The sum by a loop over all indices, for subscripts with letters and `->` alone.
fn brute_force(subscripts: &str, operands: &[Stored]) -> Vec<f64> {
    let (inputs, output) = subscripts.split_once("->").unwrap();
    let inputs: Vec<&str> = inputs.split(',').collect();
    let mut sizes = BTreeMap::new();
    for (labels, operand) in inputs.iter().zip(operands) {
        for (label, &len) in labels.chars().zip(&operand.shape) {
            let size = sizes.entry(label).or_insert(1);
            *size = len.max(*size).min(if len == 0 { 0 } else { usize::MAX });
        }
    }
    let shape: Vec<usize> = output.chars().map(|label| sizes[&label]).collect();
    let strides = row_major(&shape);
    let mut result = vec![0.0; shape.iter().product()];
    let labels: Vec<char> = sizes.keys().copied().collect();
    let total: usize = sizes.values().product();
    for mut at in 0..total {
        let mut index = BTreeMap::new();
        for label in &labels {
            index.insert(*label, at % sizes[label]);
            at /= sizes[label];
        }
        let mut term = 1.0;
        for (names, operand) in inputs.iter().zip(operands) {
            let place = names.chars().enumerate().map(|(axis, label)| {
                let at = if operand.shape[axis] == 1 {
                    0
                } else {
                    index[&label]
                };
                at * operand.strides[axis]
            });
            term *= operand.items[place.sum::<usize>()];
        }
        let place = output
            .chars()
            .zip(&strides)
            .map(|(label, stride)| index[&label] * stride);
        result[place.sum::<usize>()] += term;
    }
    result
}

fn check(subscripts: &str, operands: &[Stored]) {
    let views: Vec<_> = operands.iter().map(Stored::view).collect();
    let found = einsum(Context::default(), subscripts, &views).unwrap();
    assert_eq!(
        found.items(),
        brute_force(subscripts, operands),
        "{subscripts}"
    );
}

#[test]
fn sums_of_products_are_those_of_a_loop_over_all_indices() {
    let cases: &[(&str, &[&[usize]])] = &[
        ("->", &[&[]]),
        ("i->", &[&[4]]),
        ("i->i", &[&[0]]),
        ("ij->ji", &[&[3, 4]]),
        ("ij->j", &[&[3, 4]]),
        ("ii->", &[&[4, 4]]),
        ("ii->i", &[&[4, 4]]),
        ("iij->ji", &[&[3, 3, 2]]),
        ("iijj->j", &[&[3, 3, 2, 2]]),
        ("i,i->", &[&[7], &[7]]),
        ("i,i->i", &[&[7], &[7]]),
        ("i,j->ji", &[&[3], &[5]]),
        (",ij->ij", &[&[], &[3, 5]]),
        ("ij,jk->ik", &[&[13, 9], &[9, 11]]),
        ("ij,jk->ki", &[&[13, 9], &[9, 11]]),
        ("ji,kj->ik", &[&[9, 13], &[11, 9]]),
        ("bij,bjk->bik", &[&[3, 6, 5], &[3, 5, 7]]),
        ("bij,bjk->ikb", &[&[3, 6, 5], &[3, 5, 7]]),
        ("bij,jk->bik", &[&[3, 6, 5], &[5, 7]]),
        ("ibj,kjb->ik", &[&[6, 3, 5], &[7, 5, 3]]),
        ("ij,jk->ik", &[&[3, 0], &[0, 2]]),
        ("bij,bjk->bik", &[&[2, 3, 0], &[2, 0, 4]]),
        ("bij,bjk->bik", &[&[2, 0, 3], &[2, 3, 4]]),
        ("ij,kj->i", &[&[3, 4], &[5, 4]]),
        ("ij,jk->ik", &[&[3, 1], &[4, 5]]),
        ("bi,bi->b", &[&[1, 4], &[3, 1]]),
        ("bi,bi->bi", &[&[1, 4], &[3, 1]]),
        ("ij,ij,ij->ij", &[&[4, 3], &[4, 3], &[4, 3]]),
        ("ij,jk,kl->il", &[&[4, 3], &[3, 5], &[5, 2]]),
        (
            "ea,fb,abcd,gc,hd->efgh",
            &[&[3, 2], &[3, 4], &[2, 4, 3, 5], &[2, 3], &[2, 5]],
        ),
        ("abc,bd,cde->ae", &[&[3, 4, 5], &[4, 2], &[5, 2, 3]]),
        ("aab,bcc,cd->ad", &[&[3, 3, 2], &[2, 4, 4], &[4, 5]]),
        (
            "abcdefgh,hgfedcba->",
            &[&[2, 1, 3, 2, 1, 2, 2, 3], &[3, 2, 2, 1, 2, 3, 1, 2]],
        ),
    ];
    for (subscripts, shapes) in cases {
        let operands = shapes.iter().enumerate();
        let operands: Vec<_> = operands
            .map(|(seed, shape)| Stored::dense(shape, seed))
            .collect();
        check(subscripts, &operands);
    }
}

/// Results of `numpy.einsum` (`NumPy` 2.4.6) of operands that count from 0.
#[test]
fn ellipses_spaces_and_implied_results_are_those_of_numpy() {
    type Case = (
        &'static str,
        &'static [&'static [usize]],
        &'static [usize],
        &'static [f64],
    );
    let cases: &[Case] = &[
        ("i...->...", &[&[2, 3]], &[3], &[3.0, 5.0, 7.0]),
        (
            "...,...",
            &[&[2, 1], &[3]],
            &[2, 3],
            &[0.0, 0.0, 0.0, 0.0, 1.0, 2.0],
        ),
        ("...i,...i", &[&[2, 2], &[2]], &[2], &[1.0, 3.0]),
        (
            " i j , j k -> i k",
            &[&[2, 2], &[2, 2]],
            &[2, 2],
            &[2.0, 3.0, 6.0, 11.0],
        ),
        ("iI", &[&[2, 3]], &[3, 2], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
        ("Ii", &[&[2, 3]], &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("ij,jk", &[&[2, 1], &[3, 2]], &[2, 2], &[0.0, 0.0, 6.0, 9.0]),
        ("...ii->...", &[&[2, 3, 3]], &[2], &[12.0, 39.0]),
        ("i,i", &[&[1], &[3]], &[], &[0.0]),
        ("bi,bi->b", &[&[1, 2], &[3, 1]], &[3], &[0.0, 1.0, 2.0]),
        ("...", &[&[2, 3]], &[2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
        ("", &[&[]], &[], &[0.0]),
        ("i->", &[&[0]], &[], &[0.0]),
    ];
    for (subscripts, shapes, shape, expected) in cases {
        let items: Vec<f64> = (0..64).map(f64::from).collect();
        let strides: Vec<_> = shapes.iter().map(|shape| row_major(shape)).collect();
        let views = shapes.iter().zip(&strides);
        let views: Vec<_> = views
            .map(|(shape, strides)| ArrayRef::new(&items, shape, strides).unwrap())
            .collect();
        let found = einsum(Context::default(), subscripts, &views).unwrap();
        assert_eq!(
            (found.shape(), found.items()),
            (*shape, *expected),
            "{subscripts}"
        );
    }
}

#[test]
fn subscripts_that_do_not_fit_are_errors_that_say_why() {
    let cases: &[(&str, &[&[usize]], &str)] = &[
        ("i,j", &[&[2]], "they name 2 operands, and there are 1"),
        (
            "i",
            &[&[2, 2]],
            "operand 0 has 2 axes, and its subscripts name 1",
        ),
        (
            "...ij",
            &[&[2]],
            "operand 0 has 1 axes, and its subscripts name 2",
        ),
        ("ij->iij", &[&[2, 2]], "the result names `i` twice"),
        (
            "ij->k",
            &[&[2, 2]],
            "the result names `k`, which no operand has",
        ),
        (
            "...i->i",
            &[&[2, 3]],
            "the result has no ellipsis for the axes behind one",
        ),
        (
            "i..",
            &[&[2, 2]],
            "a `.` is no part of the one ellipsis that an operand may have",
        ),
        (
            "i....",
            &[&[2, 2]],
            "a `.` is no part of the one ellipsis that an operand may have",
        ),
        (
            "i...j...",
            &[&[2, 2]],
            "a `.` is no part of the one ellipsis that an operand may have",
        ),
        ("i->i->i", &[&[2]], "there is no single `->`"),
        ("i-i", &[&[2]], "there is no single `->`"),
        ("i1", &[&[2, 3]], "`1` is no letter"),
        (
            "ii",
            &[&[1, 3]],
            "the diagonal `i` of operand 0 is of axes of lengths 1 and 3",
        ),
        (
            "ij,jk",
            &[&[2, 3], &[4, 5]],
            "`j` has length 4 in axis 0 of operand 1, and 3 before",
        ),
        (
            "...,...",
            &[&[2], &[3]],
            "axis -1 of an ellipsis has length 3 in axis 0 of operand 1, and 2 before",
        ),
    ];
    for (subscripts, shapes, why) in cases {
        let error = Einsum::new(subscripts, shapes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let expected = format!("cannot follow the subscripts `{subscripts}`: {why}");
        assert_eq!(error.to_string(), expected);
    }
    let many = ["i"; 65].join(",");
    let error = Einsum::new(&many, &[&[2][..]; 65]).unwrap_err().to_string();
    assert!(
        error.ends_with("they name 65 operands, more than 64"),
        "{error}"
    );
    let huge = Einsum::new("i,j->ij", &[&[1 << 40], &[1 << 40]]).unwrap();
    assert_eq!(huge.shape(), [1 << 40, 1 << 40]);
    let view = ArrayRef::new(&[1.0], &[1 << 40], &[0]).unwrap();
    let error = einsum(Context::default(), "i,j->ij", &[view, view]).unwrap_err();
    assert!(error.to_string().ends_with("no memory has room for it"));
    let error = huge.run(
        Context::default(),
        &[view],
        ArrayMut::new(&mut [0.0], &[], &[]).unwrap(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("cannot contract arrays of shapes [[1099511627776]] into []"));
}

/// Subscripts, shapes and what they cost by `opt_einsum` 3.4.0.
type Cost = (&'static str, &'static [&'static [usize]], f64);

/// Few operands.
const EXACT: &[Cost] = &[
    ("ij,jk,kl->il", &[&[100, 2], &[2, 100], &[100, 3]], 2400.0),
    (
        "ea,fb,abcd,gc,hd->efgh",
        &[
            &[10, 10],
            &[10, 10],
            &[10, 10, 10, 10],
            &[10, 10],
            &[10, 10],
        ],
        800_000.0,
    ),
    (
        "ab,bc,cd,de,ef->af",
        &[&[30, 35], &[35, 15], &[15, 5], &[5, 10], &[10, 20]],
        23750.0,
    ),
    (
        "ab,bc,cd,da->",
        &[&[8, 9], &[9, 10], &[10, 11], &[11, 8]],
        3344.0,
    ),
    (
        "abc,bd,cde,ef->af",
        &[&[4, 5, 6], &[5, 7], &[6, 7, 8], &[8, 3]],
        3996.0,
    ),
    ("a,b,c->abc", &[&[3], &[4], &[5]], 72.0),
    ("ab,ab,ab->ab", &[&[5, 6], &[5, 6], &[5, 6]], 60.0),
    (
        "abcf,a,bcde->def",
        &[&[7, 8, 3, 5], &[7], &[8, 3, 7, 2]],
        5040.0,
    ),
    (
        "abcd,aegh,bde,cf->fgh",
        &[&[3, 8, 5, 8], &[3, 3, 2, 2], &[8, 8, 3], &[5, 2]],
        6084.0,
    ),
    (
        "abdef,a,bceh,cg,dfi->ghi",
        &[&[6, 4, 4, 5, 3], &[6], &[4, 6, 5, 8], &[6, 5], &[4, 3, 9]],
        28800.0,
    ),
    (
        "abdgk,a,bcfi,cfhj,degh,e->ijk",
        &[
            &[9, 6, 5, 6, 8],
            &[9],
            &[6, 4, 9, 4],
            &[4, 9, 3, 4],
            &[5, 6, 6, 3],
            &[6],
        ],
        60984.0,
    ),
    (
        "adfi,ab,bceghj,ch,dk,efg->ijk",
        &[
            &[3, 9, 9, 7],
            &[3, 7],
            &[7, 9, 3, 2, 9, 9],
            &[9, 9],
            &[9, 4],
            &[3, 9, 2],
        ],
        93636.0,
    ),
    (
        "abcl,afhk,b,cdeghi,dg,eij,f->jkl",
        &[
            &[3, 2, 6, 4],
            &[3, 3, 6, 8],
            &[2],
            &[6, 5, 8, 9, 6, 6],
            &[5, 9],
            &[8, 6, 7],
            &[3],
        ],
        194_976.0,
    ),
    (
        "abe,ach,bd,cfijkl,dg,ehi,fg->jkl",
        &[
            &[4, 5, 6],
            &[4, 2, 7],
            &[5, 4],
            &[2, 4, 2, 8, 8, 3],
            &[4, 7],
            &[6, 7, 2],
            &[4, 7],
        ],
        8960.0,
    ),
];

/// Many operands.
const MANY: &[Cost] = &[
    (
        "abdfi,achmop,bkr,cj,degkoq,el,f,gn,h,il,jmn->pqr",
        &[
            &[8, 5, 4, 2, 7],
            &[8, 5, 4, 9, 9, 4],
            &[5, 8, 9],
            &[5, 3],
            &[4, 7, 2, 8, 9, 7],
            &[7, 7],
            &[2],
            &[2, 9],
            &[4],
            &[7, 7],
            &[3, 9, 9],
        ],
        2_057_472.0,
    ),
    (
        "abdm,afqr,bc,cikrs,den,ehlqs,fgj,gnptu,h,iot,j,ko,lpv,mw->uvw",
        &[
            &[2, 7, 6, 2],
            &[2, 7, 7, 5],
            &[7, 2],
            &[2, 5, 5, 5, 9],
            &[6, 6, 6],
            &[6, 5, 9, 7, 9],
            &[7, 7, 5],
            &[7, 6, 7, 5, 2],
            &[5],
            &[5, 5, 5],
            &[5],
            &[5, 5],
            &[9, 7, 7],
            &[2, 3],
        ],
        14_469_870.0,
    ),
    (
        "adio,abcw,bhn,cepCE,dyB,efgAB,fr,gF,hs,ijlt,jkmuD,kw,l,mqv,nA,oC,ptxyz,qv,rux,sz->DEF",
        &[
            &[3, 7, 4, 4],
            &[3, 5, 4, 4],
            &[5, 4, 7],
            &[4, 8, 2, 4, 9],
            &[7, 8, 2],
            &[8, 8, 3, 2, 2],
            &[8, 5],
            &[3, 2],
            &[4, 2],
            &[4, 4, 4, 5],
            &[4, 9, 9, 5, 2],
            &[9, 4],
            &[4],
            &[9, 4, 6],
            &[7, 2],
            &[4, 4],
            &[2, 5, 9, 8, 4],
            &[4, 6],
            &[5, 5, 9],
            &[2, 4],
        ],
        1_109_312.0,
    ),
];

/// The peer's costs are those of `optimize="optimal"` for few operands, and of `"greedy"` for many.
#[test]
fn few_operands_cost_what_opt_einsum_finds_and_many_at_most_a_twentieth_more() {
    for (subscripts, shapes, cost) in EXACT {
        let plan = Einsum::new(subscripts, shapes).unwrap();
        assert_eq!(plan.cost(), *cost, "{subscripts}: {:?}", plan.path());
        assert_eq!(plan.path().len(), shapes.len() - 1);
    }
    for (subscripts, shapes, cost) in MANY {
        let plan = Einsum::new(subscripts, shapes).unwrap();
        assert!(
            plan.cost() <= 1.05 * cost,
            "{subscripts}: {} > {cost}",
            plan.cost()
        );
    }
}

#[test]
fn orders_of_empty_and_of_endless_arrays_are_orders_too() {
    for len in [0, usize::MAX] {
        let subscripts = "ABCDEFGHIJKLMNOPQRSTUVWXYZ,ABCDEFGHIJKLMNOPQRSTUVWXYZ,A,B->";
        let shape = [len; 26];
        let plan = Einsum::new(subscripts, &[&shape, &shape, &[len], &[len]]).unwrap();
        assert_eq!((plan.path().len(), plan.shape().len()), (3, 0));
    }
}

/// Subscripts, what the axes `abcde` may be, and how their memory lies.
const SHAPED: &[&str] = &[
    "abc,cd->abd",
    "abc,dcb->ad",
    "abcd,dcbe->ae",
    "abc,bcd,de->ae",
    "aab,bc->ca",
    "abcd,acbe->abcde",
    "abc->ca",
    "abcd,bd->ca",
    "ab,bc,cd,da->",
];

proptest! {
    #[test]
    fn any_layout_gives_the_same_bits(
        which in 0..SHAPED.len(),
        lens in prop::collection::vec(1_usize..6, 5),
        turns in prop::collection::vec(any::<prop::sample::Index>(), 16),
        gap in 0_usize..3,
        threads in 1_usize..4,
    ) {
        let subscripts = SHAPED[which];
        let (inputs, output) = subscripts.split_once("->").unwrap();
        let len = |label: char| lens[label as usize - 'a' as usize];
        let shape = |labels: &str| labels.chars().map(len).collect::<Vec<_>>();
        let mut turns = turns.into_iter();
        let mut memory = |rank: usize| {
            let mut axes: Vec<usize> = (0..rank).collect();
            for i in 1..rank {
                axes.swap(i, turns.next().map_or(0, |turn| turn.index(i + 1)));
            }
            axes
        };
        let strided: Vec<Stored> = inputs
            .split(',')
            .enumerate()
            .map(|(seed, labels)| Stored::of(&shape(labels), &memory(labels.len()), gap, seed))
            .collect();
        check(subscripts, &strided);
        // Numbers whose sums depend on their order.
        let value = |i: usize| (i as f64 * 0.7).sin();
        let (mut odd, mut dense) = (strided.clone(), strided.clone());
        for (odd, dense) in odd.iter_mut().zip(&mut dense) {
            *dense = Stored::dense(&odd.shape, 0);
            for at in 0..dense.items.len().min(odd.shape.iter().product()) {
                let place = dense.strides.iter().zip(&odd.shape).zip(&odd.strides);
                let place = place.map(|((stride, len), to)| at / stride % len * to);
                odd.items[place.sum::<usize>()] = value(at);
                dense.items[at] = value(at);
            }
        }
        let views = |operands: &[Stored]| -> Vec<Vec<usize>> {
            operands.iter().map(|operand| operand.shape.clone()).collect()
        };
        prop_assert_eq!(views(&odd), views(&dense));
        let expected = {
            let views: Vec<_> = dense.iter().map(Stored::view).collect();
            einsum(Context::default(), subscripts, &views).unwrap()
        };
        let result_shape = shape(output);
        let target = Stored::of(&result_shape, &memory(output.len()), gap, 0);
        let mut items = target.items.clone();
        let shapes: Vec<&[usize]> = odd.iter().map(|operand| &operand.shape[..]).collect();
        let plan = Einsum::new(subscripts, &shapes).unwrap();
        let views: Vec<_> = odd.iter().map(Stored::view).collect();
        let context = Context::default().threads(NonZero::new(threads).unwrap());
        let result = ArrayMut::new(&mut items, &result_shape, &target.strides).unwrap();
        plan.run(context, &views, result).unwrap();
        for (at, item) in expected.items().iter().enumerate() {
            let dense = row_major(&result_shape);
            let place = dense.iter().zip(&result_shape).zip(&target.strides);
            let place: usize = place.map(|((stride, len), to)| at / stride % len * to).sum();
            prop_assert_eq!(item.to_bits(), items[place].to_bits());
        }
    }
}
