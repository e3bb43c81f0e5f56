//! Operators: a signature and three rules (shape, gradient, kernel).

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use abeyance_launch::{Kernel, Layout};
use smallvec::SmallVec;

use crate::{
    AttributeSet, AttributeSpec, Attributes, BodyCompiler, DType, DTypes, Derivation, Fault,
    Inference, NodeId, Sample, Shape, Split, Splitting,
};

/// Element type and shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first.
    pub shape: Shape,
}

impl TensorType {
    /// Makes the type of a tensor.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Self { dtype, shape: shape.into() }
    }
}

/// The type of a node's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// An array.
    Tensor(TensorType),
    /// Several arrays, of which `item` nodes take one each.
    Tuple(Vec<TensorType>),
    /// Nothing: the node is run for its effect.
    Operation,
    /// Not known, since the node or one it depends on is wrong.
    Invalid,
}

impl Type {
    /// The tensor's type, if it is one.
    pub fn tensor(&self) -> Option<&TensorType> {
        match self {
            Type::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The types of all arrays: those of a tuple, the one of a tensor, none of an operation.
    pub fn items(&self) -> &[TensorType] {
        match self {
            Type::Tensor(tensor) => std::slice::from_ref(tensor),
            Type::Tuple(items) => items,
            Type::Operation | Type::Invalid => &[],
        }
    }

    /// The type of a node with these arrays: one alone is a tensor, not a tuple.
    pub fn of_items(mut items: Vec<TensorType>) -> Type {
        match (items.len(), items.pop()) {
            (1, Some(only)) => Type::Tensor(only),
            (_, last) => {
                items.extend(last);
                Type::Tuple(items)
            }
        }
    }
}

/// The specification of an operand: its name and element types.
#[derive(Clone, Copy, Debug)]
pub struct OperandSpec {
    /// Its name in documentation and messages.
    pub name: &'static str,
    /// The element types it may have.
    pub dtypes: DTypes,
    /// The group of the operand. Operands of one group share one element type.
    pub group: u8,
}

impl OperandSpec {
    /// Specifies an operand of group 0.
    pub const fn new(name: &'static str, dtypes: DTypes) -> Self {
        Self { name, dtypes, group: 0 }
    }

    /// Specifies an operand whose element type is independent of all others, also of its own
    /// repetitions.
    pub const fn apart(name: &'static str, dtypes: DTypes) -> Self {
        Self::in_group(name, dtypes, Self::APART)
    }

    /// The group of operands whose element types are independent of each other.
    pub const APART: u8 = u8::MAX;

    /// Specifies an operand of any group.
    pub const fn in_group(name: &'static str, dtypes: DTypes, group: u8) -> Self {
        Self { name, dtypes, group }
    }
}

/// The effect of a node besides computing a value from its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Its value comes from the random stream keyed by seed, name and step.
    Random,
    /// Its value is fed. One operand, if there is any, stands in when nothing is fed.
    Feed,
    /// Its value is a variable's, as it was before the run.
    Read,
    /// It gives the variable that is its first operand a new value, which is also its own.
    Write,
    /// It has no value; it orders what it depends on before what depends on it.
    Order,
}

/// The differentiability of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differentiability {
    /// Everywhere it is defined, again and again.
    Smooth,
    /// Almost everywhere: kinks, ties.
    Piecewise,
    /// Once, but its gradient has no rule of its own.
    Once,
    /// It has a derivative, but no rule for it: a gradient through it is a mistake.
    Missing,
    /// Not at all, or with zero everywhere: no path for gradients. The reason, to follow "it".
    None(&'static str),
}

/// The static description of an operator.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// Its name in printouts and files.
    pub name: &'static str,
    /// Its result, in one line.
    pub summary: &'static str,
    /// Its operands; the last may repeat, see `variadic`.
    pub operands: &'static [OperandSpec],
    /// True if the last operand stands for any number of operands, none included.
    pub variadic: bool,
    /// Its attributes.
    pub attributes: &'static [AttributeSpec],
    /// Its effect besides computing.
    pub effect: Effect,
    /// Its differentiability.
    pub differentiability: Differentiability,
    /// True if it passes its operand on and shows it to the outside, or checks it and may fail.
    /// Such a node runs as often as it stands in the graph and is needed: it is neither folded, nor
    /// shared, nor fused into others.
    pub observes: bool,
    /// True if its gradient rule gives exact zeros for elements that do not contribute to the
    /// result, so that rules further back must not turn them into NaN.
    pub zeroes_gradient: bool,
    /// True if its one operand is a tuple, of which it takes the item that its first attribute
    /// says. Its rules see the items as its operands; to its kernel the tuple is operand 0.
    pub takes_tuple: bool,
}

