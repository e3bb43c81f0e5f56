//! Sums of products over named dimensions: `einsum` and `tensordot`, made of `transpose`, `reshape`, `reduce_sum` and `matmul`.

use abeyance_ir::{Diagnostic, Dim, Fault, Graph as Ir, NodeId, Shape, resolve_axis};

use super::shape::{merge, reshape, transpose_to};
use super::{binary, diag, matmul, reduce, source, unary};
use crate::{Graph, Number, Tensor};

/// What a dimension is called: a letter, or beyond all letters a place counted from the end of what `...` stands for.
type Label = u32;

/// The first label that is no letter.
const ELLIPSIS: Label = char::MAX as u32 + 1;

fn shown(label: Label) -> String {
    match char::from_u32(label) {
        Some(letter) => format!("`{letter}`"),
        None => "`...`".to_owned(),
    }
}

/// A node whose dimensions have labels.
#[derive(Clone, Debug)]
struct Labelled {
    node: NodeId,
    labels: Vec<Label>,
}

impl Labelled {
    fn shape(&self, graph: &Ir) -> Shape {
        graph.shape(self.node).unwrap_or_default()
    }

    fn place(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|&own| own == label)
    }

    /// The dimensions in the order of these labels, which are its own.
    fn ordered(&self, graph: &mut Ir, labels: &[Label]) -> Labelled {
        let order: Vec<usize> = labels.iter().filter_map(|&label| self.place(label)).collect();
        Labelled { node: transpose_to(graph, self.node, &order), labels: labels.to_vec() }
    }

    /// A label that stands twice names the diagonal of the two dimensions.
    fn diagonals(mut self, graph: &mut Ir) -> Labelled {
        while let Some((first, second)) = self.labels.iter().enumerate().find_map(|(i, label)| {
            let second = self.labels[..i].iter().position(|own| own == label)?;
            Some((second, i))
        }) {
            let rest = (0..self.labels.len()).filter(|&axis| axis != first && axis != second);
            let order: Vec<usize> = rest.chain([first, second]).collect();
            let turned = transpose_to(graph, self.node, &order);
            self.node = diag::diag_part(graph, turned);
            self.labels = order.iter().map(|&axis| self.labels[axis]).collect();
            self.labels.pop();
        }
        self
    }

    /// Summed over the labels that are not needed.
    fn sum(mut self, graph: &mut Ir, needed: impl Fn(Label) -> bool) -> Labelled {
        let axes: Vec<i64> = (0i64..)
            .zip(&self.labels)
            .filter(|(_, label)| !needed(**label))
            .map(|(axis, _)| axis)
            .collect();
        if !axes.is_empty() {
            self.node = reduce::sum(graph, self.node, &axes, false);
            self.labels.retain(|&label| needed(label));
        }
        self
    }
}

/// The sum of products of two tensors over the labels that both have and that are not needed; the labels of the result are those of
/// both that are needed, then those of `a` alone, then those of `b` alone.
fn contract(
    graph: &mut Ir,
    a: &Labelled,
    b: &Labelled,
    needed: impl Fn(Label) -> bool,
) -> Labelled {
    let pick = |of: &Labelled, other: &Labelled, both: bool| -> Vec<Label> {
        let labels = of.labels.iter().copied();
        labels.filter(|&label| other.labels.contains(&label) == both).collect()
    };
    let (batch, inner): (Vec<Label>, Vec<Label>) =
        pick(a, b, true).into_iter().partition(|&label| needed(label));
    let (free_a, free_b) = (pick(a, b, false), pick(b, a, false));
    let labels = [&batch[..], &free_a, &free_b].concat();
    let sizes = |graph: &Ir, of: &Labelled, labels: &[Label]| -> Shape {
        let shape = of.shape(graph);
        let dims = labels.iter().filter_map(|&label| of.place(label));
        dims.filter_map(|axis| shape.get(axis).copied()).collect()
    };
    let lead = batch.len();
    if inner.is_empty() {
        // Nothing to sum: each with each, by broadcasting.
        let x = a.ordered(graph, &[&batch[..], &free_a].concat());
        let y = b.ordered(graph, &[&batch[..], &free_b].concat());
        let mut x_shape = x.shape(graph);
        x_shape.extend(free_b.iter().map(|_| Dim::Known(1)));
        let mut y_shape = y.shape(graph);
        y_shape.insert_many(lead.min(y_shape.len()), free_a.iter().map(|_| Dim::Known(1)));
        let [x, y] =
            [(x, x_shape), (y, y_shape)].map(|(x, shape)| match shape.len() == x.labels.len() {
                true => x.node,
                false => reshape(graph, x.node, shape),
            });
        let node = binary::mul(graph, x, y);
        return Labelled { node, labels };
    }
    let mut shape = sizes(graph, a, &batch);
    shape.extend(sizes(graph, a, &free_a));
    shape.extend(sizes(graph, b, &free_b));
    // As a matrix each, turned by the product rather than by a copy where that does.
    let matrices = |graph: &mut Ir, of: &Labelled, rows: &[Label], columns: &[Label]| {
        let plain = [&batch[..], rows, columns].concat();
        let turned = [&batch[..], columns, rows].concat();
        let turn = of.labels == turned && of.labels != plain;
        let (order, first, second) = match turn {
            true => (turned, columns.len(), rows.len()),
            false => (plain, rows.len(), columns.len()),
        };
        let x = of.ordered(graph, &order).node;
        let x = merge(graph, x, lead, first);
        (merge(graph, x, lead + 1, second), turn)
    };
    let (x, turn_x) = matrices(graph, a, &free_a, &inner);
    let (y, turn_y) = matrices(graph, b, &inner, &free_b);
    let mut node = matmul::matmul(graph, x, y, turn_x, turn_y);
    if free_a.len() != 1 || free_b.len() != 1 {
        node = reshape(graph, node, shape);
    }
    Labelled { node, labels }
}

