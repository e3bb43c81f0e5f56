//! Kernels one after the other as one.

use crate::launch::{Kernel, Source, Step, Target};

/// A kernel made of others, the later of which read what the earlier ones filled.
///
/// ```
/// use abeyance_kernels::chain::Chain;
/// use abeyance_kernels::layout::Reorder;
/// use abeyance_kernels::launch::{Layout, Source, Target};
/// use abeyance_kernels::serial::Serial;
/// let images = Reorder { images: 3, row: 5 };
/// let mut chain = Chain::new();
/// let blocks = chain.scratch(images.len() * size_of::<f32>());
/// chain.append(images.to(Layout::Nhwc16n, 4), &[Source::Operand(0)], Target::Scratch(blocks));
/// chain.append(images.to(Layout::RowMajor, 4), &[Source::Scratch(blocks)], Target::Output);
/// let x: Vec<f32> = (0..15).map(|i| i as f32).collect();
/// let mut back = vec![0.0; 15];
/// Serial::new(chain.finish(), 1).run(&[&x], &mut back)?;
/// assert_eq!(back, x);
/// # Ok::<(), abeyance_kernels::launch::Failure>(())
/// ```
#[derive(Default)]
pub struct Chain {
    kernel: Kernel,
}

impl Chain {
    /// No steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// A scratch buffer of so many bytes, to be filled by one of the kernels and read by later
    /// ones.
    pub fn scratch(&mut self, bytes: usize) -> usize {
        self.kernel.scratch.push(bytes);
        self.kernel.scratch.len() - 1
    }

    /// Append the steps of a kernel that reads `operands` for its own and fills `result`.
    ///
    /// # Panics
    /// If it has more operands.
    pub fn append(&mut self, kernel: Kernel, operands: &[Source], result: Target) {
        let own = self.kernel.scratch.len();
        self.kernel.scratch.extend(kernel.scratch);
        self.kernel.steps.extend(kernel.steps.into_iter().map(|step| {
            Step {
                reads: (step.reads.iter())
                    .map(|read| match *read {
                        Source::Operand(index) => operands[index],
                        Source::Scratch(index) => Source::Scratch(own + index),
                    })
                    .collect(),
                writes: match step.writes {
                    Target::Output => result,
                    Target::Scratch(index) => Target::Scratch(own + index),
                },
                ..step
            }
        }));
    }

    /// All steps as one kernel.
    pub fn finish(self) -> Kernel {
        self.kernel
    }
}