impl Signature {
    /// Describes a pure, smooth operator without attributes.
    pub const fn new(
        name: &'static str,
        summary: &'static str,
        operands: &'static [OperandSpec],
    ) -> Self {
        Self {
            name,
            summary,
            operands,
            variadic: false,
            attributes: &[],
            effect: Effect::None,
            differentiability: Differentiability::Smooth,
            observes: false,
            zeroes_gradient: false,
            takes_tuple: false,
        }
    }

    /// Sets the attributes, none by default: `SPECS` of the [`AttributeSet`] that the operator
    /// reads.
    pub const fn attributes(mut self, attributes: &'static [AttributeSpec]) -> Self {
        self.attributes = attributes;
        self
    }

    /// Sets the effect. The default is [`Effect::None`].
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets the differentiability. The default is [`Differentiability::Smooth`].
    pub const fn differentiability(mut self, differentiability: Differentiability) -> Self {
        self.differentiability = differentiability;
        self
    }

    /// Marks the operator as one that [observes](Self::observes). By default it does not.
    pub const fn observing(mut self) -> Self {
        self.observes = true;
        self
    }

    /// Lets the last operand repeat. By default it does not.
    pub const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// Marks the operator as one that [zeroes gradients](Self::zeroes_gradient). By default it does
    /// not.
    pub const fn zeroing_gradient(mut self) -> Self {
        self.zeroes_gradient = true;
        self
    }

    /// Makes the operator take a tuple as its operand, and
    /// [`ItemAttributes`](crate::ItemAttributes). By default it does not.
    pub const fn of_tuple(mut self) -> Self {
        self.takes_tuple = true;
        self.variadic = true;
        self
    }

    /// The specification of the operand at `index`, if it takes one.
    pub fn operand(&self, index: usize) -> Option<&OperandSpec> {
        match self.operands.get(index) {
            None if self.variadic => self.operands.last(),
            found => found,
        }
    }

    /// True if it takes `count` operands.
    pub fn accepts(&self, count: usize) -> bool {
        if self.variadic { count + 1 >= self.operands.len() } else { count == self.operands.len() }
    }
}

/// A tensor's element type, sizes and layout, which are all known once values are fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concrete<'a> {
    /// Element type.
    pub dtype: DType,
    /// Sizes, outermost first.
    pub dims: &'a [usize],
    /// The order of its elements in memory.
    pub layout: Layout,
}

impl<'a> Concrete<'a> {
    /// Describes a row-major tensor.
    pub fn new(dtype: DType, dims: &'a [usize]) -> Self {
        Self { dtype, dims, layout: Layout::RowMajor }
    }

    /// The number of elements. Sizes were checked to fit when the plan was made.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of elements in memory, those included that a blocked layout has beyond its end.
    pub fn memory_len(&self) -> usize {
        self.layout.memory_len(self.dims)
    }

    /// The bytes in memory.
    pub fn bytes(&self) -> usize {
        self.memory_len() * self.dtype.size()
    }
}

/// The facts from which an operator is lowered to a kernel.
pub struct Lowering<'a> {
    /// The operands. They and the result are row-major, or in the layouts of one of the operator's
    /// [rules](Operator::layouts).
    pub operands: &'a [Concrete<'a>],
    /// The result; of a tuple the first item.
    pub result: Concrete<'a>,
    /// All items of the result, which lie in one buffer as [`Packing`](crate::Packing) says.
    pub results: &'a [Concrete<'a>],
    /// The attributes of the node. Shapes in them may hold symbols, whose sizes are those of
    /// `result`.
    pub attributes: &'a Attributes,
    /// The node's name, the key of its random stream.
    pub name: &'a str,
    /// The session's seed.
    pub seed: u64,
    /// Makes bodies ready to run.
    pub bodies: &'a dyn BodyCompiler,
}

