//! Expressions: the untyped handle with which nodes are built.
//!
//! Gradient rules, optimizers, layers, importers and operators of a user's own write formulas with
//! [`Expr`]: `cotangent * (1.0 - y * y)`. [`Tensor`](crate::Tensor), the handle of programs, adds
//! the element type, the place of the call in the program and the methods' documentation, and
//! builds with the same methods.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use abeyance_ir::{
    Array, Attributes, Cotangents, DType, Derivation, Diagnostic, Dim, Fault, Graph as Ir,
    GraphCell, NodeId, OperatorRef, Shape,
};
use smallvec::SmallVec;

use crate::ops::{binary, unary};

/// A node of a graph that is being built, of whatever element type. `Copy`, like every handle.
///
/// Arithmetic takes expressions and numbers on either side; a number becomes a scalar constant of
/// the expression's element type. Every operator is a method, in its family's file. A wrong use is
/// remembered by the graph, which gives an invalid node to go on with.
#[derive(Clone, Copy)]
pub struct Expr<'g> {
    graph: &'g dyn GraphCell,
    id: NodeId,
}

impl<'g> Expr<'g> {
    /// The expression that is a node of `graph`.
    pub fn new(graph: &'g dyn GraphCell, id: NodeId) -> Self {
        Self { graph, id }
    }

    /// Calls `build` with a node of a graph that the caller holds, and gives its result.
    pub fn with<R>(graph: &mut Ir, id: NodeId, build: impl for<'e> FnOnce(Expr<'e>) -> R) -> R {
        let graph = RefCell::new(graph);
        build(Expr::new(&graph, id))
    }

    /// The expression that is another node of the same graph.
    pub fn at(self, id: NodeId) -> Self {
        Self { id, ..self }
    }

    /// Its node.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Calls `visit` with the graph, to look at it or append to it, and gives its result. It must
    /// not use expressions of the graph.
    pub fn graph<R>(self, visit: impl FnOnce(&mut Ir) -> R) -> R {
        let mut visit = Some(visit);
        let mut found = None;
        self.graph.with_graph(&mut |graph| found = visit.take().map(|visit| visit(graph)));
        found.expect("`with_graph` calls once")
    }

    /// Appends a node that has this expression as its only operand.
    pub fn apply(
        self,
        operator: impl Into<OperatorRef>,
        attributes: impl Into<Attributes>,
    ) -> Self {
        self.apply_to(operator, &[self], attributes)
    }

    /// Appends a node of these operands to this expression's graph.
    pub fn apply_to(
        self,
        operator: impl Into<OperatorRef>,
        operands: &[Expr<'g>],
        attributes: impl Into<Attributes>,
    ) -> Self {
        let operands: SmallVec<[NodeId; 4]> = operands.iter().map(|operand| operand.id).collect();
        self.at(self.graph(|graph| graph.add(operator, &operands, attributes)))
    }

    /// The element type, if the node has a value that is one array.
    pub fn dtype(self) -> Option<DType> {
        self.graph(|graph| Some(graph.node(self.id).ty.tensor()?.dtype))
    }

    /// The shape, as far as it is known; that of a scalar if the node has no value.
    pub fn shape(self) -> Shape {
        self.graph(|graph| graph.shape(self.id)).unwrap_or_default()
    }

    /// The number of dimensions; 0 if the node has no value.
    pub fn rank(self) -> usize {
        self.graph(|graph| graph.node(self.id).ty.tensor().map_or(0, |tensor| tensor.shape.len()))
    }

    /// A scalar constant of this expression's element type.
    pub fn number(self, value: f64) -> Self {
        self.constant_like(|dtype| Array::scalar(dtype, value))
    }

    /// A constant that is made for this expression's element type.
    pub fn constant_like(self, array: impl FnOnce(DType) -> Array) -> Self {
        match self.dtype() {
            Some(dtype) => self.constant(array(dtype)),
            None => self.invalid(),
        }
    }

    /// Sums over the dimensions in which an operand was stretched by broadcasting.
    pub fn unbroadcast(self, operand: Expr<'g>) -> Self {
        let (from, to) = (self.shape(), operand.shape());
        if self.dtype().is_none() || operand.dtype().is_none() {
            return self.invalid();
        }
        if from == to {
            return self;
        }
        let (lead, one) = (from.len() - to.len(), Dim::Known(1));
        let stretched = (0..to.len()).filter(|&axis| to[axis] == one && from[axis + lead] != one);
        let axes: Vec<i64> =
            (0..lead).chain(stretched.map(|axis| axis + lead)).map(|axis| axis as i64).collect();
        let sum = if axes.is_empty() { self } else { self.reduce_sum(&axes[..]) };
        if sum.shape() == to { sum } else { sum.reshape(to) }
    }

    /// Remembers a mistake of a method that is made of several operators, and gives an invalid node
    /// to go on with. `what` is the method's name where the program did not call one that has its
    /// own.
    pub fn mistake(self, what: &str, fault: Fault) -> Self {
        self.graph(|graph| {
            let context = graph.context();
            let what = context.call.map_or(what, |call| call.name());
            let message = format!("{what}: {}", fault.message);
            let mut diagnostic = Diagnostic::new(message, context.location);
            diagnostic.help = fault.help;
            graph.report(diagnostic);
        });
        self.invalid()
    }
}

impl fmt::Debug for Expr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.graph(|graph| graph.describe(self.id)))
    }
}

