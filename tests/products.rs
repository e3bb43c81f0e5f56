//! Products of matrices with leading dimensions, `tensordot` and `einsum`, against plain loops over
//! all indices.

use std::collections::BTreeMap;

use abeyance::prelude::*;
use ndarray::{ArrayD, IxDyn};

mod differences;

/// Small integers in no order, so that sums are exact.
fn numbers(dims: &[usize], seed: usize) -> ArrayD<f64> {
    let len: usize = dims.iter().product();
    let values = (0..len).map(|i| ((i * 7919 + seed * 104_729) % 17) as f64 - 8.0);
    ArrayD::from_shape_vec(IxDyn(dims), values.collect()).unwrap()
}

/// The sum over all labels that are not in the output, of the product of the operands' elements.
fn naive(terms: &[&str], output: &str, operands: &[ArrayD<f64>]) -> ArrayD<f64> {
    let mut sizes = BTreeMap::new();
    for (term, operand) in terms.iter().zip(operands) {
        for (label, &size) in term.chars().zip(operand.shape()) {
            sizes.insert(label, size);
        }
    }
    let labels: Vec<char> = sizes.keys().copied().collect();
    let dims: Vec<usize> = sizes.values().copied().collect();
    let shape: Vec<usize> = output.chars().map(|label| sizes[&label]).collect();
    let mut result = ArrayD::zeros(shape);
    for index in ndarray::indices(IxDyn(&dims)) {
        let at = |term: &str| -> Vec<usize> {
            term.chars()
                .map(|label| index[labels.iter().position(|&own| own == label).unwrap()])
                .collect()
        };
        let product: f64 = terms.iter().zip(operands).map(|(term, x)| x[&at(term)[..]]).product();
        result[&at(output)[..]] += product;
    }
    result
}

