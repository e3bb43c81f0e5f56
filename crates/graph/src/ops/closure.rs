//! Operators made from Rust closures on arrays: TensorFlow's `py_func`.

use std::collections::BTreeSet;
use std::sync::Arc;

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Diagnostic, Differentiability, Dims,
    Fault, Inference, Lowered, Lowering, OperandSpec, Operator, OperatorRef, Sample, Signature,
    Type, attributes,
};
use abeyance_kernels::launch::{Cost, Failure, Inputs, Kernel};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use parking_lot::Mutex;

use crate::tensor_tuple::listed;
use crate::{Dimensions, Element, Graph, Scalar, Tensor, TensorTuple};

/// The element types of a closure's arguments: one, or a tuple.
pub trait Arrays: 'static {
    /// The arguments of the closure: `ArrayViewD`s. Those of `bool` hold bytes 0 or 1.
    type Views<'a>;

    #[doc(hidden)]
    fn dtypes(list: &mut Vec<DType>);

    #[doc(hidden)]
    fn views<'a>(given: &mut Given<'a, '_>) -> Result<Self::Views<'a>, Failure>;
}

/// Arguments on their way into views.
#[doc(hidden)]
pub struct Given<'a, 'd> {
    inputs: Inputs<'a>,
    dims: &'d [Dims],
    next: usize,
}

impl<T: Element> Arrays for T {
    type Views<'a> = ArrayViewD<'a, T::Stored>;

    fn dtypes(list: &mut Vec<DType>) {
        list.push(T::DTYPE);
    }

    fn views<'a>(given: &mut Given<'a, '_>) -> Result<Self::Views<'a>, Failure> {
        let place = given.next;
        given.next += 1;
        let dims = given.dims.get(place).map_or(&[][..], |dims| dims);
        ArrayViewD::from_shape(IxDyn(dims), given.inputs.get::<T::Stored>(place))
            .map_err(|error| Failure(format!("internal: {error}")))
    }
}

/// Handles of a closure's arguments: a [`Tensor`], a [`Scalar`], or a tuple of such.
pub trait Arguments<'g>: TensorTuple<'g> {
    /// Their element types.
    type Arrays: Arrays;
}

impl<'g, T: Element> Arguments<'g> for Tensor<'g, T> {
    type Arrays = T;
}

impl<'g, T: Element> Arguments<'g> for Scalar<'g, T> {
    type Arrays = T;
}

macro_rules! tuple {
    ($($name:ident),*) => {
        impl<$($name: Arrays),*> Arrays for ($($name,)*) {
            type Views<'a> = ($($name::Views<'a>,)*);

            #[allow(unused_variables)]
            fn dtypes(list: &mut Vec<DType>) {
                $($name::dtypes(list);)*
            }

            #[allow(unused_variables, clippy::unused_unit)]
            fn views<'a>(given: &mut Given<'a, '_>) -> Result<Self::Views<'a>, Failure> {
                Ok(($($name::views(given)?,)*))
            }
        }
        impl<'g, $($name: Arguments<'g>),*> Arguments<'g> for ($($name,)*) {
            type Arrays = ($($name::Arrays,)*);
        }
    };
}
tuple!();
tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);
tuple!(A, B, C, D, E, F, G);
tuple!(A, B, C, D, E, F, G, H);

type Run = dyn Fn(Inputs<'_>, &[Dims], &[usize], &mut [u8]) -> Result<(), Failure> + Send + Sync;

attributes! {
    /// The result of a closure.
    pub struct ClosureAttributes {
        /// Element type of the result.
        dtype: DType,
        /// Shape of the result.
        shape: Shape,
    }
}

/// An operator that calls a closure.
struct Closure {
    signature: Signature,
    dtypes: Vec<DType>,
    result: DType,
    run: Arc<Run>,
}

/// An operator that calls a closure, under the name `closure/NAME`: what [`Graph::from_fn`] makes.
/// Registered with the registry that a text is read with ([`Graph::parse_with_operators`]), it
/// stands for the closure that the text cannot hold.
///
/// ```
/// use abeyance_graph::{ops::closure::closure, dims, Graph};
/// use abeyance_ir::Registry;
/// use ndarray::{ArrayD, ArrayViewD};
///
/// fn double(x: ArrayViewD<f32>) -> Result<ArrayD<f32>, String> {
///     Ok(&x * 2.0)
/// }
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![3]);
/// g.from_fn("double", x, dims![3], double);
///
/// let mut registry = Registry::default();
/// registry.register(closure::<f32, f32, _>("double", double));
/// assert!(Graph::parse_with_operators(&g.to_text(), &registry).is_ok());
/// assert!(Graph::parse(&g.to_text()).is_err());
/// ```
pub fn closure<A, T, F>(name: &str, function: F) -> OperatorRef
where
    A: Arrays,
    T: Element,
    F: for<'a> Fn(A::Views<'a>) -> Result<ArrayD<T>, String> + Send + Sync + 'static,
{
    const OPERANDS: &[OperandSpec] = &[OperandSpec::apart("arguments", DTypes::ANY)];
    let mut dtypes = Vec::new();
    A::dtypes(&mut dtypes);
    let run = move |inputs: Inputs<'_>, dims: &[Dims], result: &[usize], out: &mut [u8]| {
        let mut given = Given { inputs, dims, next: 0 };
        let array = function(A::views(&mut given)?).map_err(Failure)?;
        if array.shape() != result {
            return Err(Failure(format!(
                "gave an array of shape {:?}, where its result has {result:?}",
                array.shape()
            )));
        }
        let out: &mut [T::Stored] = bytemuck::cast_slice_mut(out);
        for (out, element) in out.iter_mut().zip(&array) {
            *out = element.store();
        }
        Ok(())
    };
    let signature = Signature::new(lasting(name), "calls a Rust closure", OPERANDS);
    OperatorRef::Shared(Arc::new(Closure {
        signature: signature
            .attributes(ClosureAttributes::SPECS)
            .differentiability(Differentiability::Missing)
            .variadic(),
        dtypes,
        result: T::DTYPE,
        run: Arc::new(run),
    }))
}

