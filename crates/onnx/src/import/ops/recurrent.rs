//! Recurrent layers, as `scan`s.

use abeyance_graph::{Element, Expr, Float, MatMulOptions, Tensor};
use abeyance_ir::{Array, Dim, Shape};

use super::super::call::{Call, Imported, unsupported, with_float, wrong};
use super::super::table::Row;
use super::super::value::Value;
use super::shape::reshaped;
use crate::error::Reason;

const LIMITS: &str = "`sequence_lens`, `clip`, activations other than Sigmoid, Tanh and Relu";

/// This family's operators.
pub(crate) const ROWS: &[Row] = &[
    Row::new("RNN", "`scan`", |call| recurrent(call, Cell::Simple)).limits(LIMITS),
    Row::new("GRU", "`scan`", |call| recurrent(call, Cell::Gru)).limits(LIMITS),
    Row::new("LSTM", "`scan`", |call| recurrent(call, Cell::Lstm)).limits(
        "`sequence_lens`, `clip`, `input_forget`, activations other than Sigmoid, Tanh and Relu",
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Simple,
    Gru,
    Lstm,
}

impl Cell {
    /// How many blocks of rows its weights have.
    fn gates(self) -> usize {
        match self {
            Cell::Simple => 1,
            Cell::Gru => 3,
            Cell::Lstm => 4,
        }
    }

    fn default_activations(self) -> &'static [&'static str] {
        match self {
            Cell::Simple => &["Tanh"],
            Cell::Gru => &["Sigmoid", "Tanh"],
            Cell::Lstm => &["Sigmoid", "Tanh", "Tanh"],
        }
    }
}

#[derive(Clone, Copy)]
enum Activation {
    Sigmoid,
    Tanh,
    Relu,
}

impl Activation {
    fn named(name: &str) -> Result<Self, Reason> {
        match name {
            "Sigmoid" => Ok(Self::Sigmoid),
            "Tanh" => Ok(Self::Tanh),
            "Relu" => Ok(Self::Relu),
            other => unsupported(format!("an activation called {other:?}")),
        }
    }

    fn of<T: Float>(self, x: Tensor<'_, T>) -> Tensor<'_, T> {
        match self {
            Self::Sigmoid => x.sigmoid(),
            Self::Tanh => x.tanh(),
            Self::Relu => x.relu(),
        }
    }
}

fn recurrent<'g>(call: &Call<'_, 'g>, cell: Cell) -> Imported<'g> {
    if call.has(4) {
        return unsupported("`sequence_lens`: sequences of different lengths");
    }
    if call.node.attribute.iter().any(|attribute| attribute.name() == "clip") {
        return unsupported("`clip`");
    }
    if call.flag("input_forget", false)? {
        return unsupported("`input_forget`");
    }
    let dtype = call.float_type(call.tensor(0)?)?;
    with_float!(dtype, T => layer::<T>(call, cell))
}

/// One direction's weights and where it starts.
struct Direction<'g, T: Element> {
    /// `[in, gates · H]`-transposed: `[gates · H, in]`.
    w: Expr<'g>,
    r: Tensor<'g, T>,
    input_bias: Option<Expr<'g>>,
    own_bias: Option<Tensor<'g, T>>,
    h: Tensor<'g, T>,
    c: Tensor<'g, T>,
    peepholes: Option<Tensor<'g, T>>,
}

