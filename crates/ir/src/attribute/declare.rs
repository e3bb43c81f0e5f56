//! Attributes as structs: the one file that knows the index of each value.

use std::sync::Arc;

use super::{Array, Attribute, AttributeKind, AttributeSpec, Attributes, Initializer, Integers};
use crate::{Body, DType, Dim, Shape};

/// The attributes of an operator as a struct. Declare one with [`attributes!`](crate::attributes).
pub trait AttributeSet: Sized {
    /// Names, kinds and defaults, for the operator's [`Signature`](crate::Signature).
    const SPECS: &'static [AttributeSpec];

    /// Takes the fields, in order.
    fn read(reader: &mut AttributeReader<'_>) -> Self;

    /// Adds the fields to a list, in order.
    fn write(self, values: &mut Vec<Attribute>);
}

/// A type that a field of an [`AttributeSet`] can have.
pub trait AttributeValue: Sized {
    /// The kind that stands for it in texts and files.
    const KIND: AttributeKind;

    /// The value, if it is of that kind.
    fn from_attribute(attribute: &Attribute) -> Option<Self>;

    /// The value for a text or a file.
    fn into_attribute(self) -> Attribute;

    /// The value in place of a missing attribute, which [`AttributeReader`] says never to happen.
    fn missing() -> Self;
}

macro_rules! value {
    ($($type:ty, $kind:ident, $missing:expr;)*) => {$(
        impl AttributeValue for $type {
            const KIND: AttributeKind = AttributeKind::$kind;

            fn from_attribute(attribute: &Attribute) -> Option<Self> {
                match attribute {
                    Attribute::$kind(value) => Some(value.clone()),
                    _ => None,
                }
            }

            fn into_attribute(self) -> Attribute {
                Attribute::$kind(self)
            }

            fn missing() -> Self {
                $missing
            }
        }
    )*};
}
value! {
    bool, Flag, false;
    i64, Integer, 0;
    f64, Real, 0.0;
    Arc<str>, Text, "".into();
    DType, DType, DType::F32;
    Shape, Shape, Shape::new();
    Integers, Integers, Integers::new();
    Arc<Array>, Array, Arc::new(Array::scalar(DType::F32, 0.0));
    Initializer, Initializer, Initializer::Zeros;
    Arc<Body>, Body, Arc::new(Body::new(crate::Graph::new("missing"), Vec::new()));
}

/// Gives the fields of an [`AttributeSet`] one after the other. The graph has checked number and
/// kinds against the operator's signature when the node was appended, so every field is there;
/// reading another operator's attributes is a mistake of the program, which a debug build reports
/// by a panic.
pub struct AttributeReader<'a> {
    values: &'a [Box<Attribute>],
    /// Replaces dimensions of shapes by what is known of them.
    resolve: Option<&'a dyn Fn(Dim) -> Dim>,
}

impl AttributeReader<'_> {
    /// The next field.
    pub fn take<T: AttributeValue>(&mut self) -> T {
        let first = self.values.split_first().map(|(first, rest)| {
            self.values = rest;
            &**first
        });
        let value = match (first, self.resolve) {
            (Some(Attribute::Shape(shape)), Some(resolve)) => {
                let shape = shape.iter().map(|&dim| resolve(dim)).collect();
                T::from_attribute(&Attribute::Shape(shape))
            }
            (Some(attribute), _) => T::from_attribute(attribute),
            (None, _) => None,
        };
        debug_assert!(value.is_some(), "attributes of another operator: no {:?} here", T::KIND);
        value.unwrap_or_else(T::missing)
    }
}

impl Attributes {
    /// The attributes as the struct that their operator declares.
    pub fn read<A: AttributeSet>(&self) -> A {
        self.read_with(None)
    }

    /// The attributes as a struct, in which the dimensions of shapes are replaced.
    pub(crate) fn read_resolved<A: AttributeSet>(&self, resolve: &dyn Fn(Dim) -> Dim) -> A {
        self.read_with(Some(resolve))
    }

    fn read_with<'a, A: AttributeSet>(&'a self, resolve: Option<&'a dyn Fn(Dim) -> Dim>) -> A {
        debug_assert_eq!(self.0.len(), A::SPECS.len(), "attributes of another operator");
        A::read(&mut AttributeReader { values: &self.0, resolve })
    }
}