/// An operand beside an expression: another one, or a number, which becomes a scalar constant of
/// the element type of the expression beside it.
pub trait ExprOperand<'g>: Copy {
    /// The expression, if it is one.
    fn of_type(self) -> Option<Expr<'g>>;

    /// The expression; of a number, the constant of the element type of `like`.
    fn expr(self, like: Expr<'g>) -> Expr<'g>;
}

impl<'g> ExprOperand<'g> for Expr<'g> {
    fn of_type(self) -> Option<Expr<'g>> {
        Some(self)
    }

    fn expr(self, _: Expr<'g>) -> Expr<'g> {
        self
    }
}

impl<'g> ExprOperand<'g> for f64 {
    fn of_type(self) -> Option<Expr<'g>> {
        None
    }

    fn expr(self, like: Expr<'g>) -> Expr<'g> {
        like.number(self)
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:ident;)*) => {$(
        impl<'g> $trait for Expr<'g> {
            type Output = Expr<'g>;
            fn $method(self, other: Expr<'g>) -> Expr<'g> {
                self.apply_to(&binary::$operator, &[self, other], ())
            }
        }
        impl<'g> $trait<f64> for Expr<'g> {
            type Output = Expr<'g>;
            fn $method(self, other: f64) -> Expr<'g> {
                self.$method(self.number(other))
            }
        }
        impl<'g> $trait<Expr<'g>> for f64 {
            type Output = Expr<'g>;
            fn $method(self, other: Expr<'g>) -> Expr<'g> {
                other.number(self).$method(other)
            }
        }
    )*};
}
arithmetic! {
    Add add ADD;
    Sub sub SUB;
    Mul mul MUL;
    Div div DIV;
}

impl<'g> Neg for Expr<'g> {
    type Output = Expr<'g>;
    fn neg(self) -> Expr<'g> {
        self.apply(&unary::NEG, Attributes::none())
    }
}

/// The inputs of a gradient rule, as expressions: the vector-Jacobian product (VJP) of an operator
/// is written with its operands x, its result y and the cotangent ȳ of the result.
pub trait Rule {
    /// An operand.
    fn operand(&self, index: usize) -> Expr<'_>;

    /// The result.
    fn result(&self) -> Expr<'_>;

    /// The cotangent of the result: the derivative of the loss with respect to it.
    fn cotangent(&self) -> Expr<'_>;

    /// The cotangents of the result's items; `None` where the loss does not depend on one.
    fn cotangents(&self) -> SmallVec<[Option<Expr<'_>>; 4]>;

    /// A node of the graph.
    fn expr(&self, id: NodeId) -> Expr<'_>;

    /// The cotangent times a local derivative. Where exact zeros in the cotangent stand for
    /// elements that did not count, they stay zero whatever the local derivative is.
    fn chain<'c>(&'c self, local: Expr<'c>) -> Expr<'c>;

    /// A cotangent that was worked out from that of the result, times a local derivative, as
    /// [`Rule::chain`].
    fn times<'c>(&'c self, cotangent: Expr<'c>, local: Expr<'c>) -> Expr<'c>;

    /// The cotangent over a divisor. Where exact zeros in the cotangent stand for elements that did
    /// not count, they stay zero whatever the divisor is.
    fn chain_over<'c>(&'c self, divisor: Expr<'c>) -> Expr<'c>;

    /// The answer of a rule that gives the cotangent of an operand, or `None` where there is none.
    /// It is asked for operands whose cotangent is wanted.
    fn each_wanted<'c, R: Into<Option<Expr<'c>>>>(
        &self,
        rule: impl FnMut(usize) -> R,
    ) -> Cotangents;

    /// The answer of a rule for an operator of one operand.
    fn only(&self, cotangent: Expr<'_>) -> Cotangents {
        Cotangents::from_slice(&[Some(cotangent.id())])
    }
}

impl Rule for Derivation<'_> {
    fn operand(&self, index: usize) -> Expr<'_> {
        Expr::new(self, self.operand_id(index))
    }

    fn result(&self) -> Expr<'_> {
        Expr::new(self, self.result_id())
    }

    fn cotangent(&self) -> Expr<'_> {
        Expr::new(self, self.cotangent_id())
    }

    fn cotangents(&self) -> SmallVec<[Option<Expr<'_>>; 4]> {
        let ids = self.cotangent_ids();
        ids.into_iter().map(|id| id.map(|id| Expr::new(self, id))).collect()
    }

    fn expr(&self, id: NodeId) -> Expr<'_> {
        Expr::new(self, id)
    }

    fn each_wanted<'c, R: Into<Option<Expr<'c>>>>(
        &self,
        mut rule: impl FnMut(usize) -> R,
    ) -> Cotangents {
        let wanted = |index| self.wanted(index).then(|| rule(index).into()).flatten();
        (0..self.operands()).map(wanted).map(|expr| expr.map(Expr::id)).collect()
    }

    fn chain<'c>(&'c self, local: Expr<'c>) -> Expr<'c> {
        self.times(self.cotangent(), local)
    }

    fn times<'c>(&'c self, cotangent: Expr<'c>, local: Expr<'c>) -> Expr<'c> {
        if self.masked() { local.mul_no_nan(cotangent) } else { cotangent * local }
    }

    fn chain_over<'c>(&'c self, divisor: Expr<'c>) -> Expr<'c> {
        if self.masked() { self.chain(1.0 / divisor) } else { self.cotangent() / divisor }
    }
}