fn evaluate(
    operands: &[ArrayD<f64>],
    build: impl for<'g> FnOnce(&'g Graph, Vec<Tensor<'g, f64>>) -> Tensor<'g, f64>,
) -> ArrayD<f64> {
    let g = Graph::new();
    let operands = operands.iter().map(|x| g.constant_array(x)).collect();
    let y = build(&g, operands);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    session.run(y, []).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn products_of_many_matrices_broadcast_leading_dimensions() {
    type Case = (&'static [usize], &'static [usize], &'static str, &'static str, &'static str);
    let cases: [Case; 8] = [
        (&[4, 2, 3], &[4, 3, 5], "bij", "bjk", "bik"),
        (&[4, 2, 3], &[3, 5], "bij", "jk", "bik"),
        (&[2, 3], &[4, 3, 5], "ij", "bjk", "bik"),
        (&[2, 4, 2, 3], &[4, 3, 5], "abij", "bjk", "abik"),
        (&[2, 4, 2, 3], &[2, 4, 3, 1], "abij", "abjk", "abik"),
        (&[0, 2, 3], &[3, 5], "bij", "jk", "bik"),
        (&[3, 2, 0], &[3, 0, 5], "bij", "bjk", "bik"),
        (&[2, 70, 33], &[2, 33, 50], "bij", "bjk", "bik"),
    ];
    for (a, b, first, second, out) in cases {
        let operands = [numbers(a, 1), numbers(b, 2)];
        let y = evaluate(&operands, |_, x| x[0].matmul(x[1]));
        assert_eq!(y, naive(&[first, second], out, &operands), "{a:?} {b:?}");
        // The same with either one stored the other way round.
        let swap = |x: &ArrayD<f64>| {
            let mut x = x.clone();
            let rank = x.ndim();
            x.swap_axes(rank - 2, rank - 1);
            x.as_standard_layout().to_owned()
        };
        let turned = [swap(&operands[0]), swap(&operands[1])];
        assert_eq!(
            evaluate(&turned, |_, x| x[0]
                .matmul_with(x[1], MatMulOptions::new().transpose_a(true).transpose_b(true))),
            y
        );
    }
    // Sizes of 1 stretch on either side.
    let operands = [numbers(&[2, 1, 2, 3], 3), numbers(&[5, 3, 2], 4)];
    let y = evaluate(&operands, |_, x| x[0].matmul(x[1]));
    let stretched =
        [operands[0].clone().into_shape_with_order(vec![2, 2, 3]).unwrap(), operands[1].clone()];
    assert_eq!(y, naive(&["aij", "bjk"], "abik", &stretched));
}

#[test]
fn a_batch_of_a_fed_size() {
    let g = Graph::new();
    let x = g.placeholder::<f64>("x", dims![_, 2, 3]);
    let w = g.placeholder::<f64>("w", dims![3, 4]);
    let y = x.matmul(w);
    assert_eq!(y.to_string(), "matmul : f64[N, 2, 4]");
    let scores = x.matmul_with(x, MatMulOptions::new().transpose_b(true));
    assert_eq!(scores.to_string(), "matmul_1 : f64[N, 2, 2]");
    let [of_x, of_w] = gradients(y.reduce_sum(..), [x, w]);
    let session = Session::new(&g).unwrap();
    for n in [0usize, 1, 5] {
        let (fed_x, fed_w) = (numbers(&[n, 2, 3], 1), numbers(&[3, 4], 2));
        let (y, scores, of_x, of_w) =
            session.run((y, scores, of_x, of_w), feeds![x => &fed_x, w => &fed_w]).unwrap();
        assert_eq!(y, naive(&["bij", "jk"], "bik", &[fed_x.clone(), fed_w.clone()]));
        assert_eq!(scores, naive(&["bij", "bkj"], "bik", &[fed_x.clone(), fed_x.clone()]));
        let ones = ArrayD::ones(vec![n, 2, 4]);
        assert_eq!(of_x, naive(&["bik", "jk"], "bij", &[ones.clone(), fed_w]));
        assert_eq!(of_w, naive(&["bij", "bik"], "jk", &[fed_x, ones]));
    }
}

#[test]
fn integers_wrap_in_every_matrix() {
    let g = Graph::new();
    let x = g.fill(dims![3, 1, 2], 100u8);
    let y = x.matmul(g.fill(dims![3, 2, 1], 2u8));
    let y = Session::new(&g).unwrap().run(y, []).unwrap();
    assert_eq!(y, ArrayD::from_elem(vec![3, 1, 1], 144u8));
}

#[test]
fn matrices_that_do_not_fit_name_both_shapes() {
    let g = Graph::new();
    let x = |dims: &[usize]| g.zeros::<f32>(dims.to_vec());
    x(&[2, 3, 4]).matmul(x(&[5, 6]));
    x(&[2, 3, 4]).matmul(x(&[3, 4, 5]));
    x(&[4]).matmul(x(&[4, 5]));
    let message = g.check().unwrap_err().to_string();
    for part in [
        "[2, 3, 4] times [5, 6]: the inner dimensions 4 and 5 differ",
        "[2, 3, 4] times [3, 4, 5]: the shapes [2] and [3] do not broadcast",
        "the product of [4] and [4, 5] needs two matrices",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn tensordot_over_pairs_of_axes() {
    let operands = [numbers(&[2, 3, 4], 1), numbers(&[4, 3, 5], 2)];
    let y = evaluate(&operands, |_, x| x[0].tensordot(x[1], [1, 2], [1, 0]));
    assert_eq!(y, naive(&["abc", "cbd"], "ad", &operands));
    let y = evaluate(&operands, |_, x| x[0].tensordot(x[1], [-1], [0]));
    assert_eq!(y, naive(&["abc", "cde"], "abde", &operands));
    let y = evaluate(&operands, |_, x| x[0].tensordot(x[1], [], []));
    assert_eq!(y, naive(&["abc", "def"], "abcdef", &operands));
    let same = [numbers(&[2, 3], 1), numbers(&[2, 3], 2)];
    let y = evaluate(&same, |_, x| x[0].tensordot(x[1], [0, 1], [0, 1]));
    assert_eq!(y, naive(&["ab", "ab"], "", &same));
}

#[test]
fn einsum_is_the_sum_over_all_indices() {
    type Case = (&'static str, &'static [&'static [usize]]);
    let cases: [Case; 22] = [
        ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
        ("ij,kj->ik", &[&[2, 3], &[4, 3]]),
        ("ji,jk->ki", &[&[3, 2], &[3, 4]]),
        ("bij,bjk->bik", &[&[5, 2, 3], &[5, 3, 4]]),
        ("bthd,bshd->bhts", &[&[2, 3, 4, 5], &[2, 6, 4, 5]]),
        ("bhts,bshd->bthd", &[&[2, 4, 3, 6], &[2, 6, 4, 5]]),
        ("ijk->kji", &[&[2, 3, 4]]),
        ("ijk->j", &[&[2, 3, 4]]),
        ("ij->", &[&[2, 3]]),
        ("ii->i", &[&[3, 3]]),
        ("ii->", &[&[3, 3]]),
        ("iji->ij", &[&[3, 2, 3]]),
        ("iii->i", &[&[3, 3, 3]]),
        ("i,j->ij", &[&[2], &[3]]),
        ("i,i->", &[&[4], &[4]]),
        ("i,i->i", &[&[4], &[4]]),
        ("ij,j,jk->ik", &[&[2, 3], &[3], &[3, 2]]),
        ("ab,bc,cd,da->", &[&[2, 3], &[3, 4], &[4, 2], &[2, 2]]),
        ("ijx,jk->ik", &[&[2, 3, 4], &[3, 2]]),
        (",ij->ji", &[&[], &[2, 3]]),
        ("ii,ij->j", &[&[3, 3], &[3, 2]]),
        ("ij,jk->ik", &[&[0, 3], &[3, 0]]),
    ];
    for (equation, shapes) in cases {
        let operands: Vec<ArrayD<f64>> =
            shapes.iter().enumerate().map(|(seed, dims)| numbers(dims, seed)).collect();
        let (inputs, output) = equation.split_once("->").unwrap();
        let terms: Vec<&str> = inputs.split(',').collect();
        let y = evaluate(&operands, |g, x| g.einsum(equation, x));
        assert_eq!(y, naive(&terms, output, &operands), "{equation}");
    }
}

#[test]
fn einsum_without_an_arrow_has_the_letters_that_stand_once() {
    let operands = [numbers(&[2, 3], 1), numbers(&[3, 4], 2)];
    let y = evaluate(&operands, |g, x| g.einsum("kj, ja", x));
    assert_eq!(y, naive(&["kj", "ja"], "ak", &operands));
    let square = [numbers(&[3, 3], 1)];
    assert_eq!(evaluate(&square, |g, x| g.einsum("ii", x)), naive(&["ii"], "", &square));
    let y = evaluate(&square, |g, x| g.einsum("ba", x));
    assert_eq!(y, square[0].t());
}

#[test]
fn dots_stand_for_dimensions_that_broadcast() {
    let operands = [numbers(&[5, 2, 3], 1), numbers(&[4, 5, 3, 2], 2)];
    let y = evaluate(&operands, |g, x| g.einsum("...ij,...jk->...ik", x));
    assert_eq!(y, naive(&["bij", "abjk"], "abik", &operands));
    let y = evaluate(&operands, |g, x| {
        g.einsum("i...j,...jk->...ik", [x[0].transpose_by(&[1, 0, 2]), x[1]])
    });
    assert_eq!(y, naive(&["bij", "abjk"], "abik", &operands));
    let one = [numbers(&[1, 2, 3], 1), numbers(&[4, 3, 2], 2)];
    let y = evaluate(&one, |g, x| g.einsum("...ij,...jk", x));
    let row = one[0].clone().into_shape_with_order(vec![2, 3]).unwrap();
    assert_eq!(y, naive(&["ij", "ajk"], "aik", &[row, one[1].clone()]));
    let y = evaluate(&[numbers(&[2, 3, 4], 5)], |g, x| g.einsum("...a->a...", x));
    assert_eq!(y.shape(), [4, 2, 3]);
}

#[test]
fn einsum_of_fed_sizes() {
    let g = Graph::new();
    let queries = g.placeholder::<f64>("queries", dims!["B", "T", 4, 5]);
    let keys = g.placeholder::<f64>("keys", dims![_, "S", 4, 5]);
    let scores = g.einsum("bthd,bshd->bhts", [queries, keys]);
    assert_eq!(scores.to_string(), "einsum : f64[B, 4, T, S]");
    let mixed = g.einsum("bhts,bshd->bthd", [scores, keys]);
    assert_eq!(mixed.to_string(), "einsum_1 : f64[B, T, 4, 5]");
    // Two products of unknown sizes at once: what is left, and what is summed.
    let all = g.einsum("bthd,bshd->hts", [queries, keys]);
    let total = g.einsum("bthd,bthd->", [queries, queries]);
    let [slope] = gradients(mixed.reduce_sum(..) + total.reduce_sum(..), [queries]);
    let session = Session::new(&g).unwrap();
    let (q, k) = (numbers(&[2, 3, 4, 5], 1), numbers(&[2, 6, 4, 5], 2));
    let (scores, mixed, all, total, slope) =
        session.run((scores, mixed, all, total, slope), feeds![queries => &q, keys => &k]).unwrap();
    let wanted = naive(&["bthd", "bshd"], "bhts", &[q.clone(), k.clone()]);
    assert_eq!(scores, wanted);
    assert_eq!(mixed, naive(&["bhts", "bshd"], "bthd", &[wanted, k.clone()]));
    assert_eq!(all, naive(&["bthd", "bshd"], "hts", &[q.clone(), k.clone()]));
    assert_eq!(total, naive(&["bthd", "bthd"], "", &[q.clone(), q.clone()]));
    let ones = ArrayD::ones(q.raw_dim());
    let of_mixed = naive(&["bthx", "bshx", "bshd"], "bthd", &[ones, k.clone(), k]);
    assert_eq!(slope, of_mixed + q * 2.0);
}

#[test]
fn derivatives_of_products() {
    let a = [0.5, -1.5, 2.0, 0.75, -0.25, 1.0, 1.25, -0.5];
    let b = [1.5, 0.25, -2.0, 0.5, -1.25, 0.75, 1.0, -1.0];
    differences::check([(&[2, 2, 2], &a), (&[2, 2, 2], &b)], |[x, y]| {
        x.matmul_with(y, MatMulOptions::new().transpose_a(true))
    });
    differences::check([(&[2, 2, 2], &a), (&[2, 4], &b)], |[x, y]| x.matmul(y));
    differences::check([(&[2, 1, 2, 2], &a), (&[2, 2, 2], &b)], |[x, y]| x.matmul(y));
    differences::check([(&[2, 2, 2], &a), (&[2, 2, 2], &b)], |[x, y]| {
        x.graph().einsum("iij,jkl->lk", [x, y])
    });
    differences::check([(&[2, 2, 2], &a), (&[2, 2, 2], &b)], |[x, y]| {
        x.graph().einsum("abc,cbd,a->d", [x, y, x.strided_slice(slices![.., 0, 1])])
    });
    differences::check([(&[2, 4], &a), (&[4, 2], &b)], |[x, y]| x.tensordot(y, [0], [1]));
}

#[test]
fn equations_that_cannot_be_name_the_letter_and_the_sizes() {
    let g = Graph::new();
    let (a, b) = (g.zeros::<f32>(dims![2, 3]), g.zeros::<f32>(dims![4, 5]));
    g.einsum("ij,jk->ik", [a, b]);
    g.einsum("ij,jk->ik", [a]);
    g.einsum("ijk->ik", [a]);
    g.einsum("i->i", [a]);
    g.einsum("ij->ix", [a]);
    g.einsum("ij->ii", [a]);
    g.einsum("i?->i", [a]);
    g.einsum("...i->i", [a]);
    g.einsum("ii->i", [a]);
    g.einsum("...i,...i->...", [a, g.zeros(dims![4, 3])]);
    g.einsum("ij->...->ij", [a]);
    g.einsum("", Vec::<Tensor<'_, f32>>::new());
    a.tensordot(b, [1], [0]);
    a.tensordot(b, [1], []);
    a.tensordot(b, [2], [0]);
    a.tensordot(b, [0, 0], [0, 1]);
    let mistakes = g.check().unwrap_err();
    assert_eq!(mistakes.0.len(), 16, "{mistakes}");
    let message = mistakes.to_string();
    for part in [
        "einsum \"ij,jk->ik\": `j` is 3 in operand 0 and 4 in operand 1",
        "the equation is for 2 operands, and there are 1",
        "operand 0 of shape [2, 3] has 2 dimensions, and the equation names 3",
        "operand 0 of shape [2, 3] has 2 dimensions, and the equation names 1",
        "`x` of the result is in none of the operands",
        "`i` stands twice in the result",
        "'?' is not a letter",
        "`...` stands for dimensions that the result leaves out",
        "`i` is 2 in operand 0 and 3 in operand 0",
        "`...` is 2 in operand 0 and 4 in operand 1",
        "tensordot: dimension 1 of [2, 3] and dimension 0 of [4, 5] differ",
        "tensordot: [1] and [] are not axes in pairs",
        "tensordot: axis 2 is out of range",
        "tensordot: axis 0 is named twice",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn many_matrices_have_the_same_bits_on_any_number_of_threads() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 150, 90]);
    let y = x.matmul_with(x, MatMulOptions::new().transpose_b(true));
    let [slope] = gradients((y * y).reduce_sum(..), [x]);
    let fed = numbers(&[7, 150, 90], 1).mapv(|v| (v * 0.37) as f32);
    let run = |threads| {
        let options = SessionOptions::new().threads(threads);
        let session = Session::with_options(&g, options).unwrap();
        let (y, slope) = session.run((y, slope), feeds![x => &fed]).unwrap();
        y.iter().chain(&slope).map(|v| v.to_bits()).collect::<Vec<u32>>()
    };
    let one = run(1);
    assert!(one == run(3) && one == run(8));
}
