//! Several handles at once: what goes into a branch or a loop and comes out of it.

use abeyance_ir::NodeId;

use crate::ops::source::Invalid;
use crate::{AnyTensor, Element, Graph, Scalar, Tensor};

/// One or more tensors: a [`Tensor`], a [`Scalar`], a tuple or an array of such, `()` for none. A
/// struct of handles can be one too, by passing on to its fields.
pub trait TensorTuple<'g>: Copy {
    /// The handles with a dimension more, as `scan` stacks what each iteration gives.
    type Stacked: TensorTuple<'g>;

    /// Adds its handles to `list`.
    fn list(self, list: &mut Vec<AnyTensor<'g>>);

    /// The handles of other nodes, which are as many and have the same element types.
    fn rebuild(graph: &'g Graph, nodes: &mut dyn Iterator<Item = NodeId>) -> Self;
}

/// The handles as a list.
pub(crate) fn listed<'g, H: TensorTuple<'g>>(handles: H) -> Vec<AnyTensor<'g>> {
    let mut list = Vec::new();
    handles.list(&mut list);
    list
}

impl<'g, T: Element> TensorTuple<'g> for Tensor<'g, T> {
    type Stacked = Self;

    fn list(self, list: &mut Vec<AnyTensor<'g>>) {
        list.push(self.erase());
    }

    fn rebuild(graph: &'g Graph, nodes: &mut dyn Iterator<Item = NodeId>) -> Self {
        match nodes.next() {
            Some(id) => Tensor::new(graph, id),
            None => graph.apply(&Invalid, &[], ()).assume(),
        }
    }
}

impl<'g, T: Element> TensorTuple<'g> for Scalar<'g, T> {
    type Stacked = Tensor<'g, T>;

    fn list(self, list: &mut Vec<AnyTensor<'g>>) {
        self.tensor().list(list);
    }

    fn rebuild(graph: &'g Graph, nodes: &mut dyn Iterator<Item = NodeId>) -> Self {
        Scalar(Tensor::rebuild(graph, nodes))
    }
}

impl<'g, H: TensorTuple<'g>, const N: usize> TensorTuple<'g> for [H; N] {
    type Stacked = [H::Stacked; N];

    fn list(self, list: &mut Vec<AnyTensor<'g>>) {
        for handles in self {
            handles.list(list);
        }
    }

    fn rebuild(graph: &'g Graph, nodes: &mut dyn Iterator<Item = NodeId>) -> Self {
        std::array::from_fn(|_| H::rebuild(graph, nodes))
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<'g, $($name: TensorTuple<'g>),*> TensorTuple<'g> for ($($name,)*) {
            type Stacked = ($($name::Stacked,)*);

            #[allow(unused_variables)]
            fn list(self, list: &mut Vec<AnyTensor<'g>>) {
                $(self.$index.list(list);)*
            }

            #[allow(unused_variables, clippy::unused_unit)]
            fn rebuild(graph: &'g Graph, nodes: &mut dyn Iterator<Item = NodeId>) -> Self {
                ($($name::rebuild(graph, nodes),)*)
            }
        }
    };
}
tuple!();
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
