//! Rows that are treated apart: which signatures take a batch of requests, what forbids it, and
//! that a row alone and in any batch has the same bits. What each operator promises is tested in
//! `tests/operators/rows.rs`.

use std::path::Path;

use abeyance::graph::raw::{AnyTensorExt, GraphExt};
use abeyance::ir::DType;
use abeyance::prelude::*;
use abeyance::session::Value;
use ndarray::{ArrayD, Axis, IxDyn, Slice};

/// Numbers of either sign below 1 that are the same in every run.
fn numbers(dims: &[usize], seed: u64) -> ArrayD<f32> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ArrayD::from_shape_simple_fn(IxDyn(dims), || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    })
}

/// The bytes of each row of a value.
fn rows(value: &Value) -> Vec<Vec<u8>> {
    let (array, count) = (value.to_array(), value.shape()[0]);
    let width = array.bytes.len() / count;
    array.bytes.chunks(width.max(1)).map(<[u8]>::to_vec).collect()
}

/// Gives every variable numbers of its own, as the first values of some are all zeros.
fn shuffle(session: &Session) {
    let types: Vec<_> = session
        .variable_types()
        .filter(|(_, dtype, _)| *dtype == DType::F32)
        .map(|(name, _, dims)| (name.to_owned(), dims))
        .collect();
    for (index, (name, dims)) in types.iter().enumerate() {
        let width = dims.iter().rev().skip(1).product::<usize>() as f32;
        let value = numbers(dims, index as u64 + 11) * width.sqrt().recip();
        session.set_variable(name, &value).unwrap();
    }
}

/// Every row of the outputs of a signature with one input is the same alone and in batches of these
/// sizes, on one and on two threads, optimized or not.
fn assert_apart(g: &Graph, signature: &str, row: &[usize], sizes: &[usize]) {
    let most = sizes.iter().copied().max().unwrap();
    let images = numbers(&[&[most], row].concat(), 7);
    let mut alone: Vec<Vec<Vec<u8>>> = Vec::new();
    for (threads, optimize) in [(1, true), (2, true), (1, false), (2, false)] {
        let options = SessionOptions::new().threads(threads).optimize(optimize);
        let session = Session::with_options(g, options).unwrap();
        shuffle(&session);
        let run = session.signature(signature).unwrap();
        run.batches().unwrap_or_else(|mixes| panic!("{mixes}"));
        let of = |from: usize, to: usize| {
            let part = images.slice_axis(Axis(0), Slice::from(from..to)).to_owned();
            let input = &run.signature().inputs[0].0;
            let outputs = run.run([run.feed(input, &part).unwrap()]).unwrap();
            outputs.iter().map(rows).collect::<Vec<_>>()
        };
        for index in 0..most {
            let outputs: Vec<_> = of(index, index + 1).into_iter().flatten().collect();
            match alone.get(index) {
                None => alone.push(outputs),
                Some(known) => assert!(outputs == *known, "row {index}, {threads}, {optimize}"),
            }
        }
        for &size in sizes {
            for from in [0, most - size] {
                for (place, output) in of(from, from + size).iter().enumerate() {
                    for (index, row) in output.iter().enumerate() {
                        assert!(
                            *row == alone[from + index][place],
                            "row {index} of {size} from {from}, output {place}, {threads} threads, \
                             optimize {optimize}"
                        );
                    }
                }
            }
        }
    }
}

const SIZES: [usize; 20] =
    [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 100, 127, 128, 200, 300];

fn network(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(name);
    let g = Graph::load(path).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let shape = {
        let ir = g.ir();
        let input = ir.find_signature("predict").unwrap().inputs[0].1;
        ir.shape(input).unwrap()
    };
    let row: Vec<usize> = shape[1..].iter().filter_map(|dim| dim.known()).collect();
    assert_apart(&g, "predict", &row, &SIZES);
}

macro_rules! networks {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            network(concat!(stringify!($name), ".graph"));
        })*

        #[test]
        fn every_network_of_the_folder_is_here() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
            let here = [$(concat!(stringify!($name), ".graph")),*];
            for entry in std::fs::read_dir(folder).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.ends_with(".graph") || here.contains(&&*name), "{name}");
            }
        }
    };
}
networks! {
    mnist_conv
    mnist_conv_dropout
    mnist_mlp_relu
    mnist_mlp_relu_decay
    mnist_mlp_relu_decay_dropout
    mnist_mlp_sigmoid
    mnist_softmax
}

