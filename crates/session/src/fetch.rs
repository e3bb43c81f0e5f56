//! Fetches: the values that a run returns, and their Rust types.

use abeyance_graph::{AnyTensor, Element, Operation, Scalar, Tensor};
use abeyance_ir::{DType, GraphId, Location, NodeId, Type};
use ndarray::ArrayD;
use smallvec::SmallVec;

use crate::{Results, TensorRef, Value};

/// The nodes of a fetch, in order. Up to twelve need no allocation.
#[derive(Debug, Default)]
pub struct FetchList<'a>(pub(crate) SmallVec<[FetchEntry<'a>; 12]>);

/// A node of a fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchEntry<'a> {
    pub(crate) graph: GraphId,
    pub(crate) node: NodeId,
    pub(crate) kind: FetchKind,
    /// The place where the tensor was made, for messages.
    pub(crate) made: Location,
    /// The handle, if it is one and no [`TensorRef`], for messages.
    pub(crate) handle: Option<AnyTensor<'a>>,
}

impl<'a> FetchList<'a> {
    fn push(&mut self, handle: AnyTensor<'a>, kind: FetchKind) {
        let graph = handle.graph().ir();
        self.0.push(FetchEntry {
            graph: graph.id(),
            node: handle.id(),
            kind,
            made: graph.node(handle.id()).location,
            handle: Some(handle),
        });
    }
}

/// The Rust type that a fetched value is decoded to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FetchKind {
    /// An array of these elements.
    Array(DType),
    /// A number of this type.
    Number(DType),
    /// A value of any type, or none.
    Anything,
}

impl FetchKind {
    /// True if a node of this type can be decoded to it.
    pub(crate) fn fits(self, ty: &Type) -> bool {
        match (self, ty) {
            (FetchKind::Anything, _) => true,
            (FetchKind::Array(dtype), Type::Tensor(tensor)) => tensor.dtype == dtype,
            (FetchKind::Number(dtype), Type::Tensor(tensor)) => {
                tensor.dtype == dtype && tensor.shape.is_empty()
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for FetchKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FetchKind::Array(dtype) => write!(f, "an array of {dtype}"),
            FetchKind::Number(dtype) => write!(f, "a number of {dtype}"),
            FetchKind::Anything => f.write_str("anything"),
        }
    }
}

/// A value that can be fetched.
///
/// | fetch | value |
/// |---|---|
/// | [`Tensor`], [`TensorRef`] | an `ndarray` array |
/// | [`Scalar`] | a number |
/// | [`AnyTensor`], `TensorRef<Value>` | a [`Value`] |
/// | [`Operation`] | `()` |
/// | tuples, arrays and `Vec`s of these | tuples, arrays and `Vec`s |
pub trait Fetch {
    /// The decoder of the values, which borrows no graph.
    type Decoder: Decode;

    /// Adds the nodes to `list`.
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Decoder;
}

/// Decodes fetched values in the order in which [`Fetch::list`] named their nodes.
pub trait Decode {
    /// The type of the decoded values.
    type Output;

    /// Decodes the values to new ones.
    fn decode(&self, results: &mut Results<'_>) -> Self::Output;

    /// Decodes the values into existing ones, which are reused where their shapes fit.
    fn decode_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        *output = self.decode(results);
    }
}

/// Decodes an array of `T`.
#[derive(Debug)]
pub struct DecodeArray<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Element> Fetch for Tensor<'_, T> {
    type Decoder = DecodeArray<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeArray<T> {
        list.push(self.erase(), FetchKind::Array(T::DTYPE));
        DecodeArray(std::marker::PhantomData)
    }
}

impl<T: Element> Fetch for TensorRef<T> {
    type Decoder = DecodeArray<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeArray<T> {
        list.0.push(FetchEntry {
            graph: self.graph,
            node: self.node,
            kind: FetchKind::Array(T::DTYPE),
            made: self.made,
            handle: None,
        });
        DecodeArray(std::marker::PhantomData)
    }
}

