//! Constant folding: an instruction whose operands are all known is computed when the plan is made.
//!
//! The list is walked once, operands before users, so that whole expressions of constants fold. A
//! value is computed by the kernel that would have computed it at every run, on one thread, and so
//! has the same bits. An instruction whose kernel fails stays, to fail at a run with all that is
//! known about it then.
//!
//! Not folded: what is not pure (a write, a random draw, what observes), what has bodies (a loop
//! may run for long, or for ever), what has no operands (an operator that knows its result is a
//! constant already), and results that are large.

use std::sync::Arc;

use abeyance_ir::Packing;
use abeyance_kernels::launch::{Function, Kernel, Step};
use abeyance_scheduler::{AlignedBytes, BufferId, Program};
use smallvec::SmallVec;

use super::Pass;
use crate::Error;
use crate::plan::body::alone;
use crate::plan::draft::{Draft, Renaming, Source, ValueId};
use crate::plan::emit::emit_kernel;

pub(crate) struct ConstFold;

/// The most bytes of a result that is folded: a plan holds its constants for as long as it lives.
const MOST_BYTES: usize = 64 * 1024;
/// Results of up to so many bytes are folded however small their operands are. Larger ones only if
/// the operands are as large, since to read the result would take longer than to compute it.
const FEW_BYTES: usize = 64;

impl Pass for ConstFold {
    fn name(&self) -> &'static str {
        "const_fold"
    }

    fn run(&self, draft: &mut Draft<'_>) -> Result<(), Error> {
        let mut renaming: Option<Renaming> = None;
        for value in draft.ids() {
            if let Some(renaming) = &renaming {
                let instruction = &mut draft.instructions[value.index()];
                instruction.runs_after =
                    renaming.completion(&instruction.runs_after).into_iter().collect();
            }
            if !applies(draft, value) {
                continue;
            }
            if let Some(bytes) = evaluate(draft, value)? {
                let count = draft.instructions.len();
                let renaming = renaming.get_or_insert_with(|| Renaming::identity(count));
                let instruction = &mut draft.instructions[value.index()];
                let (operands, runs_after) = (&instruction.operands, &instruction.runs_after);
                renaming.replace(value, operands, runs_after, false);
                instruction.source = Source::Constant(bytes);
                instruction.operands.clear();
                instruction.runs_after.clear();
            }
        }
        if let Some(renaming) = renaming {
            draft.rename(&renaming);
        }
        Ok(())
    }
}

/// True if an instruction depends on constants alone and is small.
fn applies(draft: &Draft<'_>, value: ValueId) -> bool {
    let instruction = draft.instruction(value);
    if !instruction.runs() || instruction.operands.is_empty() {
        return false;
    }
    let mut known = 0;
    for &operand in &instruction.operands {
        let Some(bytes) = draft.constant(operand) else { return false };
        known += bytes.len();
    }
    let node = instruction.node;
    let bytes: usize = draft.shapes.items(node).iter().map(|item| item.bytes()).sum();
    bytes <= MOST_BYTES
        && bytes <= known.max(FEW_BYTES)
        && draft.is_pure(node)
        && draft.session.graph.node(node).attributes.bodies().next().is_none()
}

/// The bytes of an instruction to which [`applies`] applies; `None` where its kernel fails, which
/// the instruction then still has.
fn evaluate(draft: &mut Draft<'_>, value: ValueId) -> Result<Option<Arc<[u8]>>, Error> {
    let instruction = draft.instruction(value);
    let mut program = Program::builder();
    let mut buffers: SmallVec<[BufferId; 3]> = SmallVec::new();
    for &operand in &instruction.operands {
        let bytes = draft.constant(operand).map_or(&[][..], |bytes| bytes);
        buffers.push(program.constant(AlignedBytes::copy_of(bytes)?));
    }
    let Some(packing) = Packing::new(&draft.shapes.items(instruction.node)) else {
        return Ok(None);
    };
    let output = program.temporary(packing.bytes());
    program.keep(output);
    let (kernel, lent) = lend(draft.take_kernel(value)?);
    let operand = |index: usize| buffers.get(index).copied();
    let bytes = match emit_kernel(&mut program, kernel, output, &[], operand) {
        Ok(_) => execute(program.build()?, output)?,
        Err(_) => {
            drop(program);
            None
        }
    };
    if bytes.is_none()
        && let Source::Computed(id) = draft.instruction(value).source
    {
        draft.computations[id.index()].kernel = give_back(lent).into();
    }
    Ok(bytes)
}

/// Runs a program of one output. Returns the output's bytes; `None` if it fails.
fn execute(program: Program, output: BufferId) -> Result<Option<Arc<[u8]>>, Error> {
    let alone = alone()?;
    let mut state = program.state(alone.threads())?;
    let mut run = state.begin(&program, 0).map_err(|error| Error::Internal(error.to_string()))?;
    if run.execute(alone).is_err() {
        return Ok(None);
    }
    let bytes = run.read(output).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(bytes.into()))
}

/// A kernel whose loops are lent to a program.
struct Lent {
    /// The kernel without its loops.
    kernel: Kernel,
    loops: Vec<Arc<Function>>,
}

/// Lends a kernel's loops to a kernel that can be emitted.
fn lend(kernel: Kernel) -> (Kernel, Lent) {
    let mut copy = Kernel { steps: SmallVec::new(), scratch: kernel.scratch.clone() };
    let mut lent = Kernel { steps: SmallVec::new(), scratch: kernel.scratch };
    let mut loops = Vec::new();
    for Step { reads, writes, chunk, cost, workspace, run } in kernel.steps {
        let shared = Arc::new(run);
        loops.push(shared.clone());
        let run: Function = Box::new(move |call| shared(call));
        copy.steps.push(Step { reads: reads.clone(), writes, chunk, cost, workspace, run });
        let run: Function = Box::new(|_| Ok(()));
        lent.steps.push(Step { reads, writes, chunk, cost, workspace, run });
    }
    (copy, Lent { kernel: lent, loops })
}

/// Takes a kernel back, once the program is gone that it was lent to.
fn give_back(Lent { mut kernel, loops }: Lent) -> Kernel {
    for (step, shared) in kernel.steps.iter_mut().zip(loops) {
        step.run = match Arc::try_unwrap(shared) {
            Ok(run) => run,
            Err(shared) => Box::new(move |call| shared(call)),
        };
    }
    kernel
}
