//! Options of sessions and of runs.

#[cfg(doc)]
use crate::Session;
use crate::Trace;

/// Options of a session: its seed, threads, passes, and memory for plans. The default is the
/// graph's seed, a thread for each core, and all passes.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    pub(crate) seed: Option<u64>,
    pub(crate) threads: usize,
    pub(crate) plain: bool,
    /// The names of the passes that are left out.
    pub(crate) without: Vec<String>,
    pub(crate) verified: Option<bool>,
    plan_bytes: Option<usize>,
}

impl SessionOptions {
    /// Makes the default options: the graph's seed, or 0 if it has none, a thread for each core,
    /// all passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the seed of initial values and random nodes. The default is the graph's, or 0 if it has
    /// none.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets whether plans go through passes that make them faster: constants are folded, common
    /// subexpressions eliminated, elementwise loops fused. The default is true. It changes no bit
    /// of any result. Without passes each node is a task of its own, which is slower, and easier to
    /// follow in a profile.
    pub fn optimize(mut self, optimize: bool) -> Self {
        self.plain = !optimize;
        self
    }

    /// Leaves out one of the passes that plans go through, to find out whether it causes a fault.
    /// The name is one of [`SessionOptions::passes`]; several calls leave out several. By default
    /// none is left out. A name that no pass has is an error when the session is made.
    ///
    /// ```
    /// use abeyance_graph::{Graph, dims};
    /// use abeyance_session::{Session, SessionOptions, feeds};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let y = (x + 1.0).relu();
    /// let session = Session::with_options(&g, SessionOptions::new().without_pass("fusion"))?;
    /// assert_eq!(session.explain(y, feeds![x => &[1.0, 2.0]])?.tasks, 2);
    ///
    /// let wrong = Session::with_options(&g, SessionOptions::new().without_pass("fusoin"));
    /// assert!(wrong.unwrap_err().to_string().contains("did you mean `fusion`?"));
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    pub fn without_pass(mut self, name: impl Into<String>) -> Self {
        self.without.push(name.into());
        self
    }

    /// The names of the passes that can be left out, in the order in which they run.
    pub fn passes() -> impl Iterator<Item = &'static str> {
        crate::plan::optional()
    }

    /// Sets whether a plan is verified after each of its passes while it is made. The default is
    /// true in debug builds and false in others. A plan that is not sound is an error that names
    /// the pass.
    pub fn verify_passes(mut self, verify: bool) -> Self {
        self.verified = Some(verify);
        self
    }

    /// Sets the number of threads that a run may use, the caller's own included. The default is 0:
    /// one for each core. With 1 no thread is made. The number never changes a result. Sessions of
    /// one number share their threads; where several callers run at once, those of another rayon
    /// pool for instance, no more threads work than this, or than there are callers.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the most bytes of plans that a session keeps, counted as [`Session::memory`] does. The
    /// default is 2 MiB and 4 KiB for each node of the graph, enough for a dozen plans of all of a
    /// graph or hundreds of a small part. More helps a program that alternates between more sizes
    /// than that: to make a plan takes some microseconds a node.
    ///
    /// A session makes a plan for each set of fetches and feed shapes that it meets. Once they take
    /// more than this, those that were used longest ago go, and are made again when they are
    /// needed, to the same bits. The plan used last is kept however large it is.
    ///
    /// The arenas in which plans run do not count: all plans share them, one for each run at a
    /// time, of the size that the largest plan asks for.
    pub fn plan_bytes(mut self, most: usize) -> Self {
        self.plan_bytes = Some(most);
        self
    }

    /// The most bytes of plans, for a graph of so many nodes.
    pub(crate) fn plan_limit(&self, nodes: usize) -> usize {
        self.plan_bytes.unwrap_or_else(|| nodes.saturating_mul(4 << 10).saturating_add(2 << 20))
    }
}

/// Options of a run, for [`Session::run_with`](crate::Session::run_with) and
/// [`Callable::run_with`](crate::Callable::run_with). The default is a run without a trace. No
/// option changes a result. TensorFlow's `RunOptions`.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, RunOptions, Session, Trace};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_]);
/// let y = x.exp().reduce_sum(..);
/// let session = Session::new(&g)?;
/// let mut trace = Trace::new();
/// for _ in 0..10 {
///     let options = RunOptions::new().trace(&mut trace);
///     session.run_with(options, y, feeds![x => &[0.0, 1.0]])?;
/// }
/// assert_eq!(trace.runs(), 10);
/// println!("{trace}"); // nodes by the time they take
/// let json = trace.to_chrome_json(); // for https://ui.perfetto.dev
/// # assert!(json.contains("reduce_sum"));
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RunOptions<'t> {
    pub(crate) trace: Option<&'t mut Trace>,
}

impl<'t> RunOptions<'t> {
    /// Makes the default options: no trace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the run to a trace: when each part of each node ran, and on which thread. A run that
    /// fails adds nothing. By default runs are not traced.
    pub fn trace(mut self, trace: &'t mut Trace) -> Self {
        self.trace = Some(trace);
        self
    }
}
