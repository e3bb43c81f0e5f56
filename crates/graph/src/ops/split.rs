//! One tensor as several, and several as one: `stack`, `unstack`, `split`. All are made of slices,
//! reshapes and `concat`.

use abeyance_ir::{Diagnostic, Dim, Fault, NodeId, resolve_axis};

use super::shape::derived;
use super::strided::Parts;
use crate::{Element, Expr, Graph, Tensor};

/// The most tensors that one can be taken apart into: each is a node.
const MOST: usize = 1 << 16;

fn count(parts: usize) -> Result<usize, Fault> {
    if parts <= MOST {
        Ok(parts)
    } else {
        Err(Fault::new(format!(
            "{parts} tensors are more than the {MOST} that one can be taken apart into"
        )))
    }
}

/// The sum of the sizes that are given, and whether one is open, -1.
///
/// # Errors
/// There are too many sizes, several are open, or one is negative; the sum is beyond 2^63.
fn total(sizes: &[i64]) -> Result<(i64, bool), Fault> {
    count(sizes.len())?;
    let open = sizes.iter().filter(|&&size| size == -1).count();
    if open > 1 {
        return Err(Fault::new(format!(
            "{open} of the sizes {sizes:?} are -1, and at most one can be worked out"
        )));
    }
    let mut sum = 0i64;
    for &size in sizes.iter().filter(|&&size| size != -1) {
        if size < 0 {
            return Err(Fault::new(format!("sizes = {sizes:?} holds {size}, which is no size")));
        }
        sum = sum
            .checked_add(size)
            .ok_or_else(|| Fault::new(format!("the sum of the sizes {sizes:?} is beyond 2^63")))?;
    }
    Ok((sum, open == 1))
}

impl<'g> Expr<'g> {
    /// The slice at an index of an axis, which is gone: `x[.., index, ..]`.
    pub fn index_at(self, axis: usize, index: i64) -> Self {
        self.strided_slice(&Parts::all(self.rank()).with_index(axis, index))
    }

    /// # Errors
    /// The dimension is known and `sizes`, which make `sum`, are not its parts; if one of them is
    /// open, it may be larger.
    fn check_fits(self, axis: usize, sizes: &[i64], sum: i64, open: bool) -> Result<(), Fault> {
        let full = self.shape();
        let dim = full[axis];
        let fits = match dim {
            Dim::Known(size) if open => sum as u64 <= size as u64,
            _ if open => true,
            // Sizes that are all given say how large the dimension is.
            _ => self.graph(|graph| graph.unify(dim, Dim::Known(sum as usize)).is_some()),
        };
        if fits {
            return Ok(());
        }
        let [full, dim] = [&full[..], &[dim]]
            .map(|shape| self.graph(|graph| graph.symbols().display(shape).to_string()));
        Err(Fault::new(format!(
            "the sizes {sizes:?} make {sum}, and dimension {axis} of {full} is {}",
            dim.trim_matches(['[', ']'])
        )))
    }

    /// A dimension cut into parts of these sizes, of which one may be -1.
    fn cut(self, axis: usize, sizes: &[i64]) -> Result<Vec<Self>, Fault> {
        let full = self.shape();
        let dim = full[axis];
        let (sum, open) = total(sizes)?;
        self.check_fits(axis, sizes, sum, open)?;
        let mut begin = vec![0i64; full.len()];
        // The dimension that is left for the open part, and a node that holds its size, where that
        // is not known yet.
        let left = match dim {
            Dim::Symbol(_) if open => {
                let mut behind_all = begin.clone();
                behind_all[axis] = sum;
                let measure = self.slice(&behind_all, &vec![-1; full.len()]);
                measure.shape().get(axis).copied()
            }
            _ => None,
        };
        let mut offset = None;
        let mut parts = Vec::with_capacity(sizes.len());
        for &size in sizes {
            let mut shape = full.clone();
            shape[axis] = match (size, left, dim) {
                (-1, Some(left), _) => left,
                (-1, None, Dim::Known(all)) => Dim::Known(all - sum as usize),
                _ => Dim::Known(size as usize),
            };
            let dim = shape[axis];
            parts.push(match (dim, offset) {
                (Dim::Known(size), None) => {
                    let mut taken = vec![-1; full.len()];
                    taken[axis] = size as i64;
                    self.slice(&begin, &taken)
                }
                (_, offset) => {
                    let offset = offset.unwrap_or_else(|| self.offset(0));
                    self.slice_at(offset, &begin, axis as i64, shape)
                }
            });
            match dim {
                Dim::Known(size) => begin[axis] += size as i64,
                left => offset = Some(self.offset_of(left)),
            }
        }
        Ok(parts)
    }

