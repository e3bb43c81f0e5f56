//! Runs: a plan is looked up or compiled, feeds and variables are bound to its buffers, and the new
//! values of variables take effect at the end, all at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use abeyance_ir::{Location, NodeId};
use abeyance_scheduler::{AlignedBytes, Recording, Run, State};

use super::{Callable, Session, feed_shapes};
use crate::feed::{Bytes, Feed};
use crate::fetch::{Decode, Fetch, FetchList};
use crate::plan::{Plan, Request, compile};
use crate::trace::Pending;
use crate::{Error, Results, RunOptions, feed_check};

/// The bit that is set in the numbers that key random streams of runs that write nothing.
const WITHOUT_WRITES: u64 = 1 << 62;

impl Session {
    /// Computes `fetches`, and everything they depend on, from the values of `feeds`.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let (double, sum) = (x + x, x.reduce_sum(..));
    /// let session = Session::new(&g)?;
    /// let (double, sum) = session.run((double, sum), feeds![x => &[1.0, 2.0, 3.0]])?;
    /// assert_eq!(double.as_slice(), Some(&[2.0, 4.0, 6.0][..]));
    /// assert_eq!(sum, 6.0);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// A placeholder that is needed and not fed; a feed of the wrong shape, for another graph, or
    /// twice; two writes of a variable without an order; a node that cannot be computed from these
    /// values. The session is then as it was.
    #[track_caller]
    pub fn run<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Decoder as Decode>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |decoder, results| {
            decoder.decode(results)
        })
        .map_err(|error| error.at(location))
    }

    /// Computes `fetches` from the values of `feeds`, as [`run`](Session::run) does, with
    /// [`RunOptions`], such as a trace.
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a, F: Fetch>(
        &self,
        options: RunOptions<'_>,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Decoder as Decode>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), options, |decoder, results| decoder.decode(results))
            .map_err(|error| error.at(location))
    }

    /// Computes `fetches` from the values of `feeds`, as [`run`](Session::run) does, into values
    /// that are there: arrays whose sizes fit are filled in place, so that nothing is allocated.
    ///
    /// # Errors
    /// As [`Session::run`]; `output` is then unchanged.
    #[track_caller]
    pub fn run_into<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
        output: &mut <F::Decoder as Decode>::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |decoder, results| {
            decoder.decode_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<F: Fetch, R>(
        &self,
        fetches: &F,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        decode: impl FnOnce(&F::Decoder, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let mut list = FetchList::default();
        let decoder = fetches.list(&mut list);
        let plan = self.plan(&self.fetched(&list)?, feeds)?;
        self.execute(&plan, feeds, options, |results| decode(&decoder, results))
    }

    /// Prepares fetches for many runs: a [`Callable`] looks no plan up as long as feeds keep their
    /// shapes.
    ///
    /// # Errors
    /// A fetch of another graph.
    #[track_caller]
    pub fn prepare<F: Fetch>(&self, fetches: F) -> Result<Callable<'_, F::Decoder>, Error> {
        let location = Location::caller();
        let mut list = FetchList::default();
        let decoder = fetches.list(&mut list);
        let fetches = self.fetched(&list).map_err(|error| error.at(location))?;
        Ok(self.callable(fetches, decoder))
    }

    /// The plan for these fetches and feeds: one that is kept, or a new one.
    pub(super) fn plan(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Result<Arc<Plan>, Error> {
        self.check_foreign(feeds)?;
        if let Some(plan) = self.plans.find(fetches, feeds) {
            return Ok(plan);
        }
        feed_check::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &feed_shapes(feeds)))?;
        Ok(self.plans.insert(plan, fetches, feeds))
    }

    /// Runs a plan, and adds it to the trace of the options, if there is one.
    pub(super) fn execute<R>(
        &self,
        plan: &Arc<Plan>,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        decode: impl FnOnce(&mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let mut trace = options.trace;
        let mut pending = match &mut trace {
            Some(trace) => Some(trace.begin(plan, &self.frozen)?),
            None => None,
        };
        let recording = pending.as_mut().map(Pending::recording);
        let result =
            self.frozen.memory.runs.with(&plan.program, |state| {
                self.execute_in(plan, state, feeds, recording, decode)
            })?;
        if let (Some(trace), Some(run), Ok(_)) = (trace, pending, &result) {
            trace.end(run);
        }
        result
    }

    /// Runs a plan in an arena.
    fn execute_in<R>(
        &self,
        plan: &Plan,
        state: &mut State,
        feeds: &[Feed<'_>],
        recording: Option<&mut Recording>,
        decode: impl FnOnce(&mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let written = || plan.writes.iter().map(|&(variable, _)| variable);
        let mut next =
            if plan.writes.is_empty() { None } else { Some(self.variables.begin(written())?) };
        let result = {
            let current = self.variables.read();
            let draw = self.draw(next.is_some(), plan.random);
            let mut run = state.begin(&plan.program, draw)?;
            bind_inputs(&mut run, plan, feeds, &current)?;
            if let Some(next) = &mut next {
                bind_writes(&mut run, plan, next)?;
            }
            let result = match recording {
                None => run.execute(&self.workers),
                Some(recording) => run.execute_recorded(&self.workers, recording),
            };
            result.map_err(|error| plan.attribute_error(&self.frozen.graph, error))?;
            decode(&mut Results::new(&run, &plan.fetched))
        };
        if let Some(next) = next {
            self.variables.commit(next, written(), || {
                self.step.fetch_add(1, Ordering::AcqRel);
            });
        }
        Ok(result)
    }

    /// The number that keys the random streams of a run. For one that writes it is the step, which
    /// cannot change while that run holds the writers' lock.
    fn draw(&self, writes: bool, is_random: bool) -> u64 {
        if writes {
            self.step()
        } else if is_random {
            self.draws.fetch_add(1, Ordering::Relaxed) | WITHOUT_WRITES
        } else {
            0
        }
    }
}

/// Binds the inputs of a plan: the fed values, and those of variables before the run.
fn bind_inputs<'r>(
    run: &mut Run<'r>,
    plan: &Plan,
    feeds: &'r [Feed<'_>],
    current: &'r [AlignedBytes],
) -> Result<(), Error> {
    for (feed, buffer) in feeds.iter().zip(&plan.fed) {
        if let Some(buffer) = buffer {
            run.bind(*buffer, fed_bytes(&feed.bytes)?)?;
        }
    }
    for &(variable, buffer) in &plan.reads {
        run.bind(buffer, &current[variable.0])?;
    }
    Ok(())
}

/// Binds the room for the new values of the variables that a plan writes.
fn bind_writes<'r>(
    run: &mut Run<'r>,
    plan: &Plan,
    next: &'r mut [AlignedBytes],
) -> Result<(), Error> {
    let mut rest = next;
    let mut passed = 0;
    for &(variable, buffer) in &plan.writes {
        // Variables come in increasing order, so each is in what the last left over.
        let (_, from) = rest.split_at_mut(variable.0 - passed);
        let Some((value, behind)) = from.split_first_mut() else {
            break;
        };
        run.bind_mut(buffer, value)?;
        passed = variable.0 + 1;
        rest = behind;
    }
    Ok(())
}

fn fed_bytes<'a>(bytes: &'a Bytes<'_>) -> Result<&'a [u8], Error> {
    bytes.get().map_err(|bytes| Error::Memory(abeyance_scheduler::OutOfMemory { bytes }))
}
