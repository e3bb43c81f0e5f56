//! Shapes as a user writes them.

use abeyance_ir::{Dim, Naming, Shape, Symbols};
use smallvec::SmallVec;

/// One dimension as written in [`dims!`](crate::dims).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// `_`: settled when something is fed; in `reshape`, worked out from the rest.
    Unknown,
    /// A number.
    Known(usize),
    /// `"T"`: not known yet; the same name is the same size throughout the graph.
    Named(String),
    /// A dimension of another tensor, from [`Tensor::shape`](crate::Tensor::shape).
    Of(Dim),
}

impl From<usize> for Dimension {
    fn from(size: usize) -> Self {
        Dimension::Known(size)
    }
}

impl From<&str> for Dimension {
    fn from(name: &str) -> Self {
        Dimension::Named(name.to_owned())
    }
}

impl From<Dim> for Dimension {
    fn from(dim: Dim) -> Self {
        Dimension::Of(dim)
    }
}

/// A shape as a user writes it: `dims![_, 28, 28, 1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dimensions(pub SmallVec<[Dimension; 4]>);

impl Dimensions {
    /// The shape, with new symbols where nothing is known.
    pub(crate) fn resolve(&self, symbols: &mut Symbols) -> Shape {
        self.0
            .iter()
            .map(|dimension| match dimension {
                Dimension::Unknown => Dim::Symbol(symbols.fresh(Naming::Fed)),
                Dimension::Known(size) => Dim::Known(*size),
                Dimension::Named(name) => Dim::Symbol(symbols.declared(name)),
                Dimension::Of(dim) => symbols.resolve(*dim),
            })
            .collect()
    }
}

impl<const N: usize> From<[usize; N]> for Dimensions {
    fn from(sizes: [usize; N]) -> Self {
        sizes.into_iter().collect()
    }
}

impl From<&[usize]> for Dimensions {
    fn from(sizes: &[usize]) -> Self {
        sizes.iter().copied().collect()
    }
}

impl From<Vec<usize>> for Dimensions {
    fn from(sizes: Vec<usize>) -> Self {
        sizes.into_iter().collect()
    }
}

impl From<Shape> for Dimensions {
    fn from(shape: Shape) -> Self {
        shape.into_iter().collect()
    }
}

impl<D: Into<Dimension>> FromIterator<D> for Dimensions {
    fn from_iter<I: IntoIterator<Item = D>>(iter: I) -> Self {
        Dimensions(iter.into_iter().map(Into::into).collect())
    }
}

/// A shape: numbers, `_` for what is not known yet, `"T"` for unknown sizes that are equal wherever
/// that name stands.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
/// let words = g.placeholder::<i64>("words", dims!["batch", "time"]);
/// let scalar = g.placeholder::<f32>("scalar", dims![]);
/// # let _ = (x, words, scalar);
/// ```
#[macro_export]
macro_rules! dims {
    (@ [$($done:expr,)*]) => { $crate::Dimensions(<_>::from_iter([$($done),*] as [$crate::Dimension; _])) };
    (@ [$($done:expr,)*] _ $(, $($rest:tt)*)?) => {
        $crate::dims!(@ [$($done,)* $crate::Dimension::Unknown,] $($($rest)*)?)
    };
    (@ [$($done:expr,)*] $dim:expr $(, $($rest:tt)*)?) => {
        $crate::dims!(@ [$($done,)* $crate::Dimension::from($dim),] $($($rest)*)?)
    };
    ($($rest:tt)*) => { $crate::dims!(@ [] $($rest)*) };
}