fn layer<'g, T: Float>(call: &Call<'_, 'g>, cell: Cell) -> Imported<'g> {
    let batch_first = call.flag("layout", false)?;
    let mut x = call.tensor(0)?;
    if x.rank() != 3 || call.tensor(1)?.rank() != 3 || call.tensor(2)?.rank() != 3 {
        return wrong("sequences and weights have three dimensions");
    }
    if batch_first {
        x = x.transpose_to(&[1, 0, 2]);
    }
    let batch = x.shape()[1];
    let hidden = call.size(call.tensor(2)?, 2)?;
    let directions = match call.string_or("direction", "forward")?.as_str() {
        "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        other => return wrong(format!("a direction called {other:?}")),
    };
    let names = call.strings("activations")?.unwrap_or_else(|| {
        let each = cell.default_activations();
        directions.iter().flat_map(|_| each.iter().map(|&name| name.to_owned())).collect()
    });
    let activations: Vec<Activation> =
        names.iter().map(|name| Activation::named(name)).collect::<Result<_, _>>()?;
    let per_direction = cell.default_activations().len();
    if activations.len() != per_direction * directions.len() {
        return wrong(format!(
            "{} activations for {} directions",
            activations.len(),
            directions.len()
        ));
    }
    let (mut sequences, mut hidden_states, mut cell_states) = (Vec::new(), Vec::new(), Vec::new());
    for (place, &reverse) in directions.iter().enumerate() {
        let own = direction::<T>(call, cell, place, batch, hidden, batch_first)?;
        let activations = &activations[place * per_direction..(place + 1) * per_direction];
        let (all, h, c) = run(call, cell, x, &own, activations, reverse, hidden)?;
        sequences.push(all.expand_dims(1));
        hidden_states.push(h.expand_dims(0));
        cell_states.extend(c.map(|c| c.expand_dims(0)));
    }
    let outputs = [joined(&sequences, 1), joined(&hidden_states, 0), joined(&cell_states, 0)];
    // [T, D, N, H] as [N, T, D, H], and [D, N, H] as [N, D, H].
    let ordered = |output: Expr<'g>| match output.rank() {
        _ if !batch_first => output,
        4 => output.transpose_to(&[2, 0, 1, 3]),
        _ => output.transpose_to(&[1, 0, 2]),
    };
    Ok(outputs.into_iter().flatten().map(ordered).map(Value::plain).collect())
}

/// The results of all directions one after the other, if there are any.
fn joined<'g>(parts: &[Expr<'g>], axis: i64) -> Option<Expr<'g>> {
    match parts {
        [only] => Some(*only),
        [first, ..] => Some(first.concat(parts, axis)),
        [] => None,
    }
}

/// The part of an input that belongs to a direction, without the dimension of directions.
fn part(x: Expr<'_>, axis: usize, place: usize) -> Expr<'_> {
    let mut shape = x.shape();
    let rank = shape.len();
    let mut begin = vec![0i64; rank];
    let mut lengths = vec![-1i64; rank];
    if axis >= rank {
        return x;
    }
    (begin[axis], lengths[axis]) = (place as i64, 1);
    let taken = if shape[axis] == Dim::Known(1) { x } else { x.slice(&begin, &lengths) };
    shape.remove(axis);
    reshaped(taken, shape)
}

fn direction<'g, T: Float>(
    call: &Call<'_, 'g>,
    cell: Cell,
    place: usize,
    batch: Dim,
    hidden: usize,
    batch_first: bool,
) -> Result<Direction<'g, T>, Reason> {
    let (w, r) = (call.tensor(1)?, call.tensor(2)?);
    let typed = |x: Expr<'g>| call.typed::<T>(x);
    let start = |input: usize| match call.optional_tensor(input) {
        Some(x) => typed(part(x, if batch_first { 1 } else { 0 }, place)),
        None => {
            let shape: Shape = [batch, Dim::Known(hidden)].into_iter().collect();
            typed(w.fill(Array::scalar(T::DTYPE, 0.0), shape))
        }
    };
    let rows = cell.gates() * hidden;
    let halves = call.optional_tensor(3).map(|bias| {
        let bias = part(bias, 0, place);
        [0, rows].map(|at| bias.slice(&[at as i64], &[rows as i64]))
    });
    Ok(Direction {
        w: part(w, 0, place),
        r: typed(part(r, 0, place)),
        input_bias: halves.map(|[input, _]| input),
        own_bias: halves.map(|[_, own]| typed(own)),
        h: start(5),
        c: start(6),
        peepholes: match cell {
            Cell::Lstm => call.optional_tensor(7).map(|p| typed(part(p, 0, place))),
            _ => None,
        },
    })
}

/// The values of all steps `[T, N, H]`, and the last state.
type Run<'g> = (Expr<'g>, Expr<'g>, Option<Expr<'g>>);

