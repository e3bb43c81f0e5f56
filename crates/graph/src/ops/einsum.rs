//! Sums of products over named dimensions: `einsum` and `tensordot`, made of `transpose`,
//! `reshape`, `reduce_sum` and `matmul`.

use std::cell::RefCell;

use abeyance_ir::{Diagnostic, Dim, Fault, Shape, resolve_axis};

use super::reduce::resolve_axes;
use crate::{Expr, Graph, Number, Tensor};

/// The name of a dimension: a letter, or beyond all letters a place counted from the end of what
/// `...` stands for.
type Label = u32;

/// The first label that is no letter.
const ELLIPSIS: Label = char::MAX as u32 + 1;

fn shown(label: Label) -> String {
    match char::from_u32(label) {
        Some(letter) => format!("`{letter}`"),
        None => "`...`".to_owned(),
    }
}

/// An expression whose dimensions have labels.
#[derive(Clone, Debug)]
struct Labelled<'g> {
    node: Expr<'g>,
    labels: Vec<Label>,
}

impl Labelled<'_> {
    fn place(&self, label: Label) -> Option<usize> {
        self.labels.iter().position(|&own| own == label)
    }

    /// The dimensions in the order of these labels, which are its own.
    fn ordered(&self, labels: &[Label]) -> Self {
        let order: Vec<usize> = labels.iter().filter_map(|&label| self.place(label)).collect();
        Labelled { node: self.node.transpose_to(&order), labels: labels.to_vec() }
    }

    /// A label that stands twice names the diagonal of the two dimensions.
    fn diagonals(mut self) -> Self {
        while let Some((first, second)) = self.labels.iter().enumerate().find_map(|(i, label)| {
            let second = self.labels[..i].iter().position(|own| own == label)?;
            Some((second, i))
        }) {
            let rest = (0..self.labels.len()).filter(|&axis| axis != first && axis != second);
            let order: Vec<usize> = rest.chain([first, second]).collect();
            self.node = self.node.transpose_to(&order).diag_part();
            self.labels = order.iter().map(|&axis| self.labels[axis]).collect();
            self.labels.pop();
        }
        self
    }

    /// Summed over the labels that are not needed.
    fn sum(mut self, needed: impl Fn(Label) -> bool) -> Self {
        let axes: Vec<i64> = (0i64..)
            .zip(&self.labels)
            .filter(|(_, label)| !needed(**label))
            .map(|(axis, _)| axis)
            .collect();
        if !axes.is_empty() {
            self.node = self.node.reduce_sum(&axes[..]);
            self.labels.retain(|&label| needed(label));
        }
        self
    }

    /// Leaves dimensions of 1 that stretch to the other operands.
    fn drop_stretched(&mut self, sizes: &[Size]) {
        let shape = self.node.shape();
        let resolved = |dim| self.node.graph(|graph| graph.symbols().resolve(dim));
        let stretched = |axis: usize, label: Label| {
            let size = sizes.iter().find(|&&(known, ..)| known == label);
            label >= ELLIPSIS
                && shape[axis] == Dim::Known(1)
                && size.is_some_and(|&(_, dim, _)| resolved(dim) != Dim::Known(1))
        };
        let kept: Vec<usize> =
            (0..shape.len()).filter(|&axis| !stretched(axis, self.labels[axis])).collect();
        if kept.len() < shape.len() {
            self.node = self.node.reshape(kept.iter().map(|&axis| shape[axis]).collect());
            self.labels = kept.iter().map(|&axis| self.labels[axis]).collect();
        }
    }
}

