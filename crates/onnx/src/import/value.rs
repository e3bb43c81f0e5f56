//! What a name of the model stands for while it is imported.

use std::cell::Cell;
use std::sync::Arc;

use abeyance_graph::ops::sequence::{ShapeOf, ShapeOfAttributes};
use abeyance_graph::ops::source::{Constant, ConstantAttributes, Invalid};
use abeyance_graph::raw::GraphExt;
use abeyance_graph::{Expr, Graph};
use abeyance_ir::{Array, DType, Dim, Shape};

use super::ops::pointwise::converted;
use crate::tensor;

/// An integer that is known when the model is imported, as far as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    /// A number.
    Number(i64),
    /// An unknown dimension.
    Dim(Dim),
    /// Something that follows from unknown dimensions.
    Open,
}

impl From<Dim> for Size {
    fn from(dim: Dim) -> Self {
        match dim {
            Dim::Known(size) => i64::try_from(size).map_or(Size::Open, Size::Number),
            Dim::Symbol(_) => Size::Dim(dim),
        }
    }
}

/// What is known of a value when the model is imported.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// All of it.
    Array(Arc<Array>),
    /// The sizes that it consists of: a vector, or a single number.
    Sizes {
        /// The numbers.
        sizes: Vec<Size>,
        /// True if it has no dimensions.
        is_scalar: bool,
        /// The type of its elements, `i32` or `i64`.
        dtype: DType,
    },
}

impl Known {
    /// Its elements, if they are integers.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match self {
            Known::Array(array) => tensor::integers(array),
            Known::Sizes { sizes, .. } => sizes
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
            Known::Array(array) if array.dims.len() <= 1 => {
                let integers = tensor::integers(array)?;
                Some(integers.into_iter().map(Size::Number).collect())
            }
            Known::Array(_) => None,
            Known::Sizes { sizes, .. } => Some(sizes.clone()),
        }
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        match self {
            Known::Array(array) => array.dtype,
            Known::Sizes { dtype, .. } => *dtype,
        }
    }

    /// True if it has no dimensions.
    pub fn is_scalar(&self) -> bool {
        match self {
            Known::Array(array) => array.dims.is_empty(),
            Known::Sizes { is_scalar, .. } => *is_scalar,
        }
    }

    /// The whole, if all of it is known.
    pub fn array(&self) -> Option<Arc<Array>> {
        match self {
            Known::Array(array) => Some(array.clone()),
            Known::Sizes { sizes, is_scalar, dtype } => {
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

/// A value of the model: nodes of the graph that hold it, as far as they were needed, and what is
/// known of it.
///
/// ONNX's images are `[N, C, H, W]`, those here `[N, H, W, C]`. A value of four dimensions may
/// exist in either order or in both, so that transposes stand only where one is asked for in the
/// order that it does not have yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Value<'g> {
    /// What is known of it.
    pub known: Option<Known>,
    /// With its dimensions as in the model.
    plain: Cell<Option<Expr<'g>>>,
    /// With the second of its four dimensions last.
    images: Cell<Option<Expr<'g>>>,
    /// With its dimensions in the order of a filter here: `[F, C, h, w]` as `[h, w, C, F]`.
    filter: Cell<Option<Expr<'g>>>,
}

/// The order of images' dimensions here, by their places in ONNX.
pub(crate) const TO_IMAGES: [usize; 4] = [0, 2, 3, 1];
/// The order of images' dimensions in ONNX, by their places here.
pub(crate) const FROM_IMAGES: [usize; 4] = [0, 3, 1, 2];
/// The order of a filter's dimensions here, by their places in ONNX.
pub(crate) const TO_FILTER: [usize; 4] = [2, 3, 1, 0];
/// The order of a filter's dimensions in ONNX, by their places here.
pub(crate) const FROM_FILTER: [usize; 4] = [3, 2, 0, 1];

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
    pub fn known(known: Known) -> Self {
        Self { known: Some(known), ..Self::default() }
    }

    /// A value that is known whole.
    pub fn array(array: Array) -> Self {
        Self::known(Known::Array(Arc::new(array)))
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
    pub fn held(&self) -> Option<Expr<'g>> {
        [&self.plain, &self.images, &self.filter].into_iter().find_map(Cell::get)
    }

    /// The number of its dimensions.
    pub fn rank(&self, graph: &'g Graph) -> usize {
        match (&self.known, self.is_images() || self.filter.get().is_some()) {
            (Some(Known::Array(array)), _) => array.dims.len(),
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
            (Some(images), _) => images.transpose_to(&FROM_IMAGES),
            (None, Some(filter)) => filter.transpose_to(&FROM_FILTER),
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
        let tensor = self.as_plain(graph).transpose_to(&TO_IMAGES);
        self.images.set(Some(tensor));
        tensor
    }

    /// The node that holds a filter in the order used here. The value must have four dimensions.
    pub fn as_filter(&self, graph: &'g Graph) -> Expr<'g> {
        if let Some(tensor) = self.filter.get() {
            return tensor;
        }
        let tensor = self.as_plain(graph).transpose_to(&TO_FILTER);
        self.filter.set(Some(tensor));
        tensor
    }

    /// The node of a value of which there is only knowledge so far.
    fn materialized(&self, graph: &'g Graph) -> Expr<'g> {
        let known = self.known.as_ref();
        if let Some(value) = known.and_then(Known::array) {
            return graph.apply(&Constant, &[], ConstantAttributes { value }).expr();
        }
        let dims: Option<Vec<Dim>> = match known {
            Some(Known::Sizes { sizes, .. }) => sizes
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
