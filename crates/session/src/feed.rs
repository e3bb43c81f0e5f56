//! Feeds: the values that are given to a run.

use std::sync::Arc;

use abeyance_graph::{AnyTensor, Element, Scalar, Tensor};
use abeyance_ir::{DType, Dims, GraphId, Location, NodeId};
use abeyance_scheduler::AlignedBytes;
use ndarray::{ArrayBase, ArrayView, Data, Dimension};

use crate::value::each;
use crate::{TensorRef, Value};

/// A tensor and the value it is to have in one run. [`feeds!`](crate::feeds) makes a list of them.
/// Cloning one copies no elements.
#[derive(Clone, Debug)]
pub struct Feed<'a> {
    pub(crate) graph: GraphId,
    pub(crate) node: NodeId,
    /// The place where the tensor was made, for messages about tensors of other graphs.
    pub(crate) made: Location,
    pub(crate) dtype: DType,
    pub(crate) dims: Dims,
    pub(crate) bytes: Bytes<'a>,
}

#[derive(Clone, Debug)]
pub(crate) enum Bytes<'a> {
    /// Bytes that are read where they are.
    Borrowed(&'a [u8]),
    /// The bytes of one number.
    Number(Number),
    /// A copy in row-major order.
    Copied(Arc<AlignedBytes>),
    /// There was no memory to copy so many bytes.
    TooMany(usize),
}

/// One number, aligned for any element type.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Number {
    bytes: [u8; 8],
    length: usize,
}

impl Bytes<'_> {
    pub(crate) fn get(&self) -> Result<&[u8], usize> {
        match self {
            Bytes::Borrowed(bytes) => Ok(bytes),
            Bytes::Number(number) => Ok(&number.bytes[..number.length]),
            Bytes::Copied(bytes) => Ok(bytes),
            Bytes::TooMany(bytes) => Err(*bytes),
        }
    }
}

impl<'a> Feed<'a> {
    /// Makes a feed of `value` for `tensor`. Where the element type of the one or the other is
    /// known only when the program runs, the run checks that they are equal.
    pub fn new<F: FeedTarget, V: FeedValue<'a, F::Element>>(tensor: F, value: V) -> Self {
        let (dtype, dims, bytes) = value.raw();
        let TensorRef { graph, node, made, .. } = tensor.tensor_ref();
        Feed { graph, node, made, dtype, dims, bytes }
    }
}

/// A tensor that can be fed: any, as a handle or as a [`TensorRef`].
pub trait FeedTarget {
    /// The type of its elements; [`Value`] where that is known only when the program runs.
    type Element;
    /// The tensor, without its graph.
    fn tensor_ref(&self) -> TensorRef<Self::Element>;
}

impl<T: Element> FeedTarget for Tensor<'_, T> {
    type Element = T;
    fn tensor_ref(&self) -> TensorRef<T> {
        (*self).into()
    }
}

impl<T: Element> FeedTarget for Scalar<'_, T> {
    type Element = T;
    fn tensor_ref(&self) -> TensorRef<T> {
        (*self).into()
    }
}

impl FeedTarget for AnyTensor<'_> {
    type Element = Value;
    fn tensor_ref(&self) -> TensorRef<Value> {
        (*self).into()
    }
}

impl<T> FeedTarget for TensorRef<T> {
    type Element = T;
    fn tensor_ref(&self) -> TensorRef<T> {
        *self
    }
}

mod private {
    pub trait Sealed {}
}

/// A value that can be fed to a tensor of `T`: a number, a borrowed `ndarray` array or view of any
/// rank, a slice, or a borrowed [`Value`], for a tensor whose element type is known only when the
/// program runs.
///
/// Arrays in row-major order are read where they are; others are copied.
pub trait FeedValue<'a, T>: private::Sealed {
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>);
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl private::Sealed for $type {}
        impl<'a> FeedValue<'a, $type> for $type {
            #[allow(private_interfaces)]
            fn raw(self) -> (DType, Dims, Bytes<'a>) {
                let slice = [self];
                let from = <$type as Element>::bytes(&slice);
                let mut bytes = [0; 8];
                bytes[..from.len()].copy_from_slice(from);
                let number = Number { bytes, length: from.len() };
                (<$type as Element>::DTYPE, Dims::new(), Bytes::Number(number))
            }
        }
    )*};
}
number!(f32, f64, i32, i64, u8, bool);

impl<S: Data, D: Dimension> private::Sealed for &ArrayBase<S, D> {}
impl<'a, T: Element, S: Data<Elem = T>, D: Dimension> FeedValue<'a, T> for &'a ArrayBase<S, D> {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        let bytes = match self.as_slice() {
            Some(slice) => Bytes::Borrowed(T::bytes(slice)),
            None => copied(self.iter(), self.len()),
        };
        (T::DTYPE, self.shape().into(), bytes)
    }
}

impl<T, D: Dimension> private::Sealed for ArrayView<'_, T, D> {}
impl<'a, T: Element, D: Dimension> FeedValue<'a, T> for ArrayView<'a, T, D> {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        let bytes = match self.to_slice() {
            Some(slice) => Bytes::Borrowed(T::bytes(slice)),
            None => copied(self.iter(), self.len()),
        };
        (T::DTYPE, self.shape().into(), bytes)
    }
}

impl private::Sealed for &Value {}
impl<'a, T> FeedValue<'a, T> for &'a Value {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        each!(self, array => array.raw())
    }
}

impl<T> private::Sealed for &[T] {}
impl<'a, T: Element> FeedValue<'a, T> for &'a [T] {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        (T::DTYPE, Dims::from_slice(&[self.len()]), Bytes::Borrowed(T::bytes(self)))
    }
}

impl<T> private::Sealed for &Vec<T> {}
impl<'a, T: Element> FeedValue<'a, T> for &'a Vec<T> {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        self.as_slice().raw()
    }
}

impl<T, const N: usize> private::Sealed for &[T; N] {}
impl<'a, T: Element, const N: usize> FeedValue<'a, T> for &'a [T; N] {
    #[allow(private_interfaces)]
    fn raw(self) -> (DType, Dims, Bytes<'a>) {
        self.as_slice().raw()
    }
}

fn copied<'a, 'b, T: Element>(elements: impl Iterator<Item = &'b T>, len: usize) -> Bytes<'a> {
    let size = size_of::<T::Stored>();
    let Some(Ok(mut bytes)) = len.checked_mul(size).map(AlignedBytes::zeroed) else {
        return Bytes::TooMany(len.saturating_mul(size));
    };
    let to: &mut [T::Stored] = bytemuck::cast_slice_mut(&mut bytes);
    for (to, element) in to.iter_mut().zip(elements) {
        *to = element.store();
    }
    Bytes::Copied(Arc::new(bytes))
}

/// The feed dictionary of a run: `feeds![x => &images, y_ => &labels, keep => 0.75]`. Any tensor of
/// the graph can be fed.
#[macro_export]
macro_rules! feeds {
    ($($tensor:expr => $value:expr),* $(,)?) => {
        [$($crate::Feed::new($tensor, $value)),*] as [$crate::Feed<'_>; _]
    };
}