impl Lowering<'_> {
    /// The node's attributes.
    pub fn attributes<A: AttributeSet>(&self) -> A {
        self.attributes.read()
    }
}

/// An operator ready to run.
pub enum Lowered {
    /// The bytes of operand `.0` are the result: nothing is run.
    Alias(usize),
    /// The result does not depend on the run: its bytes, little-endian.
    Constant(Vec<u8>),
    /// Loops that compute the result.
    Kernel(Kernel),
}

impl From<Kernel> for Lowered {
    fn from(kernel: Kernel) -> Self {
        Lowered::Kernel(kernel)
    }
}

/// How an operator's loop can be fused with others, which follows from what an element of its
/// result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fusibility {
    /// Not at all: an element depends on anything, and the operator keeps the loops and the chunks
    /// that it was lowered to.
    #[default]
    Opaque,
    /// Into any loop over the same elements: an element depends on the operands' elements at its
    /// index alone, where they broadcast to it. The operator is lowered for a row: each operand has
    /// as many elements as the result, or is one element for all. What broadcasts otherwise is
    /// stretched before. It lowers to one step that cannot fail, which is the loop over any such
    /// row.
    Elementwise,
    /// At the head of a loop: the operator fills any range of its result, wherever that starts and
    /// ends, from its index and the operands as a whole. It lowers to one step that cannot fail.
    AnyRange,
}

/// A combination of layouts in which an operator has loops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutRule {
    /// The layouts of the operands. Those beyond the list are row-major.
    pub operands: SmallVec<[Layout; 3]>,
    /// The layout of the result.
    pub result: Layout,
}

impl LayoutRule {
    /// Makes the rule that operands in these layouts give a result in this one.
    pub fn new(operands: &[Layout], result: Layout) -> Self {
        Self { operands: SmallVec::from_slice(operands), result }
    }

    /// The layout of the operand at `index`.
    pub fn operand(&self, index: usize) -> Layout {
        self.operands.get(index).copied().unwrap_or_default()
    }
}

/// The cotangents of a node's operands: `None` where none is wanted or none exists.
pub type Cotangents = SmallVec<[Option<NodeId>; 3]>;

/// An operator: a signature and its rules. Implementations are stateless; what varies from node to
/// node is in the node's attributes.
pub trait Operator: Any + Send + Sync {
    /// The signature: name, operands, attributes, effect.
    fn signature(&self) -> &Signature;

    /// The result's type from the operands' types. Called while the graph is built, with dimensions
    /// that may be symbols, and again when a plan is made, with numbers. Arity, element types and
    /// kinds of attributes have been checked against the signature.
    ///
    /// # Errors
    /// Shapes or attributes do not fit.
    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault>;

