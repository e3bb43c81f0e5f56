//! What a run gives back.

use abeyance_graph::{AnyTensor, Element, Operation, Scalar, Tensor};
use abeyance_ir::{GraphId, NodeId};
use ndarray::ArrayD;
use smallvec::SmallVec;

use crate::{Results, Value};

/// The nodes of a fetch, in order. A dozen fit without an allocation.
pub type FetchList = SmallVec<[(GraphId, NodeId); 12]>;

/// What can be fetched: a [`Tensor`] gives an `ndarray` array, a [`Scalar`] a number, an [`Operation`] `()`, an
/// [`AnyTensor`] a [`Value`]; tuples, arrays and `Vec`s of these give tuples, arrays and `Vec`s.
pub trait Fetch {
    /// How the values are picked up; borrows no graph.
    type Collect: Collect;

    /// Adds the nodes to `list`.
    fn list(&self, list: &mut FetchList) -> Self::Collect;
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

fn push(list: &mut FetchList, node: AnyTensor<'_>) {
    list.push((node.graph().ir().id(), node.id()));
}

/// Picks up an array of `T`.
#[derive(Debug)]
pub struct CollectArray<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Element> Fetch for Tensor<'_, T> {
    type Collect = CollectArray<T>;
    fn list(&self, list: &mut FetchList) -> CollectArray<T> {
        push(list, self.erase());
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
    fn list(&self, list: &mut FetchList) -> CollectNumber<T> {
        push(list, self.erase());
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
    fn list(&self, list: &mut FetchList) -> CollectNothing {
        push(list, (*self).into());
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
    fn list(&self, list: &mut FetchList) -> CollectValue {
        push(list, *self);
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
    fn list(&self, list: &mut FetchList) -> F::Collect {
        (**self).list(list)
    }
}

impl<F: Fetch> Fetch for Vec<F> {
    type Collect = Vec<F::Collect>;
    fn list(&self, list: &mut FetchList) -> Self::Collect {
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
    fn list(&self, list: &mut FetchList) -> Self::Collect {
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
            fn list(&self, list: &mut FetchList) -> Self::Collect {
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
