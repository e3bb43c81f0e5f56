//! Looking at values while a graph runs: `check_numerics`, `print`.

use std::fmt::Write as _;
use std::io::Write as _;

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::element::Number as StoredNumber;
use abeyance_kernels::launch::{Cost, Failure, Kernel, Source, Step, Target};
use abeyance_kernels::{elementwise, elementwise_chunk, summary};
use smallvec::smallvec;

use super::{traffic, with_float, with_type};
use crate::{Element, Expr, Float, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&CheckNumerics, &Print];

abeyance_ir::attributes! {
    /// The description that goes along with values.
    pub struct WatchAttributes {
        /// Text that says which values these are; none if empty.
        message: Text = "",
    }
}

fn attributes(message: &str) -> WatchAttributes {
    WatchAttributes { message: message.into() }
}

fn same_type(cx: &Inference<'_>) -> Result<Type, Fault> {
    cx.tensor(cx.dtype(0), cx.shape(0))
}

/// Of few elements: a line is written each time that one is run.
fn samples() -> Vec<Sample> {
    let messages = ["", "loss", "a \"quoted\" # message: \\ and\nlines"];
    let shapes: [&[usize]; 5] = [&[], &[1], &[3], &[1, 2], &[0, 3]];
    shapes
        .into_iter()
        .zip(messages.into_iter().cycle())
        .map(|(dims, message)| {
            Sample::new(attributes(message)).float(dims, Domain::Between(-2.0, 2.0))
        })
        .collect()
}

/// `x` itself; NaN or an infinity in it fails at run time. Gradient: the cotangent, checked as
/// well.
pub struct CheckNumerics;

