//! One run: bind, execute, read.

use std::fmt;
use std::marker::PhantomData;

use abeyance_launch::{OutOfMemory, RawBuffer};

use crate::buffers::BufferKind;
use crate::error::{BindError, RunError};
use crate::frame::{Frame, Job};
use crate::ids::BufferId;
use crate::memory::reserve;
use crate::program::Program;
use crate::recording::Recording;
use crate::thread_pool::ThreadPool;

/// Nanoseconds of work from which a caller counts as active. Every parallel run has more.
const ACTIVE_NS: f64 = 10_000.0;

/// The memory of one run at a time, of one program after the other: an arena, workspaces, a table
/// of buffers, counters. It grows to what the largest of them asks for and never shrinks, so that a
/// run of a program for which there is room allocates nothing.
pub struct State {
    frame: Frame,
    /// The program that the frame fits.
    program: Option<u64>,
    /// True if each buffer is bound in the present run.
    bound: Vec<bool>,
}

impl Program {
    /// Makes a [`State`] for runs on up to `threads` threads, with room for this program.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system has no room for the arena or the workspaces.
    pub fn state(&self, threads: usize) -> Result<State, OutOfMemory> {
        let mut state = State::new(threads);
        state.fit(self)?;
        Ok(state)
    }
}

impl State {
    /// A state for runs on up to `threads` threads, the caller's included, without any memory yet.
    pub fn new(threads: usize) -> Self {
        Self { frame: Frame::new(threads.max(1)), program: None, bound: Vec::new() }
    }

    /// Makes room for a program: an arena, and for each thread a workspace as large as the largest
    /// that a task asks for. What is there already for the largest program so far is used again.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the system has no room for them. The state may have less memory then
    /// than before; it is as good as a new one.
    pub fn fit(&mut self, program: &Program) -> Result<(), OutOfMemory> {
        if self.program == Some(program.id) {
            return Ok(());
        }
        self.program = None;
        self.bound.clear();
        reserve(&mut self.bound, program.buffers.len())?;
        self.bound.resize(program.buffers.len(), false);
        self.frame.fit(program)?;
        self.program = Some(program.id);
        Ok(())
    }

    /// True if [`State::fit`] has nothing to do for this program since it did it last.
    pub(crate) fn fits(&self, program: &Program) -> bool {
        self.program == Some(program.id)
    }

    /// True if there is as much memory as a program asks for.
    pub(crate) fn has_room(&self, program: &Program) -> bool {
        self.frame.has_room(program)
    }

    /// The bytes of memory that it has.
    pub fn bytes(&self) -> usize {
        self.frame.bytes() + self.bound.capacity()
    }

    /// Starts a run with nothing bound. `run_counter` keys the random streams of this run.
    ///
    /// # Errors
    /// [`OutOfMemory`], as [`State::fit`].
    pub fn begin<'r>(
        &'r mut self,
        program: &'r Program,
        run_counter: u64,
    ) -> Result<Run<'r>, OutOfMemory> {
        self.fit(program)?;
        for id in &program.bound {
            self.frame.table[id.index()] = RawBuffer::EMPTY;
            self.bound[id.index()] = false;
        }
        self.frame.run_counter = run_counter;
        Ok(Run { state: self, program, executed: false, outputs: PhantomData })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({} bytes)", self.bytes())
    }
}

/// One run of a program: bind every input and output, execute, read.
pub struct Run<'r> {
    state: &'r mut State,
    program: &'r Program,
    executed: bool,
    /// Outputs bound are borrowed for as long as the run may write them.
    outputs: PhantomData<&'r mut [u8]>,
}

impl<'r> Run<'r> {
    /// Binds an input. Binding again replaces what was bound.
    ///
    /// # Errors
    /// [`BindError`] where `id` is not an input or `bytes` has not its length and alignment.
    pub fn bind(&mut self, id: BufferId, bytes: &'r [u8]) -> Result<(), BindError> {
        self.bind_row(id, BufferKind::Input, bytes.as_ptr(), bytes.len())
    }

    /// Binds an output. After an error of [`Run::execute`] its bytes are void.
    ///
    /// # Errors
    /// [`BindError`] where `id` is not an output or `bytes` has not its length and alignment.
    pub fn bind_mut(&mut self, id: BufferId, bytes: &'r mut [u8]) -> Result<(), BindError> {
        self.bind_row(id, BufferKind::Output, bytes.as_mut_ptr(), bytes.len())
    }

