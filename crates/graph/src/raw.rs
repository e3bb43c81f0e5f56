//! The graph behind the handles: methods for authors of layers, optimizers, importers and
//! operators, which programs do without.
//!
//! ```
//! use abeyance_graph::raw::GraphExt;
//! use abeyance_graph::{dims, Graph};
//! let g = Graph::new();
//! let x = g.placeholder::<f32>("x", dims![_]);
//! let id = g.build(|ir| x.id()); // `ir` is the untyped graph, to be appended to
//! assert_eq!(g.any(id).to_string(), "x : f32[N]");
//! ```

use abeyance_ir::{self as ir, Attributes, Diagnostic, NodeId, OperatorRef, Role};

use crate::{AnyTensor, Element, Graph, LocationGuard, Operand, Scope, Tensor};

/// The methods of a [`Graph`] by which functions append to it on a program's behalf.
pub trait GraphExt {
    /// Appends to the untyped graph. Nodes are said to come from the place of the call.
    #[track_caller]
    fn build<R>(&self, append: impl FnOnce(&mut ir::Graph) -> R) -> R;

    /// Appends a node of any operator, one of the user's own included, with the attributes of its
    /// signature in their order.
    ///
    /// # Errors
    /// The operands or attributes are not those that the operator takes.
    #[track_caller]
    fn apply<'g>(
        &'g self,
        operator: impl Into<OperatorRef>,
        operands: &[AnyTensor<'g>],
        attributes: impl Into<Attributes>,
    ) -> AnyTensor<'g>;

    /// The handle of any node.
    fn any(&self, id: NodeId) -> AnyTensor<'_>;

    /// The id of a handle's node here. In a body, a handle of a graph around it is captured: the
    /// body gets an input for it.
    ///
    /// # Errors
    /// The handle is of any other graph. The node is then an invalid one.
    #[track_caller]
    fn import(&self, handle: AnyTensor<'_>) -> NodeId;

    /// The ids of several handles' nodes here, each as [`GraphExt::import`] gives it.
    #[track_caller]
    fn import_all(&self, handles: &[AnyTensor<'_>]) -> Vec<NodeId>;

    /// Remembers a mistake, and gives an invalid node to go on with.
    #[track_caller]
    fn reject(&self, diagnostic: Diagnostic) -> NodeId;

    /// Until the guard is dropped, new nodes belong to this part of the program.
    #[must_use = "the part ends when the guard is dropped"]
    fn role(&self, role: Role) -> Scope<'_>;

    /// Until the guard is dropped, new nodes are said to come from the place of this call, by their
    /// own names. [`Graph::call`] gives them one.
    #[must_use = "the pinning ends when the guard is dropped: `let _pin = g.pin_location();`"]
    #[track_caller]
    fn pin_location(&self) -> LocationGuard<'_>;
}

impl GraphExt for Graph {
    #[track_caller]
    fn build<R>(&self, append: impl FnOnce(&mut ir::Graph) -> R) -> R {
        Graph::build(self, append)
    }

    #[track_caller]
    fn apply<'g>(
        &'g self,
        operator: impl Into<OperatorRef>,
        operands: &[AnyTensor<'g>],
        attributes: impl Into<Attributes>,
    ) -> AnyTensor<'g> {
        Graph::apply(self, operator, operands, attributes)
    }

    fn any(&self, id: NodeId) -> AnyTensor<'_> {
        Graph::any(self, id)
    }

    #[track_caller]
    fn import(&self, handle: AnyTensor<'_>) -> NodeId {
        Graph::import(self, handle)
    }

    #[track_caller]
    fn import_all(&self, handles: &[AnyTensor<'_>]) -> Vec<NodeId> {
        Graph::import_all(self, handles)
    }

    #[track_caller]
    fn reject(&self, diagnostic: Diagnostic) -> NodeId {
        Graph::reject(self, diagnostic)
    }

    fn role(&self, role: Role) -> Scope<'_> {
        Graph::role(self, role)
    }

    #[track_caller]
    fn pin_location(&self) -> LocationGuard<'_> {
        Graph::pin_location(self)
    }
}

/// The method of a [`Tensor`] by which functions bring their operands together.
pub trait TensorExt<'g>: Sized {
    /// The tensor where it can meet another: captured by the body that the other belongs to, if
    /// this one is of a graph around that body.
    #[track_caller]
    fn beside<V: Element>(self, other: impl Operand<'g, V>) -> Self;
}

impl<'g, T: Element> TensorExt<'g> for Tensor<'g, T> {
    #[track_caller]
    fn beside<V: Element>(self, other: impl Operand<'g, V>) -> Self {
        Tensor::beside(self, other)
    }
}

/// The method of an [`AnyTensor`] by which functions that have looked at its type go on.
pub trait AnyTensorExt<'g> {
    /// The handle with an element type it is known to have. Where it has another, whatever is built
    /// with it is a mistake that the graph reports. [`AnyTensor::typed`] asks first.
    fn assume<T: Element>(self) -> Tensor<'g, T>;
}

impl<'g> AnyTensorExt<'g> for AnyTensor<'g> {
    fn assume<T: Element>(self) -> Tensor<'g, T> {
        AnyTensor::assume(self)
    }
}