impl Operator for CheckNumerics {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
        const {
            &Signature::new(
                "check_numerics",
                "x, and a failure if there is NaN or an infinity in it",
                OPERANDS,
            )
            .attributes(WatchAttributes::SPECS)
            .observing()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        same_type(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let WatchAttributes { message } = cx.attributes();
        let message =
            if message.is_empty() { "gradient".to_owned() } else { format!("gradient: {message}") };
        Ok(cx.only(cx.cotangent().check_numerics(&message)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let WatchAttributes { message } = cx.attributes();
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        let cost = Cost { flops: len as f64, bytes: traffic(cx) };
        let chunk = elementwise_chunk(len, 2 * size) * size;
        with_float!(cx.result.dtype, T => {
                    Ok(Kernel::single(1, chunk, cost, move |call| {
                        let (x, start) = (call.input::<T>(0), call.start::<T>());
                        if summary::copy_if_finite(x, call.output(), start) {
        Ok(())
        } else {
                            // Of the whole, so that it is the same whichever part fails.
        Err(complaint(&message, summary::not_finite(x), x.len()))
        }
                    })
                    .into())
                })
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    fn samples(&self) -> Vec<Sample> {
        samples()
    }
}

/// `loss: 2 NaN and 1 infinite of 10 elements`
fn complaint(message: &str, found: summary::NotFinite, len: usize) -> Failure {
    let found = match (found.nan, found.infinite) {
        (nan, 0) => format!("{nan} NaN"),
        (0, infinite) => format!("{infinite} infinite"),
        (nan, infinite) => format!("{nan} NaN and {infinite} infinite"),
    };
    let elements = if len == 1 { "element" } else { "elements" };
    let colon = if message.is_empty() { "" } else { ": " };
    Failure(format!("{message}{colon}{found} of {len} {elements}"))
}

/// `x` itself, of which a line is written to the standard error stream at each run that needs it.
/// Gradient: the cotangent.
pub struct Print;

impl Operator for Print {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
        const {
            &Signature::new("print", "x, of which a line is written to standard error", OPERANDS)
                .attributes(WatchAttributes::SPECS)
                .observing()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        same_type(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent()))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let WatchAttributes { message } = cx.attributes();
        let title = if message.is_empty() { cx.name } else { &*message };
        // What comes from a file must not steer a terminal.
        let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (dtype, len) = (cx.result.dtype, cx.result.len());
        let title = format!("{title}: {dtype}{:?}", cx.result.dims);
        let cost = Cost { flops: 4.0 * len as f64, bytes: cx.result.bytes() as f64 };
        let bytes = traffic(cx);
        let kernel = with_type!(dtype, T => Kernel {
            // A byte that says that the line is written: a step of one part, which is run for an
            // empty operand too.
            scratch: smallvec![1],
            steps: [
                Step {
                    reads: smallvec![Source::Operand(0)],
                    writes: Target::Scratch(0),
                    chunk: 1,
                    cost,
                    workspace: 0,
                    run: Box::new(move |call| {
                        let mut line = title.clone();
                        describe(&mut line, dtype, call.input::<T>(0));
                        line.push('\n');
                        // In one piece, so that lines of several threads do not mix. That nobody
                        // listens is no failure.
                        let _ = std::io::stderr().lock().write_all(line.as_bytes());
                        call.output::<u8>().fill(1);
                        Ok(())
                    }),
                },
                Step {
                    reads: smallvec![Source::Operand(0), Source::Scratch(0)],
                    writes: Target::Output,
                    chunk: elementwise_chunk(len, 2 * size_of::<T>()) * size_of::<T>(),
                    cost: Cost { flops: 0.0, bytes },
                    workspace: 0,
                    run: Box::new(|call| {
                        let (x, start) = (call.input::<T>(0), call.start::<T>());
                        elementwise::copy(x, call.output(), start);
                        Ok(())
                    }),
                },
            ]
            .into_iter()
            .collect(),
        });
        Ok(kernel.into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    fn samples(&self) -> Vec<Sample> {
        samples()
    }
}

/// Adds to a line ` min -1.0 mean 0.5 max 2.0 [2.0, -1.0, 0.5, ... 7 more]`.
fn describe<T: StoredNumber>(line: &mut String, dtype: DType, x: &[T]) {
    /// Elements that are shown.
    const SHOWN: usize = 8;
    let found = summary::summary(x);
    // Writing into a string does not fail.
    if dtype == DType::Bool {
        let count = x.iter().filter(|&&x| x != T::ZERO).count();
        let _ = write!(line, " {count} true");
    } else if found.count > 0 {
        let mean = found.mean as f32;
        let _ = write!(line, " min {:?} mean {mean:?} max {:?}", found.min, found.max);
    }
    if found.count < x.len() {
        let _ = write!(line, " {} NaN", x.len() - found.count);
    }
    line.push_str(" [");
    for (index, x) in x.iter().take(SHOWN).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let _ = match dtype {
            DType::Bool => write!(line, "{comma}{}", *x != T::ZERO),
            _ => write!(line, "{comma}{x:?}"),
        };
    }
    if x.len() > SHOWN {
        let _ = write!(line, ", ... {} more", x.len() - SHOWN);
    }
    line.push(']');
}

impl<'g> Expr<'g> {
    /// The expression itself; if there is NaN or an infinity in it, the run fails.
    pub fn check_numerics(self, message: &str) -> Self {
        self.apply(&CheckNumerics, attributes(message))
    }

    /// The expression itself, of which each run that needs it writes a line.
    pub fn print(self, message: &str) -> Self {
        self.apply(&Print, attributes(message))
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The tensor itself; if there is NaN or an infinity in it, the run fails, naming the node, the
    /// message and how many there are. Its gradient is checked in the same way. TensorFlow's
    /// `check_numerics`.
    ///
    /// The check is made where the result of this method is used:
    /// `let logits = logits.check_numerics("logits");`.
    #[track_caller]
    pub fn check_numerics(self, message: &str) -> Tensor<'g, T> {
        self.map(|x| x.check_numerics(message))
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The tensor itself; each run that needs it writes one line to the standard error stream: the
    /// message (or the node's name if that is empty), element type and shape, the smallest, mean
    /// and largest element without NaN, how many NaN there are, and the first eight elements.
    /// TensorFlow's `Print`.
    ///
    /// ```text
    /// logits: f32[100, 10] min -3.5 mean 0.25 max 4.0 [0.5, -1.25, 0.0, 2.0, 0.5, 1.0, 4.0, -3.5, ... 992 more]
    /// ```
    ///
    /// The line is written where the result of this method is used:
    /// `let logits = logits.print("logits");`.
    #[track_caller]
    pub fn print(self, message: &str) -> Tensor<'g, T> {
        self.map(|x| x.print(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<T: StoredNumber>(dtype: DType, x: &[T]) -> String {
        let mut line = String::new();
        describe(&mut line, dtype, x);
        line
    }

    #[test]
    fn a_line_says_what_there_is_and_not_all_of_it() {
        assert_eq!(
            line(DType::F32, &[2.0f32, -1.0, 0.5]),
            " min -1.0 mean 0.5 max 2.0 [2.0, -1.0, 0.5]"
        );
        assert_eq!(
            line(DType::F64, &[1e300, f64::NAN, f64::INFINITY]),
            " min 1e300 mean inf max inf 1 NaN [1e300, NaN, inf]"
        );
        assert_eq!(line(DType::F32, &[f32::NAN]), " 1 NaN [NaN]");
        assert_eq!(line::<f32>(DType::F32, &[]), " []");
        assert_eq!(line(DType::Bool, &[1u8, 0, 1]), " 2 true [true, false, true]");
        let many: Vec<i64> = (0..1_000_000).collect();
        assert_eq!(
            line(DType::I64, &many),
            " min 0 mean 499999.5 max 999999 [0, 1, 2, 3, 4, 5, 6, 7, ... 999992 more]"
        );
    }

    #[test]
    fn a_complaint_counts() {
        let found = |nan, infinite| summary::NotFinite { nan, infinite };
        assert_eq!(
            complaint("loss", found(2, 1), 10).0,
            "loss: 2 NaN and 1 infinite of 10 elements"
        );
        assert_eq!(complaint("", found(1, 0), 1).0, "1 NaN of 1 element");
        assert_eq!(complaint("x", found(0, 3), 3).0, "x: 3 infinite of 3 elements");
    }
}