    /// A dimension cut into parts of one size.
    fn cut_evenly(self, axis: usize, parts: usize) -> Result<Vec<Self>, Fault> {
        let full = self.shape();
        if parts == 0 {
            return Err(Fault::new("a tensor cannot be split into 0 parts"));
        }
        count(parts)?;
        match full[axis] {
            Dim::Known(size) if size % parts != 0 => Err(Fault::new(format!(
                "dimension {axis} of {} does not split into {parts} equal parts",
                self.graph(|graph| graph.symbols().display(&full).to_string())
            ))
            .help("give the size of each part: `x.split_sizes(&[3, -1], axis)`")),
            Dim::Known(size) => self.cut(axis, &vec![(size / parts) as i64; parts]),
            // Rows of parts: whether they come out even is seen when the graph runs.
            Dim::Symbol(_) => {
                let mut to = full;
                to[axis] = self.graph(derived);
                to.insert(axis, Dim::Known(parts));
                let rows = self.reshape(to);
                Ok((0..parts as i64).map(|index| rows.index_at(axis, index)).collect())
            }
        }
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The parts that `cut` makes; of a mistake as many invalid ones as were `asked` for, so that a
    /// list may be indexed before anything is reported.
    #[track_caller]
    fn apart(
        self,
        asked: usize,
        axis: i64,
        cut: impl for<'e> FnOnce(Expr<'e>, usize) -> Result<Vec<Expr<'e>>, Fault>,
    ) -> Vec<Tensor<'g, T>> {
        let ids = |parts: Vec<Expr<'_>>| parts.into_iter().map(Expr::id).collect::<Vec<_>>();
        let cut = resolve_axis(axis, self.shape().len())
            .and_then(|axis| self.visit(|x| cut(x, axis).map(ids)));
        match cut {
            Ok(parts) => parts.into_iter().map(|part| self.graph().handle(part)).collect(),
            Err(fault) => vec![self.fault(fault); asked.min(MOST)],
        }
    }

    /// The slices along an axis, which is gone from their shapes: as many tensors as its size,
    /// which has to be known. TensorFlow's `tf.unstack`. After a mistake the tensors are invalid
    /// ones: as many as the largest known size, one at least.
    #[track_caller]
    pub fn unstack(self, axis: i64) -> Vec<Tensor<'g, T>> {
        let _call = self.graph().call("unstack");
        // Where the size along the axis is not known, nobody can have asked for a number of
        // tensors.
        let largest = self.shape().iter().filter_map(|dim| dim.known()).max();
        self.apart(largest.unwrap_or(0).max(1), axis, |x, axis| {
            let full = x.shape();
            let Dim::Known(size) = full[axis] else {
                return Err(Fault::new(format!(
                    "dimension {axis} of {} is not known, and with it how many tensors there are",
                    x.graph(|graph| graph.symbols().display(&full).to_string())
                )));
            };
            let size = count(size)? as i64;
            Ok((0..size).map(|index| x.index_at(axis, index)).collect())
        })
    }

    /// Cut along an axis into `parts` tensors of one size. TensorFlow's `tf.split`. A size that
    /// does not divide is a mistake, or an error when it is fed. After a mistake all `parts` are
    /// invalid. Gradient: each part's at its place.
    #[track_caller]
    pub fn split(self, parts: usize, axis: i64) -> Vec<Tensor<'g, T>> {
        let _call = self.graph().call("split");
        self.apart(parts, axis, |x, axis| x.cut_evenly(axis, parts))
    }

    /// Cut along an axis into tensors of these sizes, of which one may be -1: what the others
    /// leave. TensorFlow's `tf.split`. Sizes that do not make up the dimension are a mistake; all
    /// parts are then invalid.
    #[track_caller]
    pub fn split_sizes(self, sizes: &[i64], axis: i64) -> Vec<Tensor<'g, T>> {
        let _call = self.graph().call("split_sizes");
        self.apart(sizes.len(), axis, |x, axis| x.cut(axis, sizes))
    }
}

/// The mistake of stacking tensors that cannot have one shape.
#[track_caller]
fn unlike(graph: &Graph, inputs: &[NodeId]) -> Option<Diagnostic> {
    let location = graph.here();
    let ir = graph.ir();
    // What is wrong already was told.
    let shapes: Vec<_> = inputs.iter().filter_map(|&id| Some((id, ir.shape(id)?))).collect();
    let (first, wanted) = shapes.first()?;
    let differ = |a: Dim, b: Dim| matches!((a, b), (Dim::Known(a), Dim::Known(b)) if a != b);
    let (other, found) = shapes.iter().find(|(_, shape)| {
        shape.len() != wanted.len() || shape.iter().zip(wanted).any(|(&a, &b)| differ(a, b))
    })?;
    let message = format!(
        "tensors of shapes {} and {} are not of one shape",
        ir.symbols().display(wanted),
        ir.symbols().display(found)
    );
    let diagnostic = Diagnostic::new(message, location);
    Some(
        [first, other].into_iter().fold(diagnostic, |diagnostic, &id| {
            diagnostic.note(ir.describe(id), ir.node(id).location)
        }),
    )
}

impl Graph {
    /// Tensors of one shape along a new axis of the result (-1: the last). At least one tensor is
    /// needed. TensorFlow's `tf.stack`. Gradient: for each its part of the cotangent.
    #[track_caller]
    pub fn stack<'g, T: Element>(
        &'g self,
        inputs: impl IntoIterator<Item = Tensor<'g, T>>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let _call = self.call("stack");
        let inputs: Vec<_> = inputs.into_iter().map(Tensor::erase).collect();
        let home = self.innermost(&inputs);
        let inputs = home.import_all(&inputs);
        if let Some(diagnostic) = unlike(home, &inputs) {
            return home.handle(home.reject(diagnostic));
        }
        home.within("stack", || {
            let rows = inputs.into_iter().map(|input| home.handle::<T>(input).expand_dims(axis));
            home.concat(rows, axis)
        })
    }
}
