//! Runs a program of tasks in parallel.
//!
//! A [`Program`] is built once: buffers, and tasks that each fill buffers from others.
//! [`ProgramBuilder`] derives the dependencies, places every temporary buffer in one arena and adds
//! the ordering that the sharing of memory asks for, so a program that exists is safe to run
//! whatever its author passed in. A [`State`] holds what one run at a time needs, of whichever
//! program; once there is room, [`State::begin`], [`Run::bind`], [`Run::execute`] and [`Run::read`]
//! allocate nothing. [`States`] lends them to runs. [`ThreadPool`] is the pool of threads, shared
//! by any number of runs.
//!
//! This crate knows tasks, dependencies, costs and buffers. It must not know tensors, shapes,
//! element types or graphs.
//!
//! ```
//! use abeyance_launch::Cost;
//! use abeyance_scheduler::{Program, Task, ThreadPool, Write};
//!
//! let mut builder = Program::builder();
//! let x = builder.input(12, align_of::<f32>());
//! let doubled = builder.temporary(12);
//! builder.keep(doubled);
//! builder.task(Task {
//!     reads: &[x],
//!     writes: &[Write { buffer: doubled, chunk: 4096 }],
//!     cost: Cost { flops: 3.0, bytes: 24.0 },
//!     workspace: 0,
//!     run: Box::new(|call| {
//!         let x = call.input::<f32>(0);
//!         for (out, x) in call.output::<f32>().iter_mut().zip(x) {
//!             *out = 2.0 * x;
//!         }
//!         Ok(())
//!     }),
//!     after: &[],
//! });
//! let program = builder.build()?;
//!
//! let pool = ThreadPool::new(2)?;
//! let mut state = program.state(pool.threads())?;
//! let feed: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_ne_bytes()).collect();
//! # let feed = abeyance_scheduler::AlignedBytes::copy_of(&feed)?;
//! let mut run = state.begin(&program, 0)?;
//! run.bind(x, &feed)?;
//! run.execute(&pool)?;
//! assert_eq!(run.read(doubled)?[8..], 6.0f32.to_ne_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//! - `ids`, `buffers`, `error`: the names of buffers and tasks, the kinds of buffers, the errors.
//! - `program`: the finished program. `program::builder` checks it, `program::layout` places its
//!   temporaries (`arena`, `pack`) and orders its tasks (`ancestry`), `program::units` groups small
//!   tasks.
//! - `frame`: the memory of one run and the one place where a task's part runs; `part`: a part's
//!   failure or panic; `memory`: memory that grows.
//! - `state`: the safe surface over a frame: binding, running, reading; `states`: those that no run
//!   has.
//! - `recording`: when each part ran, for whoever asks.
//! - `queue`: the counters of a parallel run; `worker`: a thread at work on it; `thread_pool`: the
//!   threads; `idle`: how they wait and sleep.
//!
//! # Invariants
//! 1. A byte that a task writes is touched by no other task that is not ordered before or after it
//!    (`program::layout`, guarded by `tests/random_programs.rs`).
//! 2. No thread touches a frame after `execute` returned (`thread_pool::JobSlot`, guarded by
//!    `tests/concurrent_runs.rs` under the thread and address sanitizers).
//! 3. `begin` to `read` allocate nothing where the state has room for the program
//!    (`tests/allocations.rs`).
//! 4. Results and errors do not depend on the number of threads: parts are cut by the program's
//!    author, and the failure reported is that of the lowest part of the lowest task.

mod buffers;
mod error;
#[allow(unsafe_code)] // calls the kernel of a part on raw memory
mod frame;
mod idle;
mod ids;
mod memory;
mod part;
mod program;
mod queue;
mod recording;
#[allow(unsafe_code)] // promises to a job what was bound, and reads results
mod state;
mod states;
#[allow(unsafe_code)] // gives helpers a job of another thread
mod thread_pool;
#[allow(unsafe_code)] // runs the parts that the queue hands out
mod worker;

pub use abeyance_launch::{AlignedBytes, OutOfMemory};
pub use buffers::{BufferInfo, BufferKind, Write};
pub use error::{BindError, BuildError, RunError};
pub use ids::{BufferId, TaskId};
pub use program::builder::{ProgramBuilder, Task};
pub use program::{Estimate, Memory, Program, TaskInfo};
pub use recording::{PartTime, Recording};
pub use state::{Run, State};
pub use states::States;
pub use thread_pool::{ThreadPool, ThreadPoolError};