impl<A: AttributeSet> From<A> for Attributes {
    fn from(set: A) -> Self {
        let mut values = Vec::with_capacity(A::SPECS.len());
        set.write(&mut values);
        Attributes::of(values)
    }
}

impl AttributeSet for () {
    const SPECS: &'static [AttributeSpec] = &[];

    fn read(_: &mut AttributeReader<'_>) -> Self {}

    fn write(self, _: &mut Vec<Attribute>) {}
}

/// Joins specifications, for a set that contains another one.
#[doc(hidden)]
pub const fn concat<const N: usize>(lists: &[&[AttributeSpec]]) -> [AttributeSpec; N] {
    const NONE: AttributeSpec =
        AttributeSpec { name: "", kind: AttributeKind::Flag, default: None, summary: "" };
    let mut all = [NONE; N];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            all[at] = lists[list][index];
            (at, index) = (at + 1, index + 1);
        }
        list += 1;
    }
    all
}

/// The name of a field, without what lets it be a word of the language: `else` of `r#else`.
#[doc(hidden)]
pub const fn field_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Declares the attributes of an operator: a struct with public fields, which are read, written,
/// printed and saved under their names and in their order. `..name: Type` includes the fields of
/// another set, before or behind the set's own.
///
/// | type of a field | in a text |
/// | --- | --- |
/// | `bool` | `true` |
/// | `i64` | `-1` |
/// | `f64` | `0.5` |
/// | `Text`, an `Arc<str>` | `"layer 1"` |
/// | `DType` | `f32` |
/// | `Shape` | `[N, 784]` |
/// | `Integers`, a `SmallVec<[i64; 4]>` | `[0, -1]` |
/// | `ArrayRef`, an `Arc<Array>` | `[[1.0, 2.0], [3.0, 4.0]]` |
/// | `Initializer` | `zeros` |
/// | `BodyRef`, an `Arc<Body>` | a block before the node's line |
///
/// A field of one of the first four types or of `Integers` may have a default; a value that is the
/// default is not printed. A field named like a word of the language is written `r#else`; texts and
/// files say `else`.
///
/// ```
/// use abeyance_ir::{AttributeSet, Attributes, Integers, attributes};
///
/// attributes! {
///     /// How a window moves.
///     pub struct WindowAttributes {
///         /// Its height and width.
///         window: Integers,
///         /// Elements from one position to the next.
///         strides: Integers = [1, 1],
///         /// True if zeros are put around the images.
///         same: bool = false,
///     }
/// }
///
/// let (window, strides) = (Integers::from_slice(&[2, 2]), Integers::from_slice(&[1, 1]));
/// let attributes: Attributes = WindowAttributes { window, strides, same: true }.into();
/// let read: WindowAttributes = attributes.read();
/// assert_eq!((&read.window[..], read.same), (&[2, 2][..], true));
/// assert_eq!(WindowAttributes::SPECS[1].name, "strides");
/// ```
#[macro_export]
macro_rules! attributes {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            ..$first:ident: $First:ty,
            $($(#[doc = $doc:expr])* $field:ident: $type:ident $(= $default:tt)?,)*
            $(..$last:ident: $Last:ty $(,)?)?
        }
    ) => {
        $crate::attributes!(@set [$(#[$meta])* $visibility] $name [$first: $First] [
            $($(#[doc = $doc])* $field: $type $(= $default)?,)*
        ] [$($last: $Last)?]);
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[doc = $doc:expr])* $field:ident: $type:ident $(= $default:tt)?,)*
            $(..$last:ident: $Last:ty $(,)?)?
        }
    ) => {
        $crate::attributes!(@set [$(#[$meta])* $visibility] $name [] [
            $($(#[doc = $doc])* $field: $type $(= $default)?,)*
        ] [$($last: $Last)?]);
    };
    (
        @set [$(#[$meta:meta])* $visibility:vis] $name:ident
        [$($first:ident: $First:ty)?]
        [$($(#[doc = $doc:expr])* $field:ident: $type:ident $(= $default:tt)?,)*]
        [$($last:ident: $Last:ty)?]
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)]
        $visibility struct $name {
            $(pub $first: $First,)?
            $($(#[doc = $doc])* pub $field: $crate::attributes!(@type $type),)*
            $(pub $last: $Last,)?
        }

        impl $crate::AttributeSet for $name {
            const SPECS: &'static [$crate::AttributeSpec] = {
                const OWN: &[$crate::AttributeSpec] = &[$(
                    $crate::AttributeSpec {
                        name: $crate::field_name(stringify!($field)),
                        kind: <$crate::attributes!(@type $type) as $crate::AttributeValue>::KIND,
                        default: $crate::attributes!(@default $type $($default)?),
                        summary: concat!($($doc),*),
                    },
                )*];
                const PARTS: &[&[$crate::AttributeSpec]] = &[
                    $(<$First as $crate::AttributeSet>::SPECS,)?
                    OWN,
                    $(<$Last as $crate::AttributeSet>::SPECS,)?
                ];
                const COUNT: usize = 0
                    $(+ <$First as $crate::AttributeSet>::SPECS.len())?
                    + OWN.len()
                    $(+ <$Last as $crate::AttributeSet>::SPECS.len())?;
                const ALL: [$crate::AttributeSpec; COUNT] = $crate::concat_specs(PARTS);
                &ALL
            };

            #[allow(unused_variables)]
            fn read(reader: &mut $crate::AttributeReader<'_>) -> Self {
                Self {
                    $($first: $crate::AttributeSet::read(reader),)?
                    $($field: reader.take(),)*
                    $($last: $crate::AttributeSet::read(reader),)?
                }
            }

            #[allow(unused_variables)]
            fn write(self, values: &mut Vec<$crate::Attribute>) {
                $($crate::AttributeSet::write(self.$first, values);)?
                $(values.push($crate::AttributeValue::into_attribute(self.$field));)*
                $($crate::AttributeSet::write(self.$last, values);)?
            }
        }
    };
    (@type Text) => { ::std::sync::Arc<str> };
    (@type Integers) => { $crate::Integers };
    (@type ArrayRef) => { ::std::sync::Arc<$crate::Array> };
    (@type BodyRef) => { ::std::sync::Arc<$crate::Body> };
    (@type DType) => { $crate::DType };
    (@type Shape) => { $crate::Shape };
    (@type Initializer) => { $crate::Initializer };
    (@type $type:ident) => { $type };
    (@default $type:ident) => { None };
    (@default bool $default:tt) => { Some($crate::DefaultAttribute::Flag($default)) };
    (@default i64 $default:tt) => { Some($crate::DefaultAttribute::Integer($default)) };
    (@default f64 $default:tt) => { Some($crate::DefaultAttribute::Real($default)) };
    (@default Text $default:tt) => { Some($crate::DefaultAttribute::Text($default)) };
    (@default Integers $default:tt) => { Some($crate::DefaultAttribute::Integers(&$default)) };
}

#[cfg(test)]
#[allow(missing_docs)]
mod tests {
    use crate::{AttributeSet, Attributes, Integers};

    attributes! {
        /// Something.
        pub struct Plain {
            /// A number.
            x: i64 = 1,
        }
    }
    attributes! {
        /// Something more.
        pub struct Behind {
            ..plain: Plain,
            /// A flag
            /// of two lines.
            y: bool = false,
        }
    }
    attributes! {
        /// The most.
        pub struct Both {
            ..plain: Plain,
            /// A word of the language.
            r#else: bool = true,
            /// A list.
            list: Integers = [1, 1],
            ..behind: Behind,
        }
    }

    #[test]
    fn sets_within_sets_keep_their_order() {
        let names: Vec<_> = Both::SPECS.iter().map(|spec| spec.name).collect();
        assert_eq!(names, ["x", "else", "list", "x", "y"]);
        let list = Integers::from_slice(&[3, 4]);
        let behind = Behind { plain: Plain { x: 5 }, y: true };
        let both = Both { plain: Plain { x: 2 }, r#else: false, list, behind };
        assert_eq!(Attributes::from(both.clone()).read::<Both>(), both);
    }
}