    fn bind_row(
        &mut self,
        id: BufferId,
        asked: BufferKind,
        pointer: *const u8,
        length: usize,
    ) -> Result<(), BindError> {
        let buffer = id;
        let info = self.program.buffer(id).ok_or(BindError::NoSuchBuffer(id))?;
        if info.kind != asked {
            let kind = info.kind;
            return Err(BindError::Kind { buffer, kind, asked });
        }
        if info.length != length {
            return Err(BindError::Length { buffer, expected: info.length, given: length });
        }
        if !pointer.addr().is_multiple_of(info.alignment) {
            let alignment = info.alignment;
            return Err(BindError::Alignment { buffer, alignment });
        }
        self.executed = false;
        self.state.frame.table[id.index()] = RawBuffer { pointer, length };
        self.state.bound[id.index()] = true;
        Ok(())
    }

    /// Runs every task. When this returns, no other thread touches what was bound.
    ///
    /// # Errors
    /// [`RunError::Unbound`] where an input or output is missing, [`RunError::Threads`] where the
    /// pool has more threads than the state is for. Otherwise the failure or panic of a kernel:
    /// that of the lowest task that has one, whatever the number of threads. The state, the program
    /// and the pool are as good as before; bound outputs and kept temporaries are void.
    pub fn execute(&mut self, pool: &ThreadPool) -> Result<(), RunError> {
        let share = self.would_share(pool);
        self.execute_with(pool, share, None)
    }

    /// Runs every task, as [`Run::execute`], and writes down the times of every part.
    ///
    /// # Errors
    /// As [`Run::execute`], and [`RunError::ForeignRecording`] for a recording of another program.
    /// After a failure the recording has the parts that ended.
    pub fn execute_recorded(
        &mut self,
        pool: &ThreadPool,
        recording: &mut Recording,
    ) -> Result<(), RunError> {
        if recording.program != self.program.id {
            return Err(RunError::ForeignRecording);
        }
        let share = self.would_share(pool);
        recording.begin(if share { pool.threads() } else { 1 });
        let result = self.execute_with(pool, share, Some(recording));
        recording.end();
        result
    }

    /// True if a run now would be more than the caller's.
    fn would_share(&self, pool: &ThreadPool) -> bool {
        self.state.frame.parallel && pool.would_share(self.program)
    }

    fn execute_with(
        &mut self,
        pool: &ThreadPool,
        share: bool,
        recording: Option<&Recording>,
    ) -> Result<(), RunError> {
        self.executed = false;
        if let Some(&missing) = self.program.bound.iter().find(|id| !self.state.bound[id.index()]) {
            return Err(RunError::Unbound(missing));
        }
        let (threads, most) = (pool.threads(), self.state.frame.threads);
        if threads > most {
            return Err(RunError::Threads { threads, most });
        }
        // SAFETY: the frame fits the program (`begin` saw to it), every input and output is bound
        // to a slice of its length that outlives `'r` (`bind_row` checked it), and `&mut self`
        // keeps everyone else away from the frame and, through the borrows of `'r`, from outputs,
        // and writers from inputs.
        let job = unsafe { Job::new(self.program, &self.state.frame, recording) };
        // While the caller works for long, one helper less is wanted by others.
        let _active = (self.program.units.work_ns >= ACTIVE_NS).then(|| pool.count_caller());
        if share {
            job.queue().reset(self.program);
            // SAFETY: the frame is parallel and for as many threads, as was just checked.
            unsafe { pool.run(job) };
            job.queue().take_failure().map_or(Ok(()), Err)?;
        } else {
            // SAFETY: nothing of this job runs.
            unsafe { job.run_inline() }?;
        }
        self.executed = true;
        Ok(())
    }

    /// The bytes of a constant, an input, an output or a kept temporary after the run has
    /// succeeded.
    ///
    /// # Errors
    /// [`BindError`] where the buffer is not kept, or the run has not been executed or has failed.
    pub fn read(&self, id: BufferId) -> Result<&[u8], BindError> {
        let info = self.program.buffer(id).ok_or(BindError::NoSuchBuffer(id))?;
        if !info.keep {
            return Err(BindError::NotKept(id));
        }
        if !self.executed {
            return Err(BindError::NotExecuted(id));
        }
        let row = self.state.frame.table[id.index()];
        // SAFETY: the row was valid for the run, which is over, and for as long as the run is
        // borrowed nothing writes it: outputs are borrowed for `'r`, and the arena is written by
        // `execute` only.
        Ok(unsafe { std::slice::from_raw_parts(row.pointer, row.length) })
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("executed", &self.executed).finish()
    }
}