#[test]
fn training_and_evaluation_take_no_batch_of_requests_and_say_why() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/mnist_softmax.graph");
    let g = Graph::load(path).unwrap();
    let session = Session::new(&g).unwrap();
    let why = |name: &str| session.signature(name).unwrap().batches().unwrap_err().to_string();
    let train = why("train");
    assert!(train.contains("signature `train` takes no batch of requests"), "{train}");
    assert!(why("evaluate").contains("is a scalar"), "{}", why("evaluate"));
}

/// The verdict on batches of a graph whose signature `f` maps `x` to `y`: `apart`, or why rows are
/// mixed.
fn verdict(build: impl for<'g> Fn(&'g Graph, Tensor<'g, f32>) -> Tensor<'g, f32>) -> String {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims!["N", 4, 3]);
    let y = build(&g, x);
    g.signature("f").input("x", x).output("y", y);
    let session = Session::new(&g).unwrap_or_else(|error| panic!("{error}"));
    let verdict = session.signature("f").unwrap().batches();
    if verdict.is_ok() {
        assert_apart(&g, "f", &[4, 3], &[2, 3, 5, 16, 17]);
    }
    verdict.map_or_else(|mixes| mixes.to_string(), |()| "apart".to_owned())
}

macro_rules! apart {
    ($($name:ident |$g:ident, $x:ident| $body:expr;)*) => {$(
        #[test]
        fn $name() {
            #[allow(unused_variables)]
            let verdict = verdict(|$g, $x| $body);
            assert_eq!(verdict, "apart");
        }
    )*};
}
apart! {
    rows_merged_with_known_dimensions_and_taken_apart_again |g, x| {
        let w = g.variable("w", random_normal(dims![3, 5], 0.0, 1.0));
        let merged = x.reshape(dims![_, 3]).matmul(w);
        (merged + g.variable("b", random_normal(dims![5], 0.0, 1.0))).reshape(dims![x.dim(0), 4, 5])
    };
    an_image_flattened_and_made_an_image_again |g, x| x.reshape(dims![_, 12]).reshape(dims![_, 2, 6]);
    a_dimension_of_one_in_front |g, x| x.reshape(dims![1, x.dim(0), 12]).softmax().squeeze(&[0]);
    rows_beside_zeros_of_their_number |g, x| {
        let zeros = g.zeros::<f32>(dims![x.dim(0), 2, 3]);
        g.concat([x, zeros], 1)
    };
    a_constant_repeated_for_each_row |g, x| {
        let row = g.variable("row", random_normal(dims![4, 3], 0.0, 1.0));
        row.broadcast_to(x.shape()) * x
    };
    rows_that_go_to_the_back_and_come_again |g, x| {
        x.transpose_by(&[1, 2, 0]).cumsum(1).sigmoid().transpose_by(&[2, 0, 1])
    };
    sums_of_many_numbers_of_each_row |g, x| {
        let many = x.reshape(dims![x.dim(0), 12, 1]) * g.ones::<f32>(dims![12, 30_000]);
        many.reduce_mean([1, 2]).reshape(dims![_, 1]) + many.l2_norm(2)
    };
    attention_of_each_row_to_itself |g, x| {
        let scores = x.matmul_with(x, MatMulOptions::new().transpose_b(true)).softmax();
        scores.matmul(x)
    };
    a_row_less_its_own_mean |g, x| x - x.reduce_mean(keep_dims([1, 2]));
    rows_of_a_table_named_by_rows |g, x| {
        let table = g.variable("table", random_normal(dims![12, 3], 0.0, 1.0));
        table.gather(x.reshape(dims![_, 12]).argmax(-1))
    };
    a_loop_over_time_with_the_rows_inside |g, x| {
        let w = g.variable("w", random_normal(dims![3, 5], 0.0, 1.0));
        let v = g.variable("v", random_normal(dims![5, 5], 0.0, 1.0));
        let first = g.zeros::<f32>(dims![x.dim(0), 5]);
        let times = x.transpose_by(&[1, 0, 2]);
        let (last, all) = g.scan(first, times, |h, x| {
            let h = (x.matmul(w) + h.matmul(v)).tanh();
            (h, h)
        });
        last + all.transpose_by(&[1, 0, 2]).reduce_max(1)
    };
    a_branch_that_no_row_decides |g, x| {
        let on = g.variable("scale", 2.0f32).greater(0.0);
        g.cond(on, x, |x| x.softmax(), |x| x * 2.0)
    };
    a_loop_that_counts |g, x| {
        let (_, y) = g.while_loop((g.constant(0i64), x), |(i, _)| i.less(3), |(i, x)| (i + 1, (x * 1.5).sin()));
        y
    };
    a_gradient_of_the_users_own |g, x| g.custom_gradient(x, |x| x.tanh(), |_, _, dy| dy);
    a_value_that_is_watched |g, x| x.check_numerics("x").relu();
    dropout_that_drops_nothing |g, x| {
        let keep = g.placeholder_with_default("keep", 1.0f32);
        x.dropout_keeping(keep).softmax()
    };
    a_loop_in_which_nothing_is_dropped |g, x| {
        let times = x.transpose_by(&[1, 0, 2]);
        let first = g.zeros::<f32>(dims![x.dim(0), 3]);
        let (last, ()) = g.scan(first, times, |h, x| ((h + x).dropout_keeping(1.0), ()));
        last
    };
}

