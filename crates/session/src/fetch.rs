//! What a run gives back.

use abeyance_graph::{AnyTensor, Element, Operation, Scalar, Tensor};
use abeyance_ir::{DType, GraphId, Location, NodeId, Type};
use ndarray::ArrayD;
use smallvec::SmallVec;

use crate::{Port, Results, Value};

/// The nodes of a fetch, in order. A dozen fit without an allocation.
#[derive(Debug, Default)]
pub struct FetchList<'a>(pub(crate) SmallVec<[Listed<'a>; 12]>);

/// A node of a fetch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed<'a> {
    pub(crate) graph: GraphId,
    pub(crate) node: NodeId,
    pub(crate) wanted: Wanted,
    /// For messages: where it was made, and the handle, if it was one.
    pub(crate) made: Location,
    pub(crate) handle: Option<AnyTensor<'a>>,
}

impl<'a> FetchList<'a> {
    fn push(&mut self, handle: AnyTensor<'a>, wanted: Wanted) {
        let graph = handle.graph().ir();
        self.0.push(Listed {
            graph: graph.id(),
            node: handle.id(),
            wanted,
            made: graph.node(handle.id()).location,
            handle: Some(handle),
        });
    }
}

/// What a value is picked up as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// An array of these elements.
    Array(DType),
    /// A number.
    Number(DType),
    /// Whatever it is.
    Anything,
}

impl Wanted {
    /// True if a node of this type can be picked up so.
    pub(crate) fn fits(self, ty: &Type) -> bool {
        match (self, ty) {
            (Wanted::Anything, _) => true,
            (Wanted::Array(dtype), Type::Tensor(tensor)) => tensor.dtype == dtype,
            (Wanted::Number(dtype), Type::Tensor(tensor)) => {
                tensor.dtype == dtype && tensor.shape.is_empty()
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wanted::Array(dtype) => write!(f, "an array of {dtype}"),
            Wanted::Number(dtype) => write!(f, "a number of {dtype}"),
            Wanted::Anything => f.write_str("anything"),
        }
    }
}

/// What can be fetched: a [`Tensor`] or a [`Port`] gives an `ndarray` array, a [`Scalar`] a number,
/// an [`Operation`] `()`, an [`AnyTensor`] or a `Port<Value>` a [`Value`]; tuples, arrays and
/// `Vec`s of these give tuples, arrays and `Vec`s.
pub trait Fetch {
    /// How the values are picked up; borrows no graph.
    type Collect: Collect;

    /// Adds the nodes to `list`.
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Collect;
}

/// Picks up fetched values in the order in which [`Fetch::list`] named their nodes.
pub trait Collect {
    /// Rust's value.
    type Output;

    /// The values as new Rust values.
    fn collect(&self, results: &mut Results<'_>) -> Self::Output;

    /// The values into existing ones, which are reused where their shapes fit.
    fn collect_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        *output = self.collect(results);
    }
}

/// Picks up an array of `T`.
#[derive(Debug)]
pub struct CollectArray<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Element> Fetch for Tensor<'_, T> {
    type Collect = CollectArray<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectArray<T> {
        list.push(self.erase(), Wanted::Array(T::DTYPE));
        CollectArray(std::marker::PhantomData)
    }
}

impl<T: Element> Fetch for Port<T> {
    type Collect = CollectArray<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectArray<T> {
        list.0.push(Listed {
            graph: self.graph,
            node: self.node,
            wanted: Wanted::Array(T::DTYPE),
            made: self.made,
            handle: None,
        });
        CollectArray(std::marker::PhantomData)
    }
}

impl<T: Element> Collect for CollectArray<T> {
    type Output = ArrayD<T>;
    fn collect(&self, results: &mut Results<'_>) -> ArrayD<T> {
        results.array()
    }
    fn collect_into(&self, results: &mut Results<'_>, output: &mut ArrayD<T>) {
        results.array_into(output);
    }
}

/// Picks up a number.
#[derive(Debug)]
pub struct CollectNumber<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Element> Fetch for Scalar<'_, T> {
    type Collect = CollectNumber<T>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectNumber<T> {
        list.push(self.erase(), Wanted::Number(T::DTYPE));
        CollectNumber(std::marker::PhantomData)
    }
}

impl<T: Element> Collect for CollectNumber<T> {
    type Output = T;
    fn collect(&self, results: &mut Results<'_>) -> T {
        results.number()
    }
}

/// Picks up nothing.
#[derive(Debug)]
pub struct CollectNothing(());

impl Fetch for Operation<'_> {
    type Collect = CollectNothing;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectNothing {
        list.push((*self).into(), Wanted::Anything);
        CollectNothing(())
    }
}

impl Collect for CollectNothing {
    type Output = ();
    fn collect(&self, results: &mut Results<'_>) {
        results.skip();
    }
}

/// Picks up an array of whatever type.
#[derive(Debug)]
pub struct CollectValue(());

impl Fetch for AnyTensor<'_> {
    type Collect = CollectValue;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectValue {
        list.push(*self, Wanted::Anything);
        CollectValue(())
    }
}

impl Fetch for Port<Value> {
    type Collect = CollectValue;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> CollectValue {
        list.0.push(Listed {
            graph: self.graph,
            node: self.node,
            wanted: Wanted::Anything,
            made: self.made,
            handle: None,
        });
        CollectValue(())
    }
}

impl Collect for CollectValue {
    type Output = Value;
    fn collect(&self, results: &mut Results<'_>) -> Value {
        results.value()
    }
}

impl<F: Fetch> Fetch for &F {
    type Collect = F::Collect;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> F::Collect {
        (**self).list(list)
    }
}

impl<F: Fetch> Fetch for Vec<F> {
    type Collect = Vec<F::Collect>;
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Collect {
        self.iter().map(|fetch| fetch.list(list)).collect()
    }
}

impl<C: Collect> Collect for Vec<C> {
    type Output = Vec<C::Output>;
    fn collect(&self, results: &mut Results<'_>) -> Self::Output {
        self.iter().map(|each| each.collect(results)).collect()
    }
    fn collect_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        output.truncate(self.len());
        for (index, each) in self.iter().enumerate() {
            match output.get_mut(index) {
                Some(output) => each.collect_into(results, output),
                None => output.push(each.collect(results)),
            }
        }
    }
}

impl<F: Fetch, const N: usize> Fetch for [F; N] {
    type Collect = [F::Collect; N];
    fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Collect {
        std::array::from_fn(|index| self[index].list(list))
    }
}

impl<C: Collect, const N: usize> Collect for [C; N] {
    type Output = [C::Output; N];
    fn collect(&self, results: &mut Results<'_>) -> Self::Output {
        std::array::from_fn(|index| self[index].collect(results))
    }
    fn collect_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
        for (each, output) in self.iter().zip(output) {
            each.collect_into(results, output);
        }
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Fetch),*> Fetch for ($($name,)*) {
            type Collect = ($($name::Collect,)*);
            fn list<'a>(&'a self, list: &mut FetchList<'a>) -> Self::Collect {
                ($(self.$index.list(list),)*)
            }
        }
        impl<$($name: Collect),*> Collect for ($($name,)*) {
            type Output = ($($name::Output,)*);
            fn collect(&self, results: &mut Results<'_>) -> Self::Output {
                ($(self.$index.collect(results),)*)
            }
            fn collect_into(&self, results: &mut Results<'_>, output: &mut Self::Output) {
                $(self.$index.collect_into(results, &mut output.$index);)*
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
