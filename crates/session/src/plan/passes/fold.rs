//! Constant folding: what depends on constants alone is computed when the plan is made, by the kernel that would have
//! computed it at every run.

use std::sync::Arc;

use abeyance_ir::{NodeId, Packing};
use abeyance_kernels::launch::Kernel;
use abeyance_scheduler::{AlignedBytes, BufferId, Program};
use smallvec::SmallVec;

use crate::Error;
use crate::plan::body::alone;
use crate::plan::draft::{Draft, ValueId};
use crate::plan::lower::emit;

/// Larger results stay instructions: a plan holds its constants for as long as it lives.
const MOST_BYTES: usize = 64 * 1024;
/// Results that are larger than what they are made of, too, but for those of a few bytes: to read them would take longer.
const FEW_BYTES: usize = 64;

/// Whether a node depends on constants alone and is small.
pub(crate) fn applies(draft: &Draft<'_>, node: NodeId, operands: &[ValueId]) -> bool {
    let data = draft.frozen.graph.node(node);
    !operands.is_empty()
        && operands.iter().all(|&operand| draft.known(operand).is_some())
        && data.attributes.bodies().next().is_none()
        && {
            let items = draft.sizes.items(node);
            let bytes = items.iter().map(|item| item.bytes()).sum::<usize>();
            let known = operands.iter().filter_map(|&operand| draft.known(operand));
            bytes <= MOST_BYTES
                && bytes <= known.map(|bytes| bytes.len()).sum::<usize>().max(FEW_BYTES)
        }
}

/// The bytes of a node to which [`applies`] applies; `None` where the kernel fails.
pub(crate) fn evaluate(
    draft: &Draft<'_>,
    node: NodeId,
    kernel: Kernel,
    operands: &[ValueId],
) -> Result<Option<Arc<[u8]>>, Error> {
    let mut program = Program::builder();
    let mut buffers: SmallVec<[BufferId; 3]> = SmallVec::new();
    for &operand in operands {
        let bytes = draft.known(operand).map_or(&[][..], |bytes| bytes);
        buffers.push(program.constant(AlignedBytes::copy_of(bytes)?));
    }
    let Some(packing) = Packing::new(&draft.sizes.items(node)) else {
        return Ok(None);
    };
    let output = program.temporary(packing.bytes());
    program.keep(output);
    let emitted = emit(&mut program, kernel, output, &[], |place| buffers.get(place).copied());
    if emitted.is_err() {
        return Ok(None);
    }
    let program = program.build()?;
    let alone = alone()?;
    let mut state = program.state(alone.threads())?;
    let mut run = state.begin(&program, 0).map_err(|error| Error::Internal(error.to_string()))?;
    if run.execute(alone).is_err() {
        return Ok(None);
    }
    let bytes = run.read(output).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(Some(bytes.into()))
}
