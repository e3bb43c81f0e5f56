//! A kernel run on the caller's thread, part after part: what benches and tests call, without a scheduler.

use crate::launch::{ALIGNMENT, Call, Failure, Kernel, RawBuffer, Source, Target};

/// Lines of a cache, for buffers aligned as kernels ask for.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; ALIGNMENT]);

/// A kernel and its scratch buffers.
pub struct Serial {
    kernel: Kernel,
    scratch: Vec<Vec<Line>>,
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
        Self {
            table: vec![RawBuffer::EMPTY; operands + scratch.len()],
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

    /// Cut a step into other parts, of so many bytes of what it fills.
    #[cfg(test)]
    pub fn cut(&mut self, step: usize, chunk: usize) {
        self.kernel.steps[step].chunk = chunk;
    }

    /// Run it on operands of one type.
    ///
    /// # Errors
    /// What a part says.
    pub fn run<T: bytemuck::Pod>(
        &mut self,
        operands: &[&[T]],
        output: &mut [T],
    ) -> Result<(), Failure> {
        for (row, operand) in self.table.iter_mut().zip(operands) {
            *row = RawBuffer { pointer: operand.as_ptr().cast(), length: size_of_val(*operand) };
        }
        for step in &self.kernel.steps {
            self.reads.clear();
            self.reads.extend(step.reads.iter().map(|source| match *source {
                Source::Operand(index) => index as u32,
                Source::Scratch(index) => (operands.len() + index) as u32,
            }));
            let target: &mut [u8] = match step.writes {
                Target::Output => bytemuck::cast_slice_mut(output),
                Target::Scratch(index) => {
                    let (lines, bytes) = (&mut self.scratch[index], self.kernel.scratch[index]);
                    self.table[operands.len() + index] =
                        RawBuffer { pointer: lines.as_ptr().cast(), length: bytes };
                    // SAFETY: `Line` is bytes without padding, and the buffer has at least so many of them.
                    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), bytes) }
                }
            };
            for (part, piece) in target.chunks_mut(step.chunk).enumerate() {
                // SAFETY: operands are borrowed for the whole call, and scratch buffers live in `self`. What this step writes it
                // does not read: the output is exclusively borrowed and a scratch buffer is filled before it is read.
                let mut call = unsafe {
                    Call::new(&self.table, &self.reads, piece, part * step.chunk, part, 0)
                };
                (step.run)(&mut call)?;
            }
        }
        Ok(())
    }
}
