//! How a session is made, and how one run.

#[cfg(doc)]
use crate::Session;
use crate::Trace;

/// How a session is made.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    pub(crate) seed: Option<u64>,
    pub(crate) threads: usize,
    pub(crate) plain: bool,
    /// The names of passes that are left out.
    pub(crate) without: Vec<String>,
    pub(crate) verified: Option<bool>,
    plan_bytes: Option<usize>,
}

impl SessionOptions {
    /// The graph's seed, or 0 if it has none, and a thread for each core.
    pub fn new() -> Self {
        Self::default()
    }

    /// The seed of first values and random nodes, instead of the graph's.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// True if plans go through passes that make them faster: constants are folded, common
    /// subexpressions eliminated, elementwise loops fused. They do by default. It changes no bit of
    /// any result. Without, each node is a step of its own, which is slower and easier to follow in
    /// a profile.
    pub fn optimize(mut self, optimize: bool) -> Self {
        self.plain = !optimize;
        self
    }

    /// Leaves out one pass of those that plans go through, to find out which of them is to blame
    /// for something: one of [`SessionOptions::passes`]. May be called for several. A name that no
    /// pass has is an error when the session is made.
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

    /// True if a plan is verified after each of its passes while it is made. By default it is in
    /// debug builds alone. A plan that is not sound is an error that names the pass.
    pub fn verify_passes(mut self, verify: bool) -> Self {
        self.verified = Some(verify);
        self
    }

    /// How many threads a run may use, the caller's own included; 0 for one on each core. With 1 no
    /// thread is made. The number never changes a result. Sessions of one number share their
    /// threads; where several callers run at once, those of another rayon pool for instance, no
    /// more threads work than this, or than there are callers.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The most bytes of plans that a session keeps. It makes a plan for each set of fetches and
    /// feed shapes that it meets; once they take more than this, those that were used longest ago
    /// go, and are made again when they are needed, to the same bits. The plan used last is kept
    /// however large it is. What [`Session::memory`] tells is what counts.
    ///
    /// Unless this says otherwise it is 2 MB and 4 kB for each node of the graph, enough for a
    /// dozen plans of all of a graph or hundreds of a small part. More serves who alternates
    /// between more sizes than that. To make a plan takes some microseconds a node.
    ///
    /// The arenas in which plans run do not count: all plans share them, one for each run at a
    /// time, of the size that the largest plan asks for.
    pub fn plan_bytes(mut self, most: usize) -> Self {
        self.plan_bytes = Some(most);
        self
    }

    /// The most bytes of plans of a graph of so many nodes.
    pub(crate) fn plan_limit(&self, nodes: usize) -> usize {
        self.plan_bytes.unwrap_or_else(|| nodes.saturating_mul(4 << 10).saturating_add(2 << 20))
    }
}

/// What [`Session::run_with`](crate::Session::run_with) and
/// [`Callable::run_with`](crate::Callable::run_with) are told about a run besides its fetches and
/// feeds, as TensorFlow's `RunOptions`. No option changes a result.
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
    /// Nothing special.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds to `trace` when each part of each node ran, and on which thread. A run that fails adds
    /// nothing.
    pub fn trace(mut self, trace: &'t mut Trace) -> Self {
        self.trace = Some(trace);
        self
    }
}