/// One side of an equation: labels before and behind `...`, if that stands there.
#[derive(Clone, Debug, Default)]
struct Term {
    before: Vec<Label>,
    behind: Option<Vec<Label>>,
}

impl Term {
    fn parse(text: &str) -> Result<Self, Fault> {
        let letters = |part: &str| -> Result<Vec<Label>, Fault> {
            part.chars()
                .filter(|letter| !letter.is_whitespace())
                .map(|letter| match letter.is_ascii_alphabetic() {
                    true => Ok(letter as Label),
                    false => Err(Fault::new(format!("{letter:?} is not a letter"))),
                })
                .collect()
        };
        Ok(match text.split_once("...") {
            None => Term { before: letters(text)?, behind: None },
            Some((before, behind)) => {
                Term { before: letters(before)?, behind: Some(letters(behind)?) }
            }
        })
    }

    fn letters(&self) -> impl Iterator<Item = Label> + '_ {
        self.before.iter().chain(self.behind.iter().flatten()).copied()
    }

    /// With labels for as many dimensions as `...` stands for.
    fn labels(&self, ellipsis: usize) -> Vec<Label> {
        let mut labels = self.before.clone();
        if let Some(behind) = &self.behind {
            labels.extend((0..ellipsis as u32).rev().map(|place| ELLIPSIS + place));
            labels.extend(behind);
        }
        labels
    }
}