macro_rules! mixed {
    ($($name:ident |$g:ident, $x:ident| $body:expr => $($says:expr),+;)*) => {$(
        #[test]
        fn $name() {
            #[allow(unused_variables)]
            let verdict = verdict(|$g, $x| $body);
            for says in [$($says),+] {
                assert!(verdict.contains(says), "{says}\n{verdict}");
            }
            assert!(verdict.contains("signature `f` takes no batch of requests"), "{verdict}");
        }
    )*};
}
mixed! {
    a_mean_over_the_batch_is_named_with_its_line |g, x| (x - x.reduce_mean(0)).relu() =>
        "reduce_mean: the rows of a batch meet in it", "tests/batches.rs", "on which the output `y` depends: relu";
    sums_whose_order_depends_on_the_number_of_rows |g, x| {
        x.transpose_by(&[1, 0, 2]).reduce_sum(0)
    } => "reduce_sum";
    the_other_order_of_rows |g, x| x.reverse([0]) => "reverse";
    sums_over_rows_so_far |g, x| x.cumsum(0) => "cumsum";
    rows_against_rows |g, x| {
        let flat = x.reshape(dims![_, 12]);
        x * flat.matmul_with(flat, MatMulOptions::new().transpose_b(true)).reduce_max(1).reshape(dims![_, 1, 1])
    } => "matmul_with: the rows";
    rows_cut_otherwise |g, x| x.reshape(dims![4, x.dim(0), 3]).transpose_by(&[1, 0, 2]) => "reshape";
    rows_with_their_number |g, x| {
        let rows = x.shape_of().cast::<f32>().slice([0], [1]);
        x * rows
    } => "shape_of";
    dropout |g, x| x.dropout_keeping(0.5) => "dropout_keeping", "it draws numbers";
    dropout_whose_probability_a_variable_holds |g, x| {
        x.dropout_keeping(g.variable("keep", 1.0f32))
    } => "it draws numbers";
    a_branch_that_the_rows_decide |g, x| {
        g.cond(x.reduce_max(..).less(1.0), x, |x| x * 2.0, |x| x)
    } => "reduce_max";
    a_loop_whose_end_the_rows_decide |g, x| {
        g.while_loop(x, |x| x.reduce_max(..).less(100.0), |x| x * 2.0)
    } => "while_loop", "in `while", "reduce_max";
    a_loop_over_the_rows |g, x| {
        let (_, all) = g.scan(g.zeros::<f32>(dims![4, 3]), x, |h, x| (h + x, h + x));
        all
    } => "scan";
    a_mean_over_the_batch_in_a_loop |g, x| {
        let times = x.transpose_by(&[1, 0, 2]);
        let first = g.zeros::<f32>(dims![x.dim(0), 3]);
        let (last, ()) = g.scan(first, times, |h, x| (h + x - x.reduce_mean(0), ()));
        last
    } => "scan", "in `scan/body`: reduce_mean", "tests/batches.rs";
    a_closure |g, x| {
        g.from_fn("f", x, x.shape(), |x| Ok(x.to_owned()))
    } => "closure/f";
    a_first_dimension_that_is_not_the_batchs |g, x| x.transpose_by(&[1, 0, 2]) => "the output `y`", "fixed size";
    a_scalar |g, x| *x.reduce_sum(..) => "the output `y` is a scalar";
}

