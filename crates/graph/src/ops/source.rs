//! Where values come from: placeholders, constants, variables, and tensors of one value.

use std::sync::Arc;

use abeyance_ir::{
    Array, AttributeSet, Attributes, Cotangents, DType, DTypes, Derivation, Diagnostic,
    Differentiability, Effect, Fault, Fusibility, Inference, Initializer, Lowered, Lowering,
    OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, element_count,
    known_dims,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{elementwise, elementwise_chunk};
use ndarray::{ArrayBase, Data, Dimension as NdDimension};

use super::random::Distribution;
use super::with_type;
use crate::init::{First, array_value};
use crate::{
    AnyTensor, Dimensions, Element, Expr, Graph, Init, Number, Operand, Rule, Scalar, Tensor,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&Placeholder, &PlaceholderWithDefault, &Constant, &Variable, &Fill, &Size, &Invalid];

const NOTHING_TO_DIFFERENTIATE: Differentiability =
    Differentiability::None("does not depend on other nodes");

abeyance_ir::attributes! {
    /// Of what kind is fed.
    pub struct PlaceholderAttributes {
        /// Element type of what is fed.
        dtype: DType,
        /// Shape of what is fed.
        shape: Shape,
    }
}

/// A value that is fed.
pub struct Placeholder;

impl Operator for Placeholder {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("placeholder", "a value that is fed at each run", &[])
                .attributes(PlaceholderAttributes::SPECS)
                .effect(Effect::Feed)
                .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let PlaceholderAttributes { dtype, shape } = cx.attributes();
        cx.tensor(dtype, shape)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("a placeholder has no value of its own"))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// A value that may be fed.
pub struct PlaceholderWithDefault;

impl Operator for PlaceholderWithDefault {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("default", DTypes::ANY)];
        const {
            &Signature::new(
                "placeholder_with_default",
                "a value that may be fed, and else is the operand's",
                OPERANDS,
            )
            .effect(Effect::Feed)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent()))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn samples(&self) -> Vec<Sample> {
        super::unary::shapes(abeyance_ir::Domain::Between(-2.0, 2.0))
    }
}

abeyance_ir::attributes! {
    /// A value that is part of the graph.
    pub struct ConstantAttributes {
        /// The value.
        value: ArrayRef,
    }
}

/// A value that is part of the graph.
pub struct Constant;

impl Operator for Constant {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("constant", "a value that is part of the graph", &[])
                .attributes(ConstantAttributes::SPECS)
                .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ConstantAttributes { value } = cx.attributes();
        check_array(&value)?;
        let shape = value.dims.iter().map(|&dim| dim.into()).collect();
        cx.tensor(value.dtype, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let ConstantAttributes { value } = cx.attributes();
        Ok(Lowered::Constant(value.bytes.clone()))
    }