/// Appends the sum of products that an equation describes.
///
/// # Errors
/// What is wrong with the equation, or does not fit the operands.
pub fn einsum(graph: &mut Ir, equation: &str, operands_given: &[NodeId]) -> Result<NodeId, Fault> {
    let (inputs, output) = match equation.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (equation, None),
    };
    let terms: Vec<Term> = inputs.split(',').map(Term::parse).collect::<Result<_, _>>()?;
    if terms.len() != operands_given.len() {
        return Err(Fault::new(format!(
            "the equation is for {} operands, and there are {}",
            terms.len(),
            operands_given.len()
        )));
    }
    // Labels for all dimensions.
    let mut labelled = Vec::new();
    let mut ellipsis = 0;
    for (index, (term, &node)) in terms.iter().zip(operands_given).enumerate() {
        let Some(shape) = graph.shape(node) else {
            return Ok(source::invalid(graph)); // Wrong already, and reported.
        };
        let named = term.letters().count();
        let rest = shape.len().checked_sub(named);
        let rest = rest.filter(|&rest| rest == 0 || term.behind.is_some());
        let Some(rest) = rest else {
            return Err(Fault::new(format!(
                "operand {index} of shape {} has {} dimensions, and the equation names {named}",
                graph.symbols().display(&shape),
                shape.len()
            )));
        };
        ellipsis = ellipsis.max(rest);
        labelled.push(Labelled { node, labels: term.labels(rest) });
    }
    let sizes = unify(graph, &labelled)?;
    let output = match output {
        Some(output) => {
            let output = Term::parse(output)?;
            if output.behind.is_none() && ellipsis > 0 {
                return Err(Fault::new("`...` stands for dimensions that the result leaves out")
                    .help(
                        "write `...` on the right too, or name the dimensions to sum over them",
                    ));
            }
            output.labels(ellipsis)
        }
        None => implicit(&terms, ellipsis),
    };
    for (place, &label) in output.iter().enumerate() {
        if !sizes.iter().any(|&(known, ..)| known == label) {
            return Err(Fault::new(format!(
                "{} of the result is in none of the operands",
                shown(label)
            )));
        }
        if output[..place].contains(&label) {
            return Err(Fault::new(format!("{} stands twice in the result", shown(label))));
        }
    }
    // Dimensions of 1 that stretch are left to the other operands.
    for operand in &mut labelled {
        let shape = operand.shape(graph);
        let stretched = |axis: usize, label: Label| {
            let size = sizes.iter().find(|&&(known, ..)| known == label);
            label >= ELLIPSIS
                && shape[axis] == Dim::Known(1)
                && size.is_some_and(|&(_, dim, _)| graph.symbols().resolve(dim) != Dim::Known(1))
        };
        let kept: Vec<usize> =
            (0..shape.len()).filter(|&axis| !stretched(axis, operand.labels[axis])).collect();
        if kept.len() < shape.len() {
            let shape = kept.iter().map(|&axis| shape[axis]).collect();
            operand.node = reshape(graph, operand.node, shape);
            operand.labels = kept.iter().map(|&axis| operand.labels[axis]).collect();
        }
    }
    let mut operands = labelled.into_iter();
    let Some(mut result) = operands.next().map(|operand| operand.diagonals(graph)) else {
        return Err(Fault::new("takes at least one operand"));
    };
    let rest: Vec<Labelled> = operands.collect();
    let needed_from = |index: usize, label: Label| {
        let later = &rest[index..];
        output.contains(&label) || later.iter().any(|operand| operand.labels.contains(&label))
    };
    result = result.sum(graph, |label| needed_from(0, label));
    for (index, operand) in rest.iter().enumerate() {
        // What only this operand has is summed before the product.
        let operand = operand
            .clone()
            .diagonals(graph)
            .sum(graph, |label| needed_from(index + 1, label) || result.labels.contains(&label));
        result = contract(graph, &result, &operand, |label| needed_from(index + 1, label));
    }
    let node = result.ordered(graph, &output).node;
    // A node of its own, that it can be named.
    match operands_given.contains(&node) {
        true => Ok(unary::identity(graph, node)),
        false => Ok(node),
    }
}

/// NumPy's rule where the equation says nothing: `...`, then the letters that stand once, in the order of the alphabet.
fn implicit(terms: &[Term], ellipsis: usize) -> Vec<Label> {
    let mut letters: Vec<Label> = terms.iter().flat_map(Term::letters).collect();
    letters.sort_unstable();
    let once = letters.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).map(|same| same[0]);
    let places = (0..ellipsis as u32).rev().map(|place| ELLIPSIS + place);
    places.chain(once).collect()
}

/// The size of each label, and the operand that brought it. Dimensions of one letter become equal; those of `...` broadcast.
fn unify(graph: &mut Ir, operands: &[Labelled]) -> Result<Vec<(Label, Dim, usize)>, Fault> {
    let mut sizes: Vec<(Label, Dim, usize)> = Vec::new();
    for (index, operand) in operands.iter().enumerate() {
        let shape = operand.shape(graph);
        for (&label, &dim) in operand.labels.iter().zip(&shape) {
            let dim = graph.symbols().resolve(dim);
            let Some((_, known, first)) = sizes.iter_mut().find(|(known, ..)| *known == label)
            else {
                sizes.push((label, dim, index));
                continue;
            };
            let before = graph.symbols().resolve(*known);
            *known = match (before, dim) {
                (Dim::Known(1), dim) if label >= ELLIPSIS => dim,
                (before, Dim::Known(1)) if label >= ELLIPSIS => before,
                _ => graph.unify(before, dim).ok_or_else(|| {
                    let shown_size = |dim| {
                        let text = graph.symbols().display(&[dim]).to_string();
                        text.trim_matches(['[', ']']).to_owned()
                    };
                    Fault::new(format!(
                        "{} is {} in operand {first} and {} in operand {index}",
                        shown(label),
                        shown_size(before),
                        shown_size(dim),
                    ))
                })?,
            };
        }
    }
    Ok(sizes)
}

