//! The page for a program that trains by itself.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};

use abeyance_record::{Recorder, RecorderOptions};
use abeyance_session::{Decode, Feed, Fetch, Session};

use crate::live::Live;
use crate::runs::Runs;
use crate::{Error, Server};

/// The page of a session that trains in this program: two lines, one that attaches it and one that
/// runs steps through it.
///
/// ```no_run
/// use abeyance_dashboard::Dashboard;
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, Session};
/// # fn batch() -> ndarray::Array1<f32> { ndarray::Array1::zeros(100) }
/// let g = Graph::named("line");
/// let x = g.placeholder::<f32>("x", dims![_]);
/// let loss = x.square().reduce_mean(..);
/// g.summaries().scalar("loss", loss).variables();
///
/// let session = Session::new(&g)?;
/// let dashboard = Dashboard::attach(&session, "127.0.0.1:6006")?;
/// for _ in 0..1000 {
///     // `session.run`, and what the page shows along with it.
///     dashboard.run(&session, loss, feeds![x => &batch()])?;
///     if dashboard.is_stopped() {
///         break;
///     }
/// }
/// dashboard.finish(&session)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The curves and bands are the graph's summaries. A graph whose signatures say that it classifies
/// images has all six panels: batches come by themselves
/// ([`Classifier::of`](abeyance_record::Classifier::of)), test images by [`Recorder::test_images`]
/// and [`Recorder::test`], which can be called on a dashboard, as all of a recorder can. Other
/// numbers, such as a test set's loss, go to [`Recorder::scalars`].
#[derive(Debug)]
pub struct Dashboard {
    recorder: Recorder,
    live: Live,
    server: Server,
    is_stopped: AtomicBool,
}

impl Dashboard {
    /// Shows a session's training on a page at that address, such as `127.0.0.1:6006`; port 0 takes
    /// one that is free. The address is written to the standard error.
    ///
    /// # Errors
    /// The address is none, or in use.
    pub fn attach(session: &Session, addr: &str) -> Result<Self, Error> {
        Self::attach_with(session, addr, Recorder::new(session))
    }

    /// Attaches a dashboard to a training, with options of the recording:
    /// `Recorder::new(&session).folder("runs/relu").steps(2000)`.
    ///
    /// # Errors
    /// Also those of [`RecorderOptions::start`].
    pub fn attach_with(
        session: &Session,
        addr: &str,
        recording: RecorderOptions,
    ) -> Result<Self, Error> {
        let live = Live::new(session, session.graph_name());
        let runs = Runs::new();
        runs.add(live.shown());
        // The address first: if it is taken, nothing is recorded.
        let server = Server::start(runs, addr, &[])?;
        let recorder = recording.watch(live.run().clone()).start()?;
        live.run().set_live(true, None);
        eprintln!("the dashboard is at {}", server.url());
        let is_stopped = AtomicBool::new(false);
        Ok(Self { recorder, live, server, is_stopped })
    }

    /// The address to open in a browser.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Runs a step of training: [`Recorder::run`]. Before it, waits while the page says so.
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run<'a, F: Fetch>(
        &self,
        session: &Session,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Decoder as Decode>::Output, abeyance_session::Error> {
        let save = || Err("this program does not save here".to_owned());
        if self.live.between_steps(session, &self.recorder, || false, save) {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
        self.recorder.run(session, fetches, feeds)
    }

    /// True if the page's Stop was pressed: then the program should end its training.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// Ends the recording. The page stays as long as the dashboard that this gives back, to look at
    /// what was learnt: [`Dashboard::wait`].
    ///
    /// # Errors
    /// The first thing that went wrong with writing.
    pub fn finish(self, session: &Session) -> Result<Self, Error> {
        let state = if self.is_stopped() { "stopped" } else { "done" };
        self.live.finish(session, &self.recorder, state)?;
        Ok(self)
    }

    /// Keeps the page open until the program is ended.
    pub fn wait(self) {
        eprintln!("the dashboard stays at {} until Ctrl-C", self.server.url());
        self.server.wait();
    }
}

impl Deref for Dashboard {
    type Target = Recorder;

    fn deref(&self) -> &Recorder {
        &self.recorder
    }
}