    fn samples(&self) -> Vec<Sample> {
        let value = Array::new(DType::F64, &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        vec![Sample::new(ConstantAttributes { value: Arc::new(value) })]
    }
}

fn check_array(value: &Array) -> Result<(), Fault> {
    let bytes = element_count(&value.dims).and_then(|count| count.checked_mul(value.dtype.size()));
    if bytes == Some(value.bytes.len()) {
        Ok(())
    } else {
        Err(Fault::new(format!(
            "{} bytes are not an array of {} with sizes {:?}",
            value.bytes.len(),
            value.dtype,
            value.dims
        )))
    }
}

abeyance_ir::attributes! {
    /// The contents of a variable and how it starts.
    pub struct VariableAttributes {
        /// How the first value is made.
        initial: Initializer,
        /// Element type of its value.
        dtype: DType,
        /// Shape of its value, known in full.
        shape: Shape,
        /// True if optimizers change it.
        trainable: bool = true,
    }
}

/// A value that runs change.
pub struct Variable;

impl Operator for Variable {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "variable",
                "a value that lasts from run to run and that writes change",
                &[],
            )
            .attributes(VariableAttributes::SPECS)
            .effect(Effect::Read)
            .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let VariableAttributes { initial, dtype, shape, trainable: _ } = cx.attributes();
        let Some(dims) = known_dims(&shape) else {
            return Err(Fault::new(format!(
                "the shape {} is not known in full",
                cx.display(&shape)
            ))
            .help("a variable's first value is made before anything is fed: give every dimension a number"));
        };
        match initial {
            Initializer::Constant(value) => {
                check_array(&value)?;
                if value.dtype != dtype {
                    return Err(Fault::new(format!(
                        "the first value is {}, the variable {dtype}",
                        value.dtype
                    )));
                }
                if !value.dims.is_empty() && value.dims != dims {
                    return Err(Fault::new(format!(
                        "the first value has sizes {:?}, the variable {dims:?}",
                        value.dims
                    )));
                }
            }
            Initializer::Zeros => {}
            Initializer::Ones if dtype != DType::Bool => {}
            Initializer::Uniform { low, high } if dtype.is_float() => {
                Distribution::Uniform.check(dtype, low, high)?;
            }
            Initializer::Normal { mean, stddev } if dtype.is_float() => {
                Distribution::Normal.check(dtype, mean, stddev)?;
            }
            Initializer::TruncatedNormal { mean, stddev } if dtype.is_float() => {
                Distribution::TruncatedNormal.check(dtype, mean, stddev)?;
            }
            _ => {
                return Err(Fault::new(format!("this first value is not one for {dtype}")));
            }
        }
        cx.tensor(dtype, shape)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("a variable's value is the session's"))
    }

    fn samples(&self) -> Vec<Sample> {
        vec![Sample::new(VariableAttributes {
            initial: Initializer::Ones,
            dtype: DType::F64,
            shape: [3.into()].into_iter().collect(),
            trainable: true,
        })]
    }
}

abeyance_ir::attributes! {
    /// A value and where it stands.
    pub struct FillAttributes {
        /// The value of each element, a scalar.
        value: ArrayRef,
        /// Shape of the result.
        shape: Shape,
    }
}

/// A tensor of one value.
pub struct Fill;

impl Operator for Fill {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("fill", "one value everywhere", &[])
                .attributes(FillAttributes::SPECS)
                .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let FillAttributes { value, shape } = cx.attributes();
        if !value.dims.is_empty() {
            return Err(Fault::new("the value has to be a scalar"));
        }
        check_array(&value)?;
        cx.tensor(value.dtype, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let FillAttributes { value, shape: _ } = cx.attributes();
        let len = cx.result.len();
        if cx.result.bytes() <= 1024 {
            return Ok(Lowered::Constant(value.bytes.repeat(len)));
        }
        let cost = Cost { flops: 0.0, bytes: cx.result.bytes() as f64 };
        let kernel = with_type!(cx.result.dtype, T => {
            let value: T = value.elements::<T>()[0];
            let chunk = elementwise_chunk(len, size_of::<T>()) * size_of::<T>();
            Kernel::single(0, chunk, cost, move |call| {
                elementwise::fill(call.output::<T>(), value);
                Ok(())
            })
        });
        Ok(kernel.into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::AnyRange
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.filled()
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |dims: &[usize]| {
            let shape: Shape = dims.iter().map(|&dim| dim.into()).collect();
            let value = Arc::new(Array::scalar(DType::F64, 2.5));
            Sample::new(FillAttributes { value, shape })
        };
        vec![sample(&[]), sample(&[3]), sample(&[0, 2]), sample(&[300])]
    }
}

abeyance_ir::attributes! {
    /// Whose size is wanted, and as what.
    pub struct SizeAttributes {
        /// Type of the number.
        dtype: DType,
        /// Shape whose elements are counted.
        of: Shape,
    }
}

/// The number of elements of a shape, as a number of any type.
pub struct Size;

impl Operator for Size {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("size", "the product of some dimensions", &[])
                .attributes(SizeAttributes::SPECS)
                .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let SizeAttributes { dtype, of: _ } = cx.attributes();
        cx.tensor(dtype, Shape::new())
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let SizeAttributes { dtype: _, of } = cx.attributes();
        let Some(dims) = known_dims(&of) else {
            return Err(Fault::new("the size of a dimension is not known"));
        };
        let count = element_count(&dims).ok_or_else(|| Fault::new("the product is beyond 2^63"))?;
        Ok(Lowered::Constant(Array::scalar(cx.result.dtype, count as f64).bytes))
    }

