//! The split of a value, when work is split along an unknown dimension of a graph such as a
//! batch's, and the view of a node that an operator gets when it is asked for the split of its
//! result. The walk over a graph that asks is [`Splits`](crate::Splits).

use std::sync::Arc;

use smallvec::SmallVec;

use crate::splits::Walk;
use crate::{
    Array, AttributeSet, Attributes, Body, BodyCompiler, Concrete, DType, Dim, Dims, Fault,
    Lowering, Operands, OperatorRef, RunBody, SymbolId, TensorType,
};

/// The split of a value when work is split along an unknown dimension of the graph: each part of
/// the work has some of the dimension's rows, of the fed values and of all that keeps them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// Row i of the value depends on row i of what is split, and neither on other rows nor on their
    /// number. To the last bit: computed alone or with others, a row is the same.
    Along(Rows),
    /// The value does not depend on what is split, neither on its elements nor on the number of its
    /// rows.
    Whole,
    /// Rows meet, as in a sum over them, or it is not known that they do not.
    Mixed,
}

impl Split {
    /// Rows along an axis whose size is the dimension's.
    pub fn along(axis: usize) -> Self {
        Split::Along(Rows { axis, each: Extent::one() })
    }

    /// The rows, if the value is split.
    pub fn rows(&self) -> Option<&Rows> {
        match self {
            Split::Along(rows) => Some(rows),
            Split::Whole | Split::Mixed => None,
        }
    }
}

/// The position of the rows of a split value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The axis along which they lie, one after the other.
    pub axis: usize,
    /// The number of elements along the axis that belong to one row: more than 1 where the
    /// dimension was merged with others, `[N, 10, 3]` reshaped to `[10·N, 3]`.
    pub each: Extent,
}

/// A number of elements that may depend on unknown sizes: the product of a number and some of
/// these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    number: usize,
    /// In order, so that equal products are equal.
    unknown: SmallVec<[SymbolId; 2]>,
}

impl Extent {
    /// A single element.
    pub fn one() -> Self {
        Self { number: 1, unknown: SmallVec::new() }
    }

    /// The product of some sizes; `None` if it does not fit a number.
    pub fn of(dims: &[Dim]) -> Option<Self> {
        let mut extent = Self::one();
        for dim in dims {
            match dim {
                Dim::Known(size) => extent.number = extent.number.checked_mul(*size)?,
                Dim::Symbol(id) => extent.unknown.push(*id),
            }
        }
        extent.unknown.sort_unstable();
        Some(extent)
    }

    /// The product of two; `None` if it does not fit a number.
    pub fn times(&self, other: &Self) -> Option<Self> {
        let number = self.number.checked_mul(other.number)?;
        let mut unknown = self.unknown.clone();
        unknown.extend_from_slice(&other.unknown);
        unknown.sort_unstable();
        Some(Self { number, unknown })
    }

    /// The quotient of two, where it is exact whatever the unknown sizes are and nothing is 0.
    pub fn over(&self, other: &Self) -> Option<Self> {
        if self.number == 0 || other.number == 0 || !self.number.is_multiple_of(other.number) {
            return None;
        }
        let mut unknown = self.unknown.clone();
        for factor in &other.unknown {
            let place = unknown.iter().position(|known| known == factor)?;
            unknown.remove(place);
        }
        Some(Self { number: self.number / other.number, unknown })
    }
}

/// The view of a node that its operator gets when it is asked how the result lies: the operands'
/// types, how they lie, and the attributes. Sizes are the simplest known to be equal, so that equal
/// ones compare equal.
pub struct Splitting<'a> {
    pub(crate) operands: SmallVec<[TensorType; 4]>,
    pub(crate) splits: SmallVec<[Split; 4]>,
    /// The nodes that the operands come from.
    pub(crate) nodes: Operands,
    pub(crate) results: SmallVec<[TensorType; 1]>,
    pub(crate) attributes: &'a Attributes,
    /// The number of elements that belong to one row, in all operands that are split.
    pub(crate) each: Extent,
    pub(crate) walk: &'a Walk<'a>,
}

impl<'a> Splitting<'a> {
    /// The number of operands.
    pub fn operands(&self) -> usize {
        self.operands.len()
    }

    /// The shape of an operand.
    pub fn shape(&self, operand: usize) -> &[Dim] {
        self.operands.get(operand).map_or(&[], |ty| &ty.shape)
    }

    /// The number of dimensions of an operand.
    pub fn rank(&self, operand: usize) -> usize {
        self.shape(operand).len()
    }

    /// The shape of the result; of several, of the first.
    pub fn result(&self) -> &[Dim] {
        self.results.first().map_or(&[], |ty| &ty.shape)
    }

    /// The types of all results.
    pub fn results(&self) -> &[TensorType] {
        &self.results
    }

    /// The attributes.
    pub fn attributes<A: AttributeSet>(&self) -> A {
        self.attributes.read()
    }

    /// The split of an operand. It is [`Split::Mixed`] only for an operator that has bodies;
    /// another one is not asked then, and its result is mixed too.
    pub fn operand(&self, operand: usize) -> Split {
        self.splits.get(operand).cloned().unwrap_or(Split::Mixed)
    }

    /// The axis along which an operand is split. None if it is not.
    pub fn axis(&self, operand: usize) -> Option<usize> {
        self.splits.get(operand)?.rows().map(|rows| rows.axis)
    }

    /// True if none of the operands is split.
    pub fn is_whole(&self) -> bool {
        self.splits.iter().all(|split| *split == Split::Whole)
    }

