//! A loop that runs as long as a condition holds, as far as its gradient runs it too: its two
//! bodies, their checks, and running them.

use std::sync::Arc;

use abeyance_ir::{
    Body, Concrete, DType, DoubleBuffer, Fault, Inference, LoopMemoryPool, Lowering, Packing,
    RunBody, TensorType, attributes,
};
use abeyance_kernels::launch::{Cost, Failure, Inputs};

use super::repeat::{draw, within};
use super::{give, invariant};

attributes! {
    /// The bodies of a loop, and its bound.
    pub struct WhileLoopAttributes {
        /// Body that tells whether the loop goes on.
        r#while: BodyRef,
        /// Body of an iteration, which gives what the loop carries on with.
        body: BodyRef,
        /// Most iterations, at least 0; 0 is any number.
        max_iterations: i64 = 0,
    }
}

/// The two bodies of a loop and how many operands each part of it has.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) condition: Arc<Body>,
    pub(super) body: Arc<Body>,
    pub(super) carried: usize,
    /// Number of tensors that the condition captured.
    pub(super) tested: usize,
    /// Number of tensors that the body captured.
    pub(super) captured: usize,
    /// The most iterations; 0 for any number.
    pub(super) most: usize,
}

impl Parts {
    pub(super) fn new(attributes: WhileLoopAttributes) -> Result<Self, Fault> {
        let WhileLoopAttributes { r#while: condition, body, max_iterations } = attributes;
        let carried = body.outputs().len();
        let captured = |of: &Body| {
            of.inputs().len().checked_sub(carried).ok_or_else(|| {
                Fault::new(format!(
                    "the body `{}` takes {} of the {carried} carried values",
                    of.graph().name(),
                    of.inputs().len()
                ))
            })
        };
        if carried == 0 {
            return Err(Fault::new("the loop carries nothing, so it never changes"));
        }
        Ok(Self {
            carried,
            tested: captured(&condition)?,
            captured: captured(&body)?,
            condition,
            body,
            most: usize::try_from(max_iterations)
                .map_err(|_| Fault::new("max_iterations is negative"))?,
        })
    }

    /// Checks operands that begin with the carried values and end with what the bodies captured,
    /// with `between` others in between; tells the types of the carried values.
    pub(super) fn infer(
        &self,
        cx: &mut Inference<'_>,
        between: usize,
    ) -> Result<Vec<TensorType>, Fault> {
        let least = self.carried + between + self.tested + self.captured;
        if cx.operands() < least {
            return Err(Fault::new(format!("takes {least} operands, not {}", cx.operands())));
        }
        let first = self.carried + between;
        for (body, behind) in [(&self.condition, first), (&self.body, first + self.tested)] {
            for place in 0..body.inputs().len() {
                let operand = match place.checked_sub(self.carried) {
                    None => place,
                    Some(captured) => behind + captured,
                };
                let given = cx.operand(operand);
                give(cx, body, place, &given)?;
            }
        }
        match (self.condition.outputs().len(), self.condition.output(0)) {
            (1, Some(ty)) if ty.dtype == DType::Bool && ty.shape.is_empty() => {}
            (1, Some(ty)) => {
                return Err(Fault::new(format!(
                    "the condition is {}, not a scalar of bool",
                    cx.display_type(&ty)
                ))
                .help("reduce it: `x.less(1.0).reduce_all(..)`"));
            }
            (count, _) => {
                return Err(Fault::new(format!("the condition gives {count} values, not one")));
            }
        }
        (0..self.carried)
            .map(|place| {
                let first = cx.operand(place);
                invariant(cx, &self.body, place, &first)
            })
            .collect()
    }

    /// The sizes of a body's inputs among operands as of [`Parts::infer`].
    pub(super) fn sizes<'a>(
        &self,
        operands: &[Concrete<'a>],
        first: usize,
        captured: usize,
    ) -> Vec<Concrete<'a>> {
        let carried = operands.iter().take(self.carried);
        let captured = operands.iter().skip(first).take(captured);
        carried.chain(captured).copied().collect()
    }
}

/// A loop ready to run.
pub(super) struct Loop {
    condition: Box<dyn RunBody>,
    body: Box<dyn RunBody>,
    carried: Packing,
    /// Where operands begin that the condition and the body captured.
    behind: [usize; 2],
    most: usize,
}

impl Loop {
    pub(super) fn new(parts: &Parts, cx: &Lowering<'_>, between: usize) -> Result<Self, Fault> {
        let first = parts.carried + between;
        let behind = [first, first + parts.tested];
        let sizes = |captured, first| parts.sizes(cx.operands, first, captured);
        Ok(Self {
            condition: cx.bodies.compile(&parts.condition, &sizes(parts.tested, behind[0]))?,
            body: cx.bodies.compile(&parts.body, &sizes(parts.captured, behind[1]))?,
            carried: pack(&cx.operands[..parts.carried])?,
            behind,
            most: parts.most,
        })
    }

    pub(super) fn carried(&self) -> &Packing {
        &self.carried
    }

    /// Memory for runs of it.
    pub(super) fn memory(&self) -> &LoopMemoryPool {
        self.body.memory()
    }

    /// The work of a guessed number of iterations.
    pub(super) fn cost(&self) -> Cost {
        const GUESS: f64 = 16.0;
        let (test, body) = (self.condition.cost(), self.body.cost());
        Cost { flops: GUESS * (test.flops + body.flops), bytes: GUESS * (test.bytes + body.bytes) }
    }

    /// Runs it, and tells the number of iterations; what it carries is in `memory.current` then.
    /// `before` is told, before each iteration, its number and what it starts from.
    pub(super) fn run(
        &self,
        inputs: Inputs<'_>,
        memory: &mut DoubleBuffer,
        run: u64,
        mut before: impl FnMut(usize, &[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let carried = self.carried.len();
        memory.grow(self.carried.bytes())?;
        for place in 0..carried {
            let to = &mut memory.current.bytes_mut()[self.carried.range(place)];
            to.copy_from_slice(inputs.get(place));
        }
        let mut iteration = 0;
        loop {
            let draw = draw(run, iteration);
            let DoubleBuffer { current, next } = &mut *memory;
            let current = current.bytes();
            let input = |behind: usize| {
                move |place: usize| match place.checked_sub(carried) {
                    None => &current[self.carried.range(place)],
                    Some(captured) => inputs.get(behind + captured),
                }
            };
            let mut is_on = false;
            let tested = self.condition.run(
                &input(self.behind[0]),
                &mut |_, bytes| is_on = bytes != [0],
                draw,
            );
            within(iteration, tested)?;
            if !is_on {
                return Ok(iteration);
            }
            if iteration == self.most && self.most > 0 {
                return Err(Failure(format!(
                    "the condition still holds after max_iterations = {}",
                    self.most
                )));
            }
            before(iteration, current)?;
            let next = next.bytes_mut();
            let done = self.body.run(
                &input(self.behind[1]),
                &mut |place, bytes| next[self.carried.range(place)].copy_from_slice(bytes),
                draw,
            );
            within(iteration, done)?;
            memory.swap();
            iteration += 1;
        }
    }
}

/// The places of these in one buffer.
pub(super) fn pack(items: &[Concrete<'_>]) -> Result<Packing, Fault> {
    Packing::new(items).ok_or_else(|| Fault::new("what it holds is larger than any memory"))
}
