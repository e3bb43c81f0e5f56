//! Recurrent layers, as `scan`s.

use abeyance_graph::{Element, Expr, Float, Graph, MatMulOptions, Tensor};
use abeyance_ir::{Array, Dim, Shape};

use super::super::call::{Call, Imported, unsupported, with_float, wrong};
use super::super::entry::OpEntry;
use super::super::value::Value;
use super::shape::reshaped;
use crate::error::ProblemKind;

const LIMITS: &str = "`sequence_lens`, `clip`, activations other than Sigmoid, Tanh and Relu";

/// This family's operators.
pub(crate) const ENTRIES: &[OpEntry] = &[
    OpEntry::new("RNN", "`scan`", |call| recurrent(call, Cell::Simple)).unsupported(LIMITS),
    OpEntry::new("GRU", "`scan`", |call| recurrent(call, Cell::Gru)).unsupported(LIMITS),
    OpEntry::new("LSTM", "`scan`", |call| recurrent(call, Cell::Lstm)).unsupported(
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
    /// The number of blocks of rows in its weights.
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
    fn named(name: &str) -> Result<Self, ProblemKind> {
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
) -> Result<Direction<'g, T>, ProblemKind> {
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
) -> Result<Run<'g>, ProblemKind> {
    // The products with the inputs are computed for all steps at once.
    let products = x.matmul_transposed(own.w, false, true);
    let xs = call.typed::<T>(own.input_bias.map_or(products, |bias| products + bias));
    let steps = Steps { graph: call.graph, own, xs, reverse, hidden: hidden as i64 };
    match (cell, activations) {
        (Cell::Simple, &[f]) => Ok(steps.simple(f)),
        (Cell::Gru, &[f, g]) => Ok(steps.gru(f, g, call.flag("linear_before_reset", false)?)),
        (Cell::Lstm, &[f, g, last]) => Ok(steps.lstm(f, g, last)),
        _ => wrong("an activation is missing"),
    }
}

/// The steps of one direction.
struct Steps<'s, 'g, T: Element> {
    graph: &'g Graph,
    own: &'s Direction<'g, T>,
    /// The products of the inputs with their weights, with the bias: `[T, N, gates · H]`.
    xs: Tensor<'g, T>,
    reverse: bool,
    hidden: i64,
}

impl<'g, T: Float> Steps<'_, 'g, T> {
    /// The columns of a gate.
    fn gate(&self, x: Tensor<'g, T>, index: i64) -> Tensor<'g, T> {
        let rank = x.shape().len();
        let mut begin = vec![0; rank];
        let mut lengths = vec![-1; rank];
        if let (Some(begin), Some(length)) = (begin.last_mut(), lengths.last_mut()) {
            (*begin, *length) = (index * self.hidden, self.hidden);
        }
        x.slice(begin, lengths)
    }

    /// The products of the state with its weights for all gates, with the bias.
    fn products(&self, h: Tensor<'g, T>) -> Tensor<'g, T> {
        let products = h.matmul_with(self.own.r, MatMulOptions::new().transpose_b(true));
        self.own.own_bias.map_or(products, |bias| products + bias)
    }

    /// The product of the state with its weights for a gate, with the bias.
    fn product(&self, h: Tensor<'g, T>, index: i64) -> Tensor<'g, T> {
        let (begin, size) = (index * self.hidden, self.hidden);
        let product = h.matmul_with(
            self.own.r.slice([begin, 0], [size, -1]),
            MatMulOptions::new().transpose_b(true),
        );
        self.own.own_bias.map_or(product, |bias| product + bias.slice([begin], [size]))
    }

    /// A gate with the weighted cell state added, where the layer has peepholes.
    fn with_peephole(&self, y: Tensor<'g, T>, c: Tensor<'g, T>, index: i64) -> Tensor<'g, T> {
        let (begin, size) = (index * self.hidden, self.hidden);
        self.own.peepholes.map_or(y, |weights| y + weights.slice([begin], [size]) * c)
    }

    fn simple(&self, f: Activation) -> Run<'g> {
        let step = |h: Tensor<'g, T>, x: Tensor<'g, T>| {
            let h = f.of(x + self.products(h));
            (h, h)
        };
        let (h, all) = if self.reverse {
            self.graph.scan_reverse(self.own.h, self.xs, step)
        } else {
            self.graph.scan(self.own.h, self.xs, step)
        };
        (all.erase().expr(), h.erase().expr(), None)
    }

    fn gru(&self, f: Activation, g: Activation, linear_before_reset: bool) -> Run<'g> {
        let step = |h: Tensor<'g, T>, x: Tensor<'g, T>| {
            let update = f.of(self.gate(x, 0) + self.product(h, 0));
            let reset = f.of(self.gate(x, 1) + self.product(h, 1));
            let candidate = if linear_before_reset {
                g.of(self.gate(x, 2) + reset * self.product(h, 2))
            } else {
                g.of(self.gate(x, 2) + self.product(reset * h, 2))
            };
            let h = candidate + update * (h - candidate);
            (h, h)
        };
        let (h, all) = if self.reverse {
            self.graph.scan_reverse(self.own.h, self.xs, step)
        } else {
            self.graph.scan(self.own.h, self.xs, step)
        };
        (all.erase().expr(), h.erase().expr(), None)
    }

    fn lstm(&self, f: Activation, g: Activation, last: Activation) -> Run<'g> {
        let step = |(h, c): (Tensor<'g, T>, Tensor<'g, T>), x: Tensor<'g, T>| {
            let all = x + self.products(h);
            // Peepholes come in the order i, o, f; gates in the order i, o, f, c.
            let input = f.of(self.with_peephole(self.gate(all, 0), c, 0));
            let forget = f.of(self.with_peephole(self.gate(all, 2), c, 2));
            let candidate = g.of(self.gate(all, 3));
            let c = forget * c + input * candidate;
            let output = f.of(self.with_peephole(self.gate(all, 1), c, 1));
            let h = output * last.of(c);
            ((h, c), h)
        };
        let first = (self.own.h, self.own.c);
        let ((h, c), all) = if self.reverse {
            self.graph.scan_reverse(first, self.xs, step)
        } else {
            self.graph.scan(first, self.xs, step)
        };
        (all.erase().expr(), h.erase().expr(), Some(c.erase().expr()))
    }
}