    /// Appends the nodes that compute the cotangents of the operands from the cotangent of the
    /// result.
    ///
    /// # Errors
    /// Why there is none.
    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let _ = cx;
        Err(Fault::new(format!("`{}` has no gradient rule", self.signature().name)))
    }

    /// Lowers the operator: gives the loops that compute the result.
    ///
    /// # Errors
    /// The result cannot be computed at these sizes.
    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault>;

    /// How the operator's loop can be fused with others: [`Fusibility::Opaque`] by default. It is
    /// asked for operators that lower to a kernel only.
    fn fusibility(&self, cx: &Lowering<'_>) -> Fusibility {
        let _ = cx;
        Fusibility::Opaque
    }

    /// How the result lies when the work is split along an unknown dimension, such as a batch's,
    /// and the operands lie as `cx` says: it is what decides whether requests are put together in
    /// one run. [`Split::Along`] is a promise to the last bit: a row of the result is the same
    /// computed alone and with any others. An operator whose result has several items says it by
    /// [`Operator::splits`].
    ///
    /// Not asked for operands of which none is split, where the attributes do not speak of the
    /// dimension either: then the result is [`Split::Whole`]. Without an answer of its own an
    /// operator that says it is [`Fusibility::Elementwise`] keeps rows apart, and any other mixes
    /// them.
    fn split(&self, cx: &Splitting<'_>) -> Split {
        match cx.made_up(|lowering| self.fusibility(lowering)) {
            Fusibility::Elementwise => cx.pointwise(),
            Fusibility::Opaque | Fusibility::AnyRange => Split::Mixed,
        }
    }

    /// How each item of the result lies when the work is split: [`Operator::split`] for an operator
    /// with one item, and [`Split::Mixed`] for others by default.
    fn splits(&self, cx: &Splitting<'_>) -> SmallVec<[Split; 1]> {
        match cx.results() {
            [_] => SmallVec::from_elem(self.split(cx), 1),
            several => SmallVec::from_elem(Split::Mixed, several.len()),
        }
    }

    /// True if all elements of the result are one and the same, whatever the operands hold: a
    /// comparison of numbers below 1 with 1, for instance, which is what dropout is where nothing
    /// is dropped. Asked where operands mix rows.
    fn is_settled(&self, cx: &Splitting<'_>) -> bool {
        let _ = cx;
        false
    }

    /// The layouts, other than row-major order alone, in which [`Operator::lower`] has loops; none
    /// by default. The best stands first. Such a rule is a promise: asked with operands and a
    /// result in these layouts, `lower` gives a kernel, and its numbers are those of the row-major
    /// one to the last bit.
    ///
    /// Elementwise operators need no rule: their loops are those over a row, in whatever order its
    /// elements are.
    fn layouts(&self, cx: &Lowering<'_>) -> Vec<LayoutRule> {
        let _ = cx;
        Vec::new()
    }

    /// Advice for a program that feeds the tensor `wanted`, which is the operand at this index, an
    /// array of another element type or number of dimensions: that another operator takes it, for
    /// instance. None by default.
    fn advise(&self, operand: usize, wanted: &TensorType, given: Concrete<'_>) -> Option<String> {
        let _ = (operand, wanted, given);
        None
    }

    /// Valid uses, over which tables of checks go: gradients against differences, zero-sized
    /// shapes, thread counts. A differentiable operator has at least five, among them a scalar, odd
    /// sizes, a broadcast where it broadcasts, and a zero-sized dimension.
    fn samples(&self) -> Vec<Sample>;
}

/// A reference to an operator: one of the built-in table, or one that a user made.
#[derive(Clone)]
pub enum OperatorRef {
    /// Built in.
    Static(&'static dyn Operator),
    /// Made at run time.
    Shared(Arc<dyn Operator>),
}

impl OperatorRef {
    /// True if both are one and the same operator.
    pub fn is(&self, other: &OperatorRef) -> bool {
        let (a, b): (&dyn Operator, &dyn Operator) = (&**self, &**other);
        // Operators without fields have no address of their own: their type tells them apart.
        let same_place = || size_of_val(a) == 0 || std::ptr::addr_eq(a, b);
        a.type_id() == b.type_id() && a.signature().name == b.signature().name && same_place()
    }
}

impl Deref for OperatorRef {
    type Target = dyn Operator;

    fn deref(&self) -> &Self::Target {
        match self {
            OperatorRef::Static(operator) => *operator,
            OperatorRef::Shared(operator) => &**operator,
        }
    }
}

impl fmt::Debug for OperatorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signature().name)
    }
}

impl<O: Operator> From<&'static O> for OperatorRef {
    fn from(operator: &'static O) -> Self {
        OperatorRef::Static(operator)
    }
}

impl<O: Operator> From<Arc<O>> for OperatorRef {
    fn from(operator: Arc<O>) -> Self {
        OperatorRef::Shared(operator)
    }
}

/// The operators that a text or a file may use, by name.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    operators: std::collections::BTreeMap<&'static str, OperatorRef>,
}

impl Registry {
    /// Adds an operator. It replaces one of its name.
    pub fn register(&mut self, operator: OperatorRef) {
        self.operators.insert(operator.signature().name, operator);
    }

    /// The operator of that name.
    pub fn get(&self, name: &str) -> Option<&OperatorRef> {
        self.operators.get(name)
    }

    /// All operators in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &OperatorRef> {
        self.operators.values()
    }
}
