//! The value of a name of the model while it is imported.

use std::cell::Cell;
use std::sync::Arc;

use abeyance_graph::ops::sequence::{ShapeOf, ShapeOfAttributes};
use abeyance_graph::ops::source::{Constant, ConstantAttributes, Invalid};
use abeyance_graph::raw::GraphExt;
use abeyance_graph::{Expr, Graph};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::size::Size;
use crate::layout::{HWIO_TO_OIHW, NCHW_TO_NHWC, NHWC_TO_NCHW, OIHW_TO_HWIO};
use crate::tensor;

/// A value that is known when the model is imported, in whole or in part.
#[derive(Clone, Debug)]
pub(crate) enum StaticValue {
    /// An array that is known in whole.
    Array(Arc<Array>),
    /// A vector of sizes or a single one, some of which may be open.
    Sizes {
        /// The numbers.
        sizes: Vec<Size>,
        /// True if it has no dimensions.
        is_scalar: bool,
        /// The type of its elements, `i32` or `i64`.
        dtype: DType,
    },
}

impl StaticValue {
    /// Its elements, if they are integers.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match self {
            StaticValue::Array(array) => tensor::integers(array),
            StaticValue::Sizes { sizes, .. } => sizes
                .iter()
                .map(|size| match size {
                    Size::Number(number) => Some(*number),
                    _ => None,
                })
                .collect(),
        }
    }

    /// Its elements as sizes, if it is a vector or a single number of integers.
    pub fn sizes(&self) -> Option<Vec<Size>> {
        match self {
            StaticValue::Array(array) if array.dims.len() <= 1 => {
                let integers = tensor::integers(array)?;
                Some(integers.into_iter().map(Size::Number).collect())
            }
            StaticValue::Array(_) => None,
            StaticValue::Sizes { sizes, .. } => Some(sizes.clone()),
        }
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        match self {
            StaticValue::Array(array) => array.dtype,
            StaticValue::Sizes { dtype, .. } => *dtype,
        }
    }

    /// True if it has no dimensions.
    pub fn is_scalar(&self) -> bool {
        match self {
            StaticValue::Array(array) => array.dims.is_empty(),
            StaticValue::Sizes { is_scalar, .. } => *is_scalar,
        }
    }

    /// The whole, if all of it is known.
    pub fn array(&self) -> Option<Arc<Array>> {
        match self {
            StaticValue::Array(array) => Some(array.clone()),
            StaticValue::Sizes { sizes, is_scalar, dtype } => {
                let integers = self.integers()?;
                let dims = [sizes.len()];
                let dims: &[usize] = if *is_scalar { &[] } else { &dims };
                let array = match dtype {
                    DType::I32 => {
                        let narrow: Vec<i32> = integers.iter().map(|&size| size as i32).collect();
                        Array::new(DType::I32, dims, &narrow)
                    }
                    _ => Array::new(DType::I64, dims, &integers),
                };
                Some(Arc::new(array))
            }
        }
    }
}

/// A value of the model: nodes of the graph that hold it, as far as they were needed, and its
/// elements, as far as they are known.
///
/// ONNX's images are NCHW, those here NHWC. A value of four dimensions may exist in either order or
/// in both, so that transposes stand only where one is asked for in the order that it does not have
/// yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Value<'g> {
    /// The value, as far as it is known.
    pub known: Option<StaticValue>,
    /// The node that holds it with its dimensions as in the model.
    plain: Cell<Option<Expr<'g>>>,
    /// The node that holds it as NHWC.
    images: Cell<Option<Expr<'g>>>,
    /// The node that holds it as HWIO.
    filter: Cell<Option<Expr<'g>>>,
}

impl<'g> Value<'g> {
    /// A value that a node holds as the model says.
    pub fn plain(tensor: Expr<'g>) -> Self {
        Self { plain: Cell::new(Some(tensor)), ..Self::default() }
    }

    /// Images that a node holds in the order of dimensions used here.
    pub fn images(tensor: Expr<'g>) -> Self {
        Self { images: Cell::new(Some(tensor)), ..Self::default() }
    }

    /// A value that a node holds as [`Value::images`] if it is, else as [`Value::plain`].
    pub fn of(tensor: Expr<'g>, is_images: bool) -> Self {
        if is_images { Self::images(tensor) } else { Self::plain(tensor) }
    }

