//! `reshape`: elements in row-major order under other dimensions, one of which can be worked
//! out from the others.

use abeyance_ir::{
    AttributeSet, Cotangents, Derivation, Dim, Extent, Fault, Graph as Ir, Inference, Lowered,
    Lowering, Operator, Rows, Sample, Shape, Signature, Split, Splitting, Type, attributes,
    element_count, known_dims,
};
use smallvec::SmallVec;

use super::{ANY, USUAL, back_to_operand, derived, product, to_shape};
use crate::{Dimension, Dimensions, Element, Expr, Tensor};

attributes! {
    /// The dimensions of a [`Reshape`].
    pub struct ReshapeAttributes {
        /// Shape of the result, which holds as many elements.
        to: Shape,
    }
}

/// Elements in row-major order under other dimensions.
pub struct Reshape;

impl Operator for Reshape {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("reshape", "the same elements under other dimensions", ANY)
                .attributes(ReshapeAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let from = cx.shape(0);
        let ReshapeAttributes { mut to } = cx.attributes();
        match quotient(&from, &to) {
            Quotient::Equal | Quotient::Open => {}
            Quotient::Differ => return Err(mismatch(cx, &from, &to)),
            Quotient::Needs(index, dim) => {
                to[index] = cx.unify(to[index], dim).unwrap_or(dim);
            }
        }
        cx.tensor(cx.dtype(0), to)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(back_to_operand(cx))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        regrouped(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[1, 1]),
            (&[1], &[]),
            (&[6], &[2, 3]),
            (&[2, 3, 5], &[5, 6]),
            (&[0, 3], &[7, 0]),
            (&[3, 1], &[3]),
        ];
        cases
            .into_iter()
            .map(|(from, to)| {
                Sample::new(ReshapeAttributes { to: to_shape(to) }).float(from, USUAL)
            })
            .collect()
    }
}

/// How reshaped elements lie: along the axis of the result before which there are as many elements
/// as before the operand's. Of both, a row is a stretch of elements as long as the other's.
fn regrouped(cx: &Splitting<'_>) -> Split {
    let find = || {
        let from = cx.axis(0)?;
        let (shape, to) = (cx.shape(0), cx.result());
        let lead = Extent::of(&shape[..from])?;
        let stretch = Extent::of(&shape[from + 1..])?.times(cx.each())?;
        // Axes of size 1 stand at either side of it.
        (0..to.len())
            .filter(|&axis| to[axis].known().is_none())
            .filter(|&axis| Extent::of(&to[..axis]).is_some_and(|before| before == lead))
            .find_map(|axis| {
                let each = stretch.over(&Extent::of(&to[axis + 1..])?)?;
                Some(Split::Along(Rows { axis, each }))
            })
    };
    find().unwrap_or(Split::Mixed)
}

/// The comparison of two products of dimensions.
enum Quotient {
    /// Nothing: they are the same.
    Equal,
    /// They cannot be the same.
    Differ,
    /// They are the same if the target's dimension at this index is this.
    Needs(usize, Dim),
    /// Not known until sizes are.
    Open,
}

/// Compares the number of elements of two shapes, cancelling what stands on both sides.
fn quotient(from: &[Dim], to: &[Dim]) -> Quotient {
    if let (Some(from), Some(to)) = (known_dims(from), known_dims(to)) {
        return match (element_count(&from), element_count(&to)) {
            (Some(a), Some(b)) if a == b => Quotient::Equal,
            _ => Quotient::Differ,
        };
    }
    let product = |shape: &[Dim]| -> Option<usize> {
        let known: SmallVec<[usize; 4]> = shape.iter().filter_map(|dim| dim.known()).collect();
        element_count(&known)
    };
    let symbols = |shape: &[Dim]| -> SmallVec<[Dim; 4]> {
        shape.iter().filter(|dim| dim.known().is_none()).copied().collect()
    };
    let (Some(a), Some(b)) = (product(from), product(to)) else {
        return Quotient::Differ;
    };
    let mut left = symbols(from);
    let mut right: SmallVec<[(usize, Dim); 4]> = SmallVec::new();
    for (index, &dim) in to.iter().enumerate().filter(|(_, dim)| dim.known().is_none()) {
        match left.iter().position(|&other| other == dim) {
            Some(place) => {
                left.swap_remove(place);
            }
            None => right.push((index, dim)),
        }
    }
    match (&left[..], &right[..]) {
        ([], []) if a == b => Quotient::Equal,
        // With an unknown dimension on both sides the other sizes may still differ if that
        // dimension is 0.
        ([], []) if a == 0 || b == 0 => Quotient::Open,
        ([], []) => Quotient::Differ,
        ([], &[(index, _)]) if b != 0 && a % b == 0 => Quotient::Needs(index, Dim::Known(a / b)),
        ([], &[_]) if b != 0 => Quotient::Differ,
        (&[dim], &[(index, _)]) if a == b => Quotient::Needs(index, dim),
        _ => Quotient::Open,
    }
}