    fn samples(&self) -> Vec<Sample> {
        let of: Shape = [3.into(), 5.into()].into_iter().collect();
        vec![Sample::new(SizeAttributes { dtype: DType::F64, of })]
    }
}

/// Stands in where a program is wrong.
pub struct Invalid;

impl Operator for Invalid {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("invalid", "stands in where a program is wrong", &[])
                .differentiability(NOTHING_TO_DIFFERENTIATE)
        }
    }

    fn infer(&self, _: &mut Inference<'_>) -> Result<Type, Fault> {
        Ok(Type::Invalid)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("stands in where a program is wrong"))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl<'g> Expr<'g> {
    /// An invalid node, for what follows from a mistake that was reported.
    pub fn invalid(self) -> Self {
        self.apply_to(&Invalid, &[], ())
    }

    /// A constant in this expression's graph.
    pub fn constant(self, value: Array) -> Self {
        self.apply_to(&Constant, &[], ConstantAttributes { value: Arc::new(value) })
    }

    /// An array of one value, a scalar, in this expression's graph.
    pub fn fill(self, value: Array, shape: Shape) -> Self {
        self.apply_to(&Fill, &[], FillAttributes { value: Arc::new(value), shape })
    }

    /// An array of one value in this one's shape and element type, which is not computed for it.
    pub fn fill_like(self, value: f64) -> Self {
        match self.dtype() {
            Some(dtype) => self.fill(Array::scalar(dtype, value), self.shape()),
            None => self.invalid(),
        }
    }

    /// The number of elements of a shape of this expression's graph.
    pub fn size(self, dtype: DType, of: Shape) -> Self {
        self.apply_to(&Size, &[], SizeAttributes { dtype, of })
    }
}