#[test]
fn inputs_share_the_batch_and_may_have_other_unknown_sizes() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims!["N", "T"]);
    let y = g.placeholder::<f32>("y", dims!["N", "T"]);
    let other = g.placeholder::<f32>("other", dims!["M", "T"]);
    let number = g.placeholder::<f32>("number", dims![]);
    let fixed = g.placeholder::<f32>("fixed", dims![8, "T"]);
    let square = g.placeholder::<f32>("square", dims!["N", "N"]);
    let sum = (x + y).softmax().named("sum");
    g.signature("two").input("x", x).input("y", y).output("sum", sum);
    g.signature("apart").input("x", x).input("other", other).output("y", x.relu());
    g.signature("number").input("x", x).input("number", number).output("y", x * number);
    g.signature("fixed").input("x", fixed).output("y", fixed.relu());
    g.signature("square").input("x", square).output("y", square.relu());
    g.signature("nothing").output("y", g.constant(1.0f32));
    g.signature("unfed").input("x", x).output("sum", sum);
    let v = g.variable("v", 0.0f32);
    g.signature("writes").input("x", x).output("y", x.relu()).step(v.assign(1.0));
    g.signature("with").input("x", x).feed(number, 2.0).output("y", x * number);

    let session = Session::new(&g).unwrap();
    let verdict = |name: &str| match session.signature(name).unwrap().batches() {
        Ok(()) => "apart".to_owned(),
        Err(mixes) => mixes.to_string(),
    };
    assert_eq!((verdict("two"), verdict("with")), ("apart".to_owned(), "apart".to_owned()));
    for (name, says) in [
        ("apart", "the input `other` is another than that of the input `x`"),
        ("number", "the input `number` is a scalar"),
        ("fixed", "the input `x` has a fixed size"),
        ("square", "another dimension of the input `x` has the size of the batch"),
        ("nothing", "takes no batch of requests"),
        ("unfed", "it is not fed"),
        ("writes", "it changes a variable"),
    ] {
        assert!(verdict(name).contains(says), "{name}: {}", verdict(name));
    }
}

#[test]
fn a_hostile_nest_of_loops_is_refused_in_time() {
    fn nest<'g>(g: &'g Graph, x: Tensor<'g, f32>, depth: usize) -> Tensor<'g, f32> {
        if depth == 0 {
            return x + 1.0;
        }
        let count = g.constant(0i64);
        // What is carried besides becomes mixed only in the second pass, at every depth.
        let first = x.zeros_like();
        let (_, _, y) = g.while_loop(
            (count, first, x),
            |(i, ..)| i.less(1),
            |(i, a, x)| (i + 1, a + a.reduce_sum(0), nest(g, x + a, depth - 1)),
        );
        y
    }
    let verdict = verdict(|g, x| nest(g, x, 20));
    assert!(verdict.contains("takes no batch of requests"), "{verdict}");
}

#[test]
fn a_million_nodes_are_no_matter() {
    let g = Graph::new();
    let x = g.placeholder::<f32>("x", dims![_, 2]);
    let mut y = x;
    for _ in 0..200_000 {
        y = -y;
    }
    g.signature("f").input("x", x).output("y", y);
    let session = Session::new(&g).unwrap();
    session.signature("f").unwrap().batches().unwrap();
}

#[test]
fn an_operator_of_ones_own_keeps_rows_apart_if_it_says_so() {
    use abeyance::ir::launch::{Cost, Kernel};
    use abeyance::ir::{
        Attributes, DTypes, Fault, Fusibility, Inference, Lowered, Lowering, OperandSpec, Operator,
        Sample, Signature, Split, Splitting, Type,
    };

    /// Twice the operand.
    struct Twice<const WHAT: u8>;

    impl<const WHAT: u8> Operator for Twice<WHAT> {
        fn signature(&self) -> &Signature {
            const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
            const { &Signature::new("twice", "2 x", OPERANDS) }
        }

        fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
            cx.tensor(cx.dtype(0), cx.shape(0))
        }

        fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
            let bytes = cx.result.bytes();
            let cost = Cost { flops: bytes as f64, bytes: 2.0 * bytes as f64 };
            let kernel = Kernel::single(1, 4096, cost, |call| {
                let (start, x) = (call.start::<f32>(), call.input::<f32>(0));
                for (y, x) in call.output::<f32>().iter_mut().zip(&x[start..]) {
                    *y = 2.0 * x;
                }
                Ok(())
            });
            Ok(kernel.into())
        }

        fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
            match WHAT {
                1 => Fusibility::Elementwise,
                _ => Fusibility::Opaque,
            }
        }

        fn split(&self, cx: &Splitting<'_>) -> Split {
            match WHAT {
                0 => Split::Mixed,
                1 => cx.pointwise(),
                _ => cx.along_if(cx.axis(0)),
            }
        }

        fn samples(&self) -> Vec<Sample> {
            Vec::new()
        }
    }

    fn apply<'g, const WHAT: u8>(x: Tensor<'g, f32>) -> Tensor<'g, f32> {
        x.graph().apply(&Twice::<WHAT>, &[x.erase()], Attributes::none()).assume()
    }
    assert!(verdict(|_, x| apply::<0>(x)).contains("twice"));
    assert_eq!(verdict(|_, x| apply::<1>(x)), "apart");
    assert_eq!(verdict(|_, x| apply::<2>(x)), "apart");
}