impl<T: Element> Decode for DecodeArray<T> {
    type Output = ArrayD<T>;
    fn decode(&self, results: &mut Results<'_>) -> ArrayD<T> {
        results.array()
    }
    fn decode_into(&self, results: &mut Results<'_>, output: &mut ArrayD<T>) {
        results.array_into(output);
    }
}

/// Decodes a number.
#[derive(Debug)]
pub struct DecodeNumber<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Element> Fetch for Scalar<'_, T> {
    type Decoder = DecodeNumber<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeNumber<T> {
        list.push(self.erase(), FetchKind::Number(T::DTYPE));
        DecodeNumber(std::marker::PhantomData)
    }
}

impl<T: Element> Decode for DecodeNumber<T> {
    type Output = T;
    fn decode(&self, results: &mut Results<'_>) -> T {
        results.number()
    }
}

/// Skips an operation, which has no value.
#[derive(Debug)]
pub struct DecodeNothing(());

impl Fetch for Operation<'_> {
    type Decoder = DecodeNothing;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeNothing {
        list.push((*self).into(), FetchKind::Anything);
        DecodeNothing(())
    }
}

impl Decode for DecodeNothing {
    type Output = ();
    fn decode(&self, results: &mut Results<'_>) {
        results.skip();
    }
}

/// Decodes an array of any element type.
#[derive(Debug)]
pub struct DecodeValue(());

impl Fetch for AnyTensor<'_> {
    type Decoder = DecodeValue;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeValue {
        list.push(*self, FetchKind::Anything);
        DecodeValue(())
    }
}

impl Fetch for TensorRef<Value> {
    type Decoder = DecodeValue;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> DecodeValue {
        list.0.push(FetchEntry {
            graph: self.graph,
            node: self.node,
            kind: FetchKind::Anything,
            made: self.made,
            handle: None,
        });
        DecodeValue(())
    }
}

impl Decode for DecodeValue {
    type Output = Value;
    fn decode(&self, results: &mut Results<'_>) -> Value {
        results.value()
    }
}

impl<F: Fetch> Fetch for &F {
    type Decoder = F::Decoder;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> F::Decoder {
        (**self).list(list)
    }
}

impl<F: Fetch> Fetch for Vec<F> {
    type Decoder = Vec<F::Decoder>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Decoder {
        self.iter().map(|fetch| fetch.list(list)).collect()
    }
}

impl<C: Decode> Decode for Vec<C> {
    type Output = Vec<C::Output>;
    fn decode(&self, results: &mut Results<'_>) -> Self::Output {
        self.iter().map(|each| each.decode(results)).collect()
    }
    fn decode_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        output.truncate(self.len());
        for (index, each) in self.iter().enumerate() {
            match output.get_mut(index) {
                Some(output) => each.decode_into(results, output),
                None => output.push(each.decode(results)),
            }
        }
    }
}

impl<F: Fetch, const N: usize> Fetch for [F; N] {
    type Decoder = [F::Decoder; N];
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Decoder {
        std::array::from_fn(|index| self[index].list(list))
    }
}

impl<C: Decode, const N: usize> Decode for [C; N] {
    type Output = [C::Output; N];
    fn decode(&self, results: &mut Results<'_>) -> Self::Output {
        std::array::from_fn(|index| self[index].decode(results))
    }
    fn decode_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        for (each, output) in self.iter().zip(output) {
            each.decode_into(results, output);
        }
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Fetch),*> Fetch for ($($name,)*) {
            type Decoder = ($($name::Decoder,)*);
            fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Decoder {
                ($(self.$index.list(list),)*)
            }
        }
        impl<$($name: Decode),*> Decode for ($($name,)*) {
            type Output = ($($name::Output,)*);
            fn decode(&self, results: &mut Results<'_>) -> Self::Output {
                ($(self.$index.decode(results),)*)
            }
            fn decode_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
                $(self.$index.decode_into(results, &mut output.$index);)*
            }
        }
    };
}
tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