/// Appends the sum of products over pairs of axes.
///
/// # Errors
/// Axes that do not exist, stand twice, or differ in size.
pub fn tensordot(
    graph: &mut Ir,
    a: NodeId,
    b: NodeId,
    axes_a: &[i64],
    axes_b: &[i64],
) -> Result<NodeId, Fault> {
    let (Some(shape_a), Some(shape_b)) = (graph.shape(a), graph.shape(b)) else {
        return Ok(source::invalid(graph));
    };
    if axes_a.len() != axes_b.len() {
        return Err(Fault::new(format!("{axes_a:?} and {axes_b:?} are not axes in pairs")));
    }
    reduce::resolve_axes(axes_a, shape_a.len())?;
    reduce::resolve_axes(axes_b, shape_b.len())?;
    let labels_a: Vec<Label> = (0..shape_a.len() as Label).collect();
    let mut labels_b: Vec<Label> =
        (0..shape_b.len() as Label).map(|axis| shape_a.len() as Label + axis).collect();
    for (&x, &y) in axes_a.iter().zip(axes_b) {
        let (x, y) = (resolve_axis(x, shape_a.len())?, resolve_axis(y, shape_b.len())?);
        labels_b[y] = labels_a[x];
        if graph.unify(shape_a[x], shape_b[y]).is_none() {
            return Err(Fault::new(format!(
                "dimension {x} of {} and dimension {y} of {} differ",
                graph.symbols().display(&shape_a),
                graph.symbols().display(&shape_b)
            )));
        }
    }
    let a = Labelled { node: a, labels: labels_a };
    let b = Labelled { node: b, labels: labels_b };
    Ok(contract(graph, &a, &b, |_| false).node)
}

impl Graph {
    /// The sum of products that an equation in Einstein's notation describes: `"ij,jk->ik"` is a product of matrices, `"bij,bjk->bik"`
    /// of many, `"ii->i"` a diagonal, `"ij->"` a sum. Without `->` the result has the letters that stand once, in the order of the
    /// alphabet. `...` stands for the dimensions that have no letter; these broadcast. TensorFlow's `tf.einsum`. Operands are taken
    /// from left to right.
    ///
    /// Dimensions of one letter have to be equal. Gradient: that of the `transpose`, `reshape`, `reduce_sum` and `matmul` it is made
    /// of.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let queries = g.placeholder::<f32>("queries", dims![_, 7, 4, 16]);
    /// let keys = g.placeholder::<f32>("keys", dims![_, 9, 4, 16]);
    /// let scores = g.einsum("bthd,bshd->bhts", [queries, keys]);
    /// assert_eq!(scores.to_string(), "einsum : f32[N, 4, 7, 9]");
    /// ```
    #[track_caller]
    pub fn einsum<'g, T: Number>(
        &'g self,
        equation: &str,
        operands: impl IntoIterator<Item = Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        let _call = self.call("einsum");
        let operands: Vec<_> = operands.into_iter().map(Tensor::erase).collect();
        let home = self.innermost(&operands);
        let operands = home.import_all(&operands);
        home.within("einsum", || {
            let id = match home.build(|graph| einsum(graph, equation, &operands)) {
                Ok(id) => id,
                Err(fault) => {
                    let mut diagnostic = Diagnostic::new(
                        format!("einsum {equation:?}: {}", fault.message),
                        home.here(),
                    );
                    diagnostic.help = fault.help;
                    for &operand in &operands {
                        let ir = home.ir();
                        diagnostic =
                            diagnostic.note(ir.describe(operand), ir.node(operand).location);
                    }
                    home.reject(diagnostic)
                }
            };
            home.handle(id)
        })
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The sum of products over pairs of axes, of this tensor and of the other: `[a, b, c]` and `[c, b, d]` over `[1, 2]` and
    /// `[1, 0]` give `[a, d]`. The other dimensions stay, this tensor's first. TensorFlow's `tf.tensordot`. Axes that do not exist,
    /// stand twice or differ in size are mistakes. Without axes it is the outer product.
    #[track_caller]
    pub fn tensordot(
        self,
        other: Tensor<'g, T>,
        axes: impl AsRef<[i64]>,
        other_axes: impl AsRef<[i64]>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("tensordot");
        let this = self.beside(other);
        let other = this.graph().import(other.erase());
        let (axes, other_axes) = (axes.as_ref(), other_axes.as_ref());
        let graph = this.graph();
        graph.within("tensordot", || {
            match graph.build(|ir| tensordot(ir, this.id(), other, axes, other_axes)) {
                Ok(id) => graph.handle(id),
                Err(fault) => this.fault(fault),
            }
        })
    }
}