/// The operator's name for as long as the program lasts: as many are kept as there are names.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let name = format!("closure/{name}");
    let mut names = NAMES.lock();
    if let Some(&known) = names.get(&*name) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

impl Operator for Closure {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let given: Vec<DType> = (0..cx.operands()).map(|place| cx.dtype(place)).collect();
        let ClosureAttributes { dtype, shape } = cx.attributes();
        if given != self.dtypes || dtype != self.result {
            let list = |dtypes: &[DType]| {
                let names: Vec<&str> = dtypes.iter().map(|dtype| dtype.name()).collect();
                names.join(", ")
            };
            return Err(Fault::new(format!(
                "the closure makes {} of ({}), not {} of ({})",
                self.result,
                list(&self.dtypes),
                dtype,
                list(&given)
            )));
        }
        cx.tensor(self.result, shape)
    }

    fn gradient(&self, _: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Err(Fault::new("a closure has no gradient")
            .help("give it one: `g.custom_gradient(xs, |xs| g.from_fn(..), |xs, y, dy| ..)`"))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let run = self.run.clone();
        let dims: Vec<Dims> = cx.operands.iter().map(|operand| operand.dims.into()).collect();
        let result = Dims::from_slice(cx.result.dims);
        // What it costs is not known; a guess that makes it worth a thread of its own.
        let cost = Cost { flops: 1e5, bytes: super::traffic(cx) };
        Ok(Kernel::single(dims.len(), cx.result.bytes(), cost, move |call| {
            let (inputs, out) = call.inputs_and_output::<u8>();
            run(inputs, &dims, &result, out)
        })
        .into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl Graph {
    /// A tensor that a Rust closure computes when the graph runs: TensorFlow's `tf.py_func`. The
    /// closure is given views of the arguments, and gives an array of this shape or says what is
    /// wrong, which ends the run. `name` is for printouts and messages.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let sorted = g.from_fn("sort", x, x.shape(), |x| {
    ///     let mut x = x.to_owned();
    ///     x.as_slice_mut().ok_or("not in one piece")?.sort_by(f32::total_cmp);
    ///     Ok(x)
    /// });
    /// assert_eq!(sorted.to_string(), "sort : f32[N]");
    /// ```
    ///
    /// The same arguments should give the same result: how often it is called is the engine's
    /// affair, and it is not called for a result without elements. It has no gradient; wrap it in
    /// [`Graph::custom_gradient`] to give it one. A graph with closures prints, but to be read back
    /// they have to be registered: see [`closure`](crate::ops::closure::closure()).
    #[track_caller]
    pub fn from_fn<'g, A, T, F>(
        &'g self,
        name: &str,
        arguments: A,
        shape: impl Into<Dimensions>,
        function: F,
    ) -> Tensor<'g, T>
    where
        A: Arguments<'g>,
        T: Element,
        F: for<'a> Fn(<A::Arrays as Arrays>::Views<'a>) -> Result<ArrayD<T>, String>
            + Send
            + Sync
            + 'static,
    {
        let _call = self.call("from_fn");
        let list = listed(arguments);
        let home = self.innermost(&list);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            let message = format!("{name:?} is not a name for a closure");
            let diagnostic =
                Diagnostic::new(message, home.here()).help("names are letters, digits and `_`");
            let id = home.reject(diagnostic);
            return home.handle(id);
        }
        let operands = home.import_all(&list);
        let operator = closure::<A::Arrays, T, F>(name, function);
        home.with_shape("a closure's result", shape, |graph, shape| {
            let attributes = ClosureAttributes { dtype: T::DTYPE, shape };
            graph.add_like(name, operator, &operands, attributes)
        })
    }
}
