//! The values of a finished run, read one after the other.

use abeyance_graph::Element;
use abeyance_ir::DType;
use abeyance_scheduler::Run;
use ndarray::{ArrayD, IxDyn};

use crate::Value;
use crate::plan::FetchSlot;
use crate::value::array_of;

/// The fetched values of a run, one after the other.
pub struct Results<'a> {
    run: &'a Run<'a>,
    fetched: &'a [FetchSlot],
    next: usize,
}

impl<'a> Results<'a> {
    pub(crate) fn new(run: &'a Run<'a>, fetched: &'a [FetchSlot]) -> Self {
        Self { run, fetched, next: 0 }
    }

    /// The next value: its element type, sizes and bytes. Empty if there is none.
    fn next(&mut self) -> (DType, &'a [usize], &'a [u8]) {
        let fetched = self.fetched.get(self.next);
        self.next += 1;
        match fetched {
            Some(FetchSlot::Tensor { buffer, dtype, dims }) => {
                (*dtype, dims, self.run.read(*buffer).unwrap_or(&[]))
            }
            Some(FetchSlot::Nothing) | None => (DType::F32, &[0], &[]),
        }
    }

    pub(crate) fn skip(&mut self) {
        self.next += 1;
    }

    pub(crate) fn number<T: Element>(&mut self) -> T {
        let (_, _, bytes) = self.next();
        let stored: &[T::Stored] = bytemuck::cast_slice(bytes);
        stored.first().map_or_else(T::default, |&stored| T::load(stored))
    }

    pub(crate) fn array<T: Element>(&mut self) -> ArrayD<T> {
        let (_, dims, bytes) = self.next();
        array_of(dims, bytes)
    }

    pub(crate) fn array_into<T: Element>(&mut self, output: &mut ArrayD<T>) {
        let (_, dims, bytes) = self.next();
        let stored: &[T::Stored] = bytemuck::cast_slice(bytes);
        match output.as_slice_mut() {
            Some(slice) if slice.len() == stored.len() => {
                for (to, &stored) in slice.iter_mut().zip(stored) {
                    *to = T::load(stored);
                }
                if output.shape() != dims {
                    let reshaped = std::mem::take(output).into_shape_with_order(IxDyn(dims));
                    *output = reshaped.unwrap_or_else(|_| array_of(dims, bytes));
                }
            }
            _ => *output = array_of(dims, bytes),
        }
    }

    pub(crate) fn value(&mut self) -> Value {
        let (dtype, dims, bytes) = self.next();
        Value::from_parts(dtype, dims, bytes)
    }
}