/// The sum of products of two tensors over the labels that both have and that are not needed; the
/// labels of the result are those of both that are needed, then those of `a` alone, then those of
/// `b` alone.
fn contract<'g>(
    a: &Labelled<'g>,
    b: &Labelled<'g>,
    needed: impl Fn(Label) -> bool,
) -> Labelled<'g> {
    let pick = |of: &Labelled<'g>, other: &Labelled<'g>, both: bool| -> Vec<Label> {
        let labels = of.labels.iter().copied();
        labels.filter(|&label| other.labels.contains(&label) == both).collect()
    };
    let (batch, inner): (Vec<Label>, Vec<Label>) =
        pick(a, b, true).into_iter().partition(|&label| needed(label));
    let (free_a, free_b) = (pick(a, b, false), pick(b, a, false));
    let labels = [&batch[..], &free_a, &free_b].concat();
    let sizes = |of: &Labelled<'g>, labels: &[Label]| -> Shape {
        let shape = of.node.shape();
        let dims = labels.iter().filter_map(|&label| of.place(label));
        dims.filter_map(|axis| shape.get(axis).copied()).collect()
    };
    let lead = batch.len();
    if inner.is_empty() {
        // Nothing to sum: each with each, by broadcasting.
        let x = a.ordered(&[&batch[..], &free_a].concat());
        let y = b.ordered(&[&batch[..], &free_b].concat());
        let mut x_shape = x.node.shape();
        x_shape.extend(free_b.iter().map(|_| Dim::Known(1)));
        let mut y_shape = y.node.shape();
        y_shape.insert_many(lead.min(y_shape.len()), free_a.iter().map(|_| Dim::Known(1)));
        let [x, y] = [(x, x_shape), (y, y_shape)].map(|(x, shape)| {
            if shape.len() == x.labels.len() { x.node } else { x.node.reshape(shape) }
        });
        return Labelled { node: x * y, labels };
    }
    let mut shape = sizes(a, &batch);
    shape.extend(sizes(a, &free_a));
    shape.extend(sizes(b, &free_b));
    // As a matrix each, turned by the product rather than by a copy where that does.
    let matrices = |of: &Labelled<'g>, rows: &[Label], columns: &[Label]| {
        let plain = [&batch[..], rows, columns].concat();
        let turned = [&batch[..], columns, rows].concat();
        let turn = of.labels == turned && of.labels != plain;
        let (order, first, second) = if turn {
            (turned, columns.len(), rows.len())
        } else {
            (plain, rows.len(), columns.len())
        };
        let x = of.ordered(&order).node.merge(lead, first);
        (x.merge(lead + 1, second), turn)
    };
    let (x, turn_x) = matrices(a, &free_a, &inner);
    let (y, turn_y) = matrices(b, &inner, &free_b);
    let mut node = x.matmul_transposed(y, turn_x, turn_y);
    if free_a.len() != 1 || free_b.len() != 1 {
        node = node.reshape(shape);
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
                .map(|letter| {
                    if letter.is_ascii_alphabetic() {
                        Ok(letter as Label)
                    } else {
                        Err(Fault::new(format!("{letter:?} is not a letter")))
                    }
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

/// NumPy's rule where the equation says nothing: `...`, then the letters that stand once, in the
/// order of the alphabet.
fn implicit(terms: &[Term], ellipsis: usize) -> Vec<Label> {
    let mut letters: Vec<Label> = terms.iter().flat_map(Term::letters).collect();
    letters.sort_unstable();
    let once = letters.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).map(|same| same[0]);
    let places = (0..ellipsis as u32).rev().map(|place| ELLIPSIS + place);
    places.chain(once).collect()
}

/// A label, its size, and the index of the operand that brought it.
type Size = (Label, Dim, usize);

/// The size of each label, and the operand that brought it. Dimensions of one letter become equal;
/// those of `...` broadcast.
fn unify(operands: &[Labelled<'_>]) -> Result<Vec<Size>, Fault> {
    let mut sizes: Vec<Size> = Vec::new();
    for (index, operand) in operands.iter().enumerate() {
        let shape = operand.node.shape();
        operand.node.graph(|graph| {
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
            Ok::<(), Fault>(())
        })?;
    }
    Ok(sizes)
}

/// Labels for all dimensions of the operands, and the most dimensions that `...` stands for; none
/// if an operand is wrong already, and reported.
///
/// # Errors
/// An operand has not the dimensions that its term names.
fn label<'g>(
    terms: &[Term],
    given: &[Expr<'g>],
) -> Result<Option<(Vec<Labelled<'g>>, usize)>, Fault> {
    let mut labelled = Vec::new();
    let mut ellipsis = 0;
    for (index, (term, &node)) in terms.iter().zip(given).enumerate() {
        if node.dtype().is_none() {
            return Ok(None);
        }
        let shape = node.shape();
        let named = term.letters().count();
        let rest = shape.len().checked_sub(named);
        let rest = rest.filter(|&rest| rest == 0 || term.behind.is_some());
        let Some(rest) = rest else {
            return Err(Fault::new(format!(
                "operand {index} of shape {} has {} dimensions, and the equation names {named}",
                node.graph(|graph| graph.symbols().display(&shape).to_string()),
                shape.len()
            )));
        };
        ellipsis = ellipsis.max(rest);
        labelled.push(Labelled { node, labels: term.labels(rest) });
    }
    Ok(Some((labelled, ellipsis)))
}

/// # Errors
/// A label of the result is in none of the operands, or stands twice.
fn check_result(output: &[Label], sizes: &[Size]) -> Result<(), Fault> {
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
    Ok(())
}

impl<'g> Expr<'g> {
    /// The sum of products that an equation in Einstein's notation describes.
    ///
    /// # Errors
    /// What is wrong with the equation, or does not fit the operands.
    pub fn einsum(equation: &str, given: &[Expr<'g>]) -> Result<Self, Fault> {
        let (inputs, output) = match equation.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (equation, None),
        };
        let terms: Vec<Term> = inputs.split(',').map(Term::parse).collect::<Result<_, _>>()?;
        if terms.len() != given.len() {
            return Err(Fault::new(format!(
                "the equation is for {} operands, and there are {}",
                terms.len(),
                given.len()
            )));
        }
        let Some((mut labelled, ellipsis)) = label(&terms, given)? else {
            return Ok(given[0].invalid());
        };
        let sizes = unify(&labelled)?;
        let output = match output {
            Some(output) => {
                let output = Term::parse(output)?;
                if output.behind.is_none() && ellipsis > 0 {
                    return Err(Fault::new(
                        "`...` stands for dimensions that the result leaves out",
                    )
                    .help(
                        "write `...` on the right too, or name the dimensions to sum over them",
                    ));
                }
                output.labels(ellipsis)
            }
            None => implicit(&terms, ellipsis),
        };
        check_result(&output, &sizes)?;
        for operand in &mut labelled {
            operand.drop_stretched(&sizes);
        }
        let mut operands = labelled.into_iter();
        let Some(mut result) = operands.next().map(|operand| operand.diagonals()) else {
            return Err(Fault::new("takes at least one operand"));
        };
        let rest: Vec<Labelled> = operands.collect();
        let needed_from = |index: usize, label: Label| {
            let later = &rest[index..];
            output.contains(&label) || later.iter().any(|operand| operand.labels.contains(&label))
        };
        result = result.sum(|label| needed_from(0, label));
        for (index, operand) in rest.iter().enumerate() {
            // What only this operand has is summed before the product.
            let operand = operand
                .clone()
                .diagonals()
                .sum(|label| needed_from(index + 1, label) || result.labels.contains(&label));
            result = contract(&result, &operand, |label| needed_from(index + 1, label));
        }
        let node = result.ordered(&output).node;
        // A node of its own, that it can be named.
        let is_given = given.iter().any(|given| given.id() == node.id());
        Ok(if is_given { node.identity() } else { node })
    }

    /// The sum of products over pairs of axes, of this expression and another.
    ///
    /// # Errors
    /// Axes that do not exist, stand twice, or differ in size.
    pub fn tensordot(
        self,
        other: Expr<'g>,
        axes: &[i64],
        other_axes: &[i64],
    ) -> Result<Self, Fault> {
        if self.dtype().is_none() || other.dtype().is_none() {
            return Ok(self.invalid());
        }
        let (shape, other_shape) = (self.shape(), other.shape());
        if axes.len() != other_axes.len() {
            return Err(Fault::new(format!("{axes:?} and {other_axes:?} are not axes in pairs")));
        }
        resolve_axes(axes, shape.len())?;
        resolve_axes(other_axes, other_shape.len())?;
        let labels: Vec<Label> = (0..shape.len() as Label).collect();
        let mut other_labels: Vec<Label> =
            (0..other_shape.len() as Label).map(|axis| shape.len() as Label + axis).collect();
        for (&x, &y) in axes.iter().zip(other_axes) {
            let (x, y) = (resolve_axis(x, shape.len())?, resolve_axis(y, other_shape.len())?);
            other_labels[y] = labels[x];
            self.graph(|graph| {
                if graph.unify(shape[x], other_shape[y]).is_some() {
                    return Ok(());
                }
                Err(Fault::new(format!(
                    "dimension {x} of {} and dimension {y} of {} differ",
                    graph.symbols().display(&shape),
                    graph.symbols().display(&other_shape)
                )))
            })?;
        }
        let a = Labelled { node: self, labels };
        let b = Labelled { node: other, labels: other_labels };
        Ok(contract(&a, &b, |_| false).node)
    }
}

impl Graph {
    /// The sum of products that an equation in Einstein's notation describes: `"ij,jk->ik"` is a
    /// product of matrices, `"bij,bjk->bik"` of many, `"ii->i"` a diagonal, `"ij->"` a sum. Without
    /// `->` the result has the letters that stand once, in the order of the alphabet. `...` stands
    /// for the dimensions that have no letter; these broadcast. TensorFlow's `tf.einsum`. Operands
    /// are taken from left to right.
    ///
    /// Dimensions of one letter have to be equal. Gradient: that of the `transpose`, `reshape`,
    /// `reduce_sum` and `matmul` it is made of.
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
            let found = home.build(|graph| {
                let graph = RefCell::new(graph);
                let operands: Vec<_> = operands.iter().map(|&id| Expr::new(&graph, id)).collect();
                Expr::einsum(equation, &operands).map(Expr::id)
            });
            let id = match found {
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
    /// The sum of products over pairs of axes, of this tensor and of the other: `[a, b, c]` and
    /// `[c, b, d]` over `[1, 2]` and `[1, 0]` give `[a, d]`. The other dimensions stay, this
    /// tensor's first. TensorFlow's `tf.tensordot`. Axes that do not exist, stand twice or differ
    /// in size are mistakes. Without axes it is the outer product.
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
            let found = graph.build(|ir| {
                Expr::with(ir, this.id(), |x| {
                    x.tensordot(x.at(other), axes, other_axes).map(Expr::id)
                })
            });
            match found {
                Ok(id) => graph.handle(id),
                Err(fault) => this.fault(fault),
            }
        })
    }
}
