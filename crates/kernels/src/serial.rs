//! A kernel run on the caller's thread, part after part: what benches and tests call, without a
//! scheduler.

use bytemuck::{Pod, Zeroable};

use crate::launch::{ALIGNMENT, Call, Chunking, Failure, Kernel, RawBuffer, Source, Target};

/// Lines of a cache, for buffers aligned as kernels ask for.
#[derive(Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([u8; ALIGNMENT]);

/// Memory for a kernel to work in: [`Call::workspace`].
pub struct Workspace(Vec<Line>);

impl Workspace {
    /// Memory of at least `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        Self(vec![Line([0; ALIGNMENT]); bytes.div_ceil(ALIGNMENT)])
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// A kernel and its scratch buffers.
pub struct Serial {
    kernel: Kernel,
    scratch: Vec<Vec<Line>>,
    workspace: Workspace,
    table: Vec<RawBuffer>,
    reads: Vec<u32>,
}

impl Serial {
    /// Buffers for a kernel of so many operands.
    pub fn new(kernel: Kernel, operands: usize) -> Self {
        let scratch: Vec<Vec<Line>> = kernel
            .scratch
            .iter()
            .map(|&bytes| vec![Line([0; ALIGNMENT]); bytes.div_ceil(ALIGNMENT)])
            .collect();
        let workspace = kernel.steps.iter().map(|step| step.workspace).max().unwrap_or(0);
        Self {
            table: vec![RawBuffer::EMPTY; operands + scratch.len() + 1],
            workspace: Workspace::new(workspace),
            reads: Vec::with_capacity(8),
            kernel,
            scratch,
        }
    }

    /// The parts of each step.
    pub fn parts(&self, output: usize) -> Vec<usize> {
        let steps = self.kernel.steps.iter();
        steps
            .map(|step| {
                let bytes = match step.writes {
                    Target::Output => output,
                    Target::Scratch(index) => self.kernel.scratch[index],
                };
                bytes.div_ceil(step.chunk)
            })
            .collect()
    }

    /// Cuts a step into other parts, of so many bytes of what it fills.
    #[cfg(test)]
    pub fn cut(&mut self, step: usize, chunk: usize) {
        self.kernel.steps[step].chunk = chunk;
    }

    /// Runs it on operands of one type.
    ///
    /// # Errors
    /// The failure of a part.
    pub fn run<T: Pod>(&mut self, operands: &[&[T]], output: &mut [T]) -> Result<(), Failure> {
        for (row, operand) in self.table.iter_mut().zip(operands) {
            *row = RawBuffer { pointer: operand.as_ptr().cast(), length: size_of_val(*operand) };
        }
        for step in &self.kernel.steps {
            self.reads.clear();
            self.reads.extend(step.reads.iter().map(|source| match *source {
                Source::Operand(index) => index as u32,
                Source::Scratch(index) => (operands.len() + index) as u32,
            }));
            let (row, target) = match step.writes {
                Target::Output => {
                    let output: &mut [u8] = bytemuck::cast_slice_mut(output);
                    let (pointer, length) = (output.as_mut_ptr().cast_const(), output.len());
                    (operands.len() + self.scratch.len(), RawBuffer { pointer, length })
                }
                Target::Scratch(index) => {
                    let pointer = self.scratch[index].as_mut_ptr().cast_const().cast();
                    let length = self.kernel.scratch[index];
                    (operands.len() + index, RawBuffer { pointer, length })
                }
            };
            self.table[row] = target;
            let writes = [Chunking { row: row as u32, chunk: step.chunk }];
            let workspace = &mut self.workspace.bytes()[..step.workspace];
            for part in 0..target.length.div_ceil(step.chunk) {
                // SAFETY: operands are borrowed for the whole call, and scratch buffers live in
                // `self` and have at least the bytes that their rows tell of. What this step writes
                // it does not read: the output is exclusively borrowed and a scratch buffer is
                // filled before it is read. The part starts inside what it writes.
                let mut call =
                    unsafe { Call::new(&self.table, &self.reads, &writes, workspace, part, 0) };
                (step.run)(&mut call)?;
            }
        }
        Ok(())
    }
}