impl Graph {
    /// A value that has to be fed at each run. Sizes written `_` are settled by what is fed, each
    /// for itself, until the tensor meets others: then those that must be equal are one.
    #[track_caller]
    pub fn placeholder<T: Element>(
        &self,
        name: &str,
        shape: impl Into<Dimensions>,
    ) -> Tensor<'_, T> {
        let _call = self.call("placeholder");
        self.placeholder_of(name, T::DTYPE, shape).assume()
    }

    /// A placeholder with an element type that is known only when the program runs:
    /// [`AnyTensor::typed`] gives the handle that operators take, and what is fed is a value of
    /// such a type.
    #[track_caller]
    pub fn placeholder_of(
        &self,
        name: &str,
        dtype: DType,
        shape: impl Into<Dimensions>,
    ) -> AnyTensor<'_> {
        let _call = self.call("placeholder_of");
        let shape = shape.into();
        self.any(self.build(|graph| {
            let shape = shape.resolve(graph.symbols_mut());
            graph.add_named(Some(name), &Placeholder, &[], PlaceholderAttributes { dtype, shape })
        }))
    }

    /// A value that may be fed, and else is `default`'s: a keep probability that is fed while
    /// training only.
    #[track_caller]
    pub fn placeholder_with_default<'g, T: Element>(
        &'g self,
        name: &str,
        default: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let default = default.node(self);
        let id = self.build(|graph| {
            graph.add_named(Some(name), &PlaceholderWithDefault, &[default], Attributes::none())
        });
        self.handle(id)
    }

    /// A number that is part of the graph.
    #[track_caller]
    pub fn constant<T: Element>(&self, value: T) -> Scalar<'_, T> {
        Scalar(self.hold(Array::new(T::DTYPE, &[], &[value.store()])).assume())
    }

    /// An array that is part of the graph.
    #[track_caller]
    pub fn constant_array<T: Element, S: Data<Elem = T>, D: NdDimension>(
        &self,
        value: &ArrayBase<S, D>,
    ) -> Tensor<'_, T> {
        let _call = self.call("constant_array");
        self.hold(array_value(value)).assume()
    }

    /// An array that is part of the graph, with an element type that is known only when the program
    /// runs: an [`Array`], or a value that a session gave. It is a mistake if its bytes are not as
    /// many as its sizes say.
    #[track_caller]
    pub fn constant_of(&self, value: impl Into<Array>) -> AnyTensor<'_> {
        let _call = self.call("constant_of");
        self.hold(value.into())
    }

    #[track_caller]
    fn hold(&self, value: Array) -> AnyTensor<'_> {
        self.apply(&Constant, &[], ConstantAttributes { value: Arc::new(value) })
    }

    /// A degree of freedom: a value that lasts from run to run in a session, starts as `initial`
    /// says, and that optimizers change.
    #[track_caller]
    pub fn variable<T: Element>(&self, name: &str, initial: impl Into<Init<T>>) -> Tensor<'_, T> {
        let _call = self.call("variable");
        self.make_variable(name, initial.into(), true)
    }

    /// A variable that optimizers leave alone (`trainable=False`): a step counter, a moving
    /// average.
    #[track_caller]
    pub fn state<T: Element>(&self, name: &str, initial: impl Into<Init<T>>) -> Tensor<'_, T> {
        let _call = self.call("state");
        self.make_variable(name, initial.into(), false)
    }

    #[track_caller]
    fn make_variable<T: Element>(
        &self,
        name: &str,
        initial: Init<T>,
        trainable: bool,
    ) -> Tensor<'_, T> {
        let id = self.build(|graph| {
            let shape = initial.shape.resolve(graph.symbols_mut());
            let first = match (initial.first, known_dims(&shape)) {
                (First::Settled(first), _) => first,
                (First::Scaled(scaling), Some(dims)) => {
                    scaling.resolve(&dims).unwrap_or_else(|message| {
                        let location = graph.context().location;
                        graph.report_call(Diagnostic::new(message, location).node(name));
                        Initializer::Zeros
                    })
                }
                // That the shape has to be known is told where the node is checked.
                (First::Scaled(_), None) => Initializer::Zeros,
            };
            let attributes =
                VariableAttributes { initial: first, dtype: T::DTYPE, shape, trainable };
            graph.add_named(Some(name), &Variable, &[], attributes)
        });
        self.handle(id)
    }

    /// `value` everywhere. Dimensions may be those of other tensors: `dims![x.dim(0), 10]`.
    #[track_caller]
    pub fn fill<T: Element>(&self, shape: impl Into<Dimensions>, value: T) -> Tensor<'_, T> {
        let _call = self.call("fill");
        self.fill_with(shape.into(), Array::new(T::DTYPE, &[], &[value.store()]))
    }

    #[track_caller]
    fn fill_with<T: Element>(&self, shape: Dimensions, value: Array) -> Tensor<'_, T> {
        self.with_shape("a filled tensor", shape, |graph, shape| {
            graph.add(&Fill, &[], FillAttributes { value: Arc::new(value), shape })
        })
    }

    /// 0 (`false`) everywhere.
    #[track_caller]
    pub fn zeros<T: Element>(&self, shape: impl Into<Dimensions>) -> Tensor<'_, T> {
        let _call = self.call("zeros");
        self.fill(shape, T::default())
    }

    /// 1 everywhere.
    #[track_caller]
    pub fn ones<T: Number>(&self, shape: impl Into<Dimensions>) -> Tensor<'_, T> {
        let _call = self.call("ones");
        self.fill_with(shape.into(), Array::scalar(T::DTYPE, 1.0))
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// 0 (`false`) in the shape of this tensor, which is not computed for it.
    #[track_caller]
    pub fn zeros_like(self) -> Tensor<'g, T> {
        let _call = self.graph().call("zeros_like");
        self.map(|x| x.fill_like(0.0))
    }

    /// The number of its elements as a number of any type, known when the graph runs. TensorFlow's
    /// `tf.size`.
    #[track_caller]
    pub fn size<U: Number>(self) -> Scalar<'g, U> {
        let _call = self.graph().call("size");
        Scalar(self.map(|x| x.size(U::DTYPE, x.shape())))
    }
}