    /// A filter that a node holds in the order of dimensions used here.
    pub fn filter(tensor: Expr<'g>) -> Self {
        Self { filter: Cell::new(Some(tensor)), ..Self::default() }
    }

    /// A value that is known.
    pub fn known(known: StaticValue) -> Self {
        Self { known: Some(known), ..Self::default() }
    }

    /// A value that is known whole.
    pub fn array(array: Array) -> Self {
        Self::known(StaticValue::Array(Arc::new(array)))
    }

    /// True if it exists as images here and not as the model says.
    pub fn is_images(&self) -> bool {
        self.images.get().is_some() && self.plain.get().is_none()
    }

    /// The node that holds it, in whatever order of dimensions.
    pub fn any(&self, graph: &'g Graph) -> Expr<'g> {
        if self.is_images() { self.as_images(graph) } else { self.as_plain(graph) }
    }

    /// A node that holds it, if there is one.
    pub fn existing_node(&self) -> Option<Expr<'g>> {
        [&self.plain, &self.images, &self.filter].into_iter().find_map(Cell::get)
    }

    /// The number of its dimensions.
    pub fn rank(&self, graph: &'g Graph) -> usize {
        match (&self.known, self.is_images() || self.filter.get().is_some()) {
            (Some(StaticValue::Array(array)), _) => array.dims.len(),
            (_, true) => 4,
            _ => self.as_plain(graph).rank(),
        }
    }

    /// The node that holds it as the model says.
    pub fn as_plain(&self, graph: &'g Graph) -> Expr<'g> {
        if let Some(tensor) = self.plain.get() {
            return tensor;
        }
        let tensor = match (self.images.get(), self.filter.get()) {
            (Some(images), _) => images.transpose_to(&NHWC_TO_NCHW),
            (None, Some(filter)) => filter.transpose_to(&HWIO_TO_OIHW),
            (None, None) => self.materialized(graph),
        };
        self.plain.set(Some(tensor));
        tensor
    }

    /// The node that holds images in the order used here. The value must have four dimensions.
    pub fn as_images(&self, graph: &'g Graph) -> Expr<'g> {
        if let Some(tensor) = self.images.get() {
            return tensor;
        }
        let tensor = self.as_plain(graph).transpose_to(&NCHW_TO_NHWC);
        self.images.set(Some(tensor));
        tensor
    }

    /// The node that holds a filter in the order used here. The value must have four dimensions.
    pub fn as_filter(&self, graph: &'g Graph) -> Expr<'g> {
        if let Some(tensor) = self.filter.get() {
            return tensor;
        }
        let tensor = self.as_plain(graph).transpose_to(&OIHW_TO_HWIO);
        self.filter.set(Some(tensor));
        tensor
    }

    /// Appends a node for a value that no node holds yet.
    fn materialized(&self, graph: &'g Graph) -> Expr<'g> {
        let known = self.known.as_ref();
        if let Some(value) = known.and_then(StaticValue::array) {
            return graph.apply(&Constant, &[], ConstantAttributes { value }).expr();
        }
        let dims: Option<Vec<Dim>> = match known {
            Some(StaticValue::Sizes { sizes, .. }) => sizes
                .iter()
                .map(|size| match size {
                    Size::Number(number) => usize::try_from(*number).ok().map(Dim::Known),
                    Size::Dim(dim) => Some(*dim),
                    Size::Open => None,
                })
                .collect(),
            _ => None,
        };
        let Some(dims) = dims else {
            return graph.apply(&Invalid, &[], ()).expr();
        };
        let (is_scalar, dtype) = known.map_or((false, DType::I64), |k| (k.is_scalar(), k.dtype()));
        let vector = graph.apply(&ShapeOf, &[], ShapeOfAttributes { of: dims.into() }).expr();
        let vector = converted(vector, dtype);
        if is_scalar { vector.reshape(Shape::new()) } else { vector }
    }
}

/// Casts a node; gives the node itself if its elements are of that type already.
pub(crate) fn converted(x: Expr<'_>, to: DType) -> Expr<'_> {
    if x.dtype() == Some(to) { x } else { x.cast(to) }
}