fn mismatch(cx: &Inference<'_>, from: &[Dim], to: &[Dim]) -> Fault {
    // `784·N`, or nothing where the product is beyond all bounds.
    let count = |shape: &[Dim]| -> Option<String> {
        let (known, unknown): (Vec<Dim>, Vec<Dim>) =
            shape.iter().partition(|dim| dim.known().is_some());
        let known = element_count(&known_dims(&known)?)?;
        let mut factors = vec![known.to_string()];
        if known == 1 && !unknown.is_empty() {
            factors.clear();
        }
        let names = unknown.iter().map(|&dim| cx.display(&[dim]));
        factors.extend(names.map(|name| name.trim_matches(['[', ']']).to_owned()));
        Some(factors.join("·"))
    };
    let (a, b) = (count(from), count(to));
    let fault = Fault::new(match (a, b) {
        (Some(a), Some(b)) => format!(
            "the {a} elements of {} do not fill the {b} of {}",
            cx.display(from),
            cx.display(to)
        ),
        _ => format!("the elements of {} do not fill {}", cx.display(from), cx.display(to)),
    });
    if known_dims(from).is_some() && known_dims(to).is_none() {
        // It is open already, and no size will do.
        fault
    } else {
        fault.help("leave one dimension open with `_` to have it worked out")
    }
}

impl<'g> Expr<'g> {
    /// Elements in row-major order under other dimensions.
    pub fn reshape(self, to: Shape) -> Self {
        self.apply(&Reshape, ReshapeAttributes { to })
    }

    /// One dimension in place of `count` from dimension `at` on; of none, a new one of size 1.
    ///
    /// One such dimension at a time can be worked out when the others are symbols.
    pub(crate) fn merge(self, at: usize, count: usize) -> Self {
        let mut to = self.shape();
        if count == 1 || at + count > to.len() {
            return self;
        }
        let one = self.graph(|graph| product(graph, &to[at..at + count]));
        to.drain(at..at + count);
        to.insert(at, one);
        self.reshape(to)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The elements in row-major order under other dimensions. One of them may be `_`: it is
    /// worked out, for symbolic dimensions too (`[N, 28, 28, 1]` to `dims![_, 784]` is `[N, 784]`).
    /// Copies nothing.
    #[track_caller]
    pub fn reshape(self, to: impl Into<Dimensions>) -> Tensor<'g, T> {
        let to = to.into();
        let open = to.0.iter().filter(|dim| **dim == Dimension::Unknown).count();
        if open > 1 {
            return self.fault(
                Fault::new(format!(
                    "reshape: {open} dimensions are `_`, and at most one can be worked out"
                ))
                .help("take the others from a tensor: `dims![x.dim(0), _]`"),
            );
        }
        self.map(|x| {
            // Of the open dimension a symbol is made only if it cannot be worked out.
            let from = x.shape();
            let open = to.0.iter().position(|dim| *dim == Dimension::Unknown);
            let mut rest = to.clone();
            if let Some(index) = open {
                rest.0[index] = Dimension::Known(1);
            }
            let mut shape = x.graph(|graph| rest.resolve(graph.symbols_mut()));
            if let Some(index) = open {
                if shape.contains(&Dim::Known(0)) {
                    let fault = x.graph(|graph| any_size(graph, &from, &shape, index));
                    return x.mistake("reshape", fault);
                }
                shape[index] = missing(&from, &shape).unwrap_or_else(|| x.graph(derived));
            }
            x.reshape(shape)
        })
    }
}

/// The fault of an open dimension of `to`, at `open`, beside one of 0.
fn any_size(graph: &Ir, from: &[Dim], to: &[Dim], open: usize) -> Fault {
    let mut names: Vec<String> = to
        .iter()
        .map(|&dim| graph.symbols().display(&[dim]).to_string().trim_matches(['[', ']']).to_owned())
        .collect();
    names[open] = "_".to_owned();
    Fault::new(format!(
        "any size of `_` in [{}] gives 0 elements, so it cannot be worked out from {}",
        names.join(", "),
        graph.symbols().display(from)
    ))
    .help("say which size is meant: a number, or the dimension of a tensor, `dims![0, x.dim(1)]`")
}

/// The dimension that stands where `to` has a 1 for it, so that `to` has as many elements as
/// `from`.
fn missing(from: &[Dim], to: &[Dim]) -> Option<Dim> {
    let mut with = Shape::from(to);
    // A symbol of its own kind: never equal to one of `from`'s.
    with.push(Dim::Symbol(abeyance_ir::SymbolId::UNDETERMINED));
    match quotient(from, &with) {
        Quotient::Needs(_, dim) => Some(dim),
        // It does not divide: let the shape rule say so.
        _ if known_dims(from).is_some() && known_dims(to).is_some() => Some(Dim::Known(1)),
        _ => None,
    }
}