    /// The one axis along which all operands are split.
    pub fn common_axis(&self) -> Option<usize> {
        let first = self.axis(0)?;
        (1..self.operands()).all(|operand| self.axis(operand) == Some(first)).then_some(first)
    }

    /// The number of elements along their axes that belong to one row, of all operands that are
    /// split.
    pub fn each(&self) -> &Extent {
        &self.each
    }

    /// True if a size is the dimension's, or grows with it.
    pub fn grows(&self, dim: Dim) -> bool {
        self.walk.each(dim).is_some()
    }

    /// A result that is split along an axis, its rows as large as the operands'.
    pub fn along(&self, axis: usize) -> Split {
        Split::Along(Rows { axis, each: self.each.clone() })
    }

    /// A result that is split along an axis if there is one, as by [`Splitting::along`]; else
    /// mixed.
    pub fn along_if(&self, axis: Option<usize>) -> Split {
        axis.map_or(Split::Mixed, |axis| self.along(axis))
    }

    /// The split of the result if the operator works along some axes of its one operand, or of
    /// several of one shape, and never mixes elements with different indices along the other axes:
    /// along the same axis, unless that is one of those.
    pub fn apart_from(&self, axes: impl FnOnce(usize) -> bool) -> Split {
        self.along_if(self.common_axis().filter(|&axis| !axes(axis)))
    }

    /// The split of the result if each of its elements depends on the elements of the operands at
    /// its index alone, where these broadcast to it, as
    /// [`Fusibility::Elementwise`](crate::Fusibility::Elementwise) says.
    pub fn pointwise(&self) -> Split {
        // Axes are counted from the last, where shapes are aligned.
        let from_last = |operand: usize| Some(self.rank(operand) - self.axis(operand)?);
        let mut split = (0..self.operands()).filter_map(from_last);
        let place = match split.next() {
            Some(place) if split.all(|other| other == place) => place,
            Some(_) => return Split::Mixed,
            // One value for all rows.
            None => match self.filled() {
                Split::Along(rows) if self.repeat(self.result().len() - rows.axis) => {
                    return Split::Along(rows);
                }
                Split::Whole => return Split::Whole,
                _ => return Split::Mixed,
            },
        };
        if self.repeat(place) {
            self.along_if(self.result().len().checked_sub(place))
        } else {
            Split::Mixed
        }
    }

    /// True if operands that are not split have a single element along the axis that is `place`
    /// dimensions from the end.
    fn repeat(&self, place: usize) -> bool {
        (0..self.operands()).filter(|&operand| self.axis(operand).is_none()).all(|operand| {
            match self.rank(operand).checked_sub(place) {
                Some(axis) => self.shape(operand).get(axis) == Some(&Dim::Known(1)),
                None => true,
            }
        })
    }

    /// The split of the result if all of its elements are the same, whatever the operands hold:
    /// along the one axis that grows with the dimension, whole if none does.
    pub fn filled(&self) -> Split {
        let axes = self.result().iter().enumerate();
        let mut growing =
            axes.filter_map(|(axis, &dim)| Some(Rows { axis, each: self.walk.each(dim)? }));
        match (growing.next(), growing.next()) {
            (None, _) => Split::Whole,
            (Some(rows), None) => Split::Along(rows),
            _ => Split::Mixed,
        }
    }

    /// The operator that an operand comes from, and its attributes.
    pub fn source(&self, operand: usize) -> Option<(&'a OperatorRef, &'a Attributes)> {
        let node = self.walk.graph().get(*self.nodes.get(operand)?)?;
        Some((&node.operator, &node.attributes))
    }

    /// The value of an operand that is a constant scalar, also where it could be fed and is not.
    pub fn constant(&self, operand: usize) -> Option<Array> {
        self.walk.constant(*self.nodes.get(operand)?)
    }

    /// The splits of a body's outputs, from those of its inputs.
    pub fn body(&self, body: &Body, inputs: &[Split]) -> Vec<Split> {
        self.walk.body(body, inputs)
    }

    /// Calls `ask` with the view that a kernel is lowered from, at sizes that are made up: 2 for
    /// the dimension, 3 for other unknown ones.
    pub(crate) fn made_up<R>(&self, ask: impl FnOnce(&Lowering<'_>) -> R) -> R {
        let size = |&dim: &Dim| match dim {
            Dim::Known(size) => size,
            dim => {
                if self.walk.each(dim).is_some() {
                    2
                } else {
                    3
                }
            }
        };
        let dims = |ty: &TensorType| -> Dims { ty.shape.iter().map(size).collect() };
        let given: Vec<Dims> = self.operands.iter().map(dims).collect();
        let made: Vec<Dims> = self.results.iter().map(dims).collect();
        fn concrete<'c>(types: &[TensorType], dims: &'c [Dims]) -> Vec<Concrete<'c>> {
            let pairs = types.iter().zip(dims);
            pairs.map(|(ty, dims)| Concrete::new(ty.dtype, dims)).collect()
        }
        let results = concrete(&self.results, &made);
        ask(&Lowering {
            operands: &concrete(&self.operands, &given),
            result: results.first().copied().unwrap_or(Concrete::new(DType::F32, &[])),
            results: &results,
            attributes: self.attributes,
            name: "",
            seed: 0,
            bodies: &NoBodies,
        })
    }
}

/// A compiler of no body, for questions that need none.
pub(crate) struct NoBodies;

impl BodyCompiler for NoBodies {
    fn compile(&self, _: &Arc<Body>, _: &[Concrete<'_>]) -> Result<Box<dyn RunBody>, Fault> {
        Err(Fault::new("there is no plan"))
    }
}