fn run<'g, T: Float>(
    call: &Call<'_, 'g>,
    cell: Cell,
    x: Expr<'g>,
    own: &Direction<'g, T>,
    activations: &[Activation],
    reverse: bool,
    hidden: usize,
) -> Result<Run<'g>, Reason> {
    let graph = call.graph;
    // What the inputs bring is computed for all steps at once.
    let brought = x.matmul_transposed(own.w, false, true);
    let xs = call.typed::<T>(own.input_bias.map_or(brought, |bias| brought + bias));
    let size = hidden as i64;
    // Columns of a block of gates.
    let gate = move |x: Tensor<'g, T>, index: i64| {
        let rank = x.shape().len();
        let mut begin = vec![0; rank];
        let mut lengths = vec![-1; rank];
        if let (Some(begin), Some(length)) = (begin.last_mut(), lengths.last_mut()) {
            (*begin, *length) = (index * size, size);
        }
        x.slice(begin, lengths)
    };
    let (r, bias) = (own.r, own.own_bias);
    let with_bias = move |x: Tensor<'g, T>| match bias {
        Some(bias) => x + bias,
        None => x,
    };
    let peepholes = own.peepholes;
    match (cell, activations) {
        (Cell::Simple, &[f]) => {
            let step = |h: Tensor<'g, T>, x: Tensor<'g, T>| {
                let h =
                    f.of(x + with_bias(h.matmul_with(r, MatMulOptions::new().transpose_b(true))));
                (h, h)
            };
            let (h, all) = if reverse {
                graph.scan_reverse(own.h, xs, step)
            } else {
                graph.scan(own.h, xs, step)
            };
            Ok((all.erase().expr(), h.erase().expr(), None))
        }
        (Cell::Gru, &[f, g]) => {
            let before = call.flag("linear_before_reset", false)?;
            let step = |h: Tensor<'g, T>, x: Tensor<'g, T>| {
                let (rows, bias) =
                    (|index: i64| r.slice([index * size, 0], [size, -1]), own.own_bias);
                let add = |y: Tensor<'g, T>, index: i64| match bias {
                    Some(bias) => y + bias.slice([index * size], [size]),
                    None => y,
                };
                let own = |h: Tensor<'g, T>, index: i64| {
                    add(h.matmul_with(rows(index), MatMulOptions::new().transpose_b(true)), index)
                };
                let update = f.of(gate(x, 0) + own(h, 0));
                let reset = f.of(gate(x, 1) + own(h, 1));
                let candidate = if before {
                    g.of(gate(x, 2) + reset * own(h, 2))
                } else {
                    g.of(gate(x, 2) + own(reset * h, 2))
                };
                let h = candidate + update * (h - candidate);
                (h, h)
            };
            let (h, all) = if reverse {
                graph.scan_reverse(own.h, xs, step)
            } else {
                graph.scan(own.h, xs, step)
            };
            Ok((all.erase().expr(), h.erase().expr(), None))
        }
        (Cell::Lstm, &[f, g, last]) => {
            let step = |(h, c): (Tensor<'g, T>, Tensor<'g, T>), x: Tensor<'g, T>| {
                let all = x + with_bias(h.matmul_with(r, MatMulOptions::new().transpose_b(true)));
                // Peepholes come in the order i, o, f; gates in the order i, o, f, c.
                let look = |y: Tensor<'g, T>, c: Tensor<'g, T>, index: i64| match peepholes {
                    Some(p) => y + p.slice([index * size], [size]) * c,
                    None => y,
                };
                let input = f.of(look(gate(all, 0), c, 0));
                let forget = f.of(look(gate(all, 2), c, 2));
                let candidate = g.of(gate(all, 3));
                let c = forget * c + input * candidate;
                let output = f.of(look(gate(all, 1), c, 1));
                let h = output * last.of(c);
                ((h, c), h)
            };
            let ((h, c), all) = if reverse {
                graph.scan_reverse((own.h, own.c), xs, step)
            } else {
                graph.scan((own.h, own.c), xs, step)
            };
            Ok((all.erase().expr(), h.erase().expr(), Some(c.erase().expr())))
        }
        _ => wrong("an activation is missing"),
    }
}
