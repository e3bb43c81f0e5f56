//! Shows what is in a folder, and goes on reading it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use abeyance_record::{Error, Logs};

use crate::runs::{Runs, ShownRun};

/// The time between two looks at files that have not grown.
const PERIOD: Duration = Duration::from_millis(250);

/// Reads a folder's runs on a thread of its own, and adds them to those that are shown. It ends
/// when this is dropped.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins. `tell` is called with what cannot be read.
    ///
    /// # Errors
    /// The folder cannot be read, or no thread can be made.
    pub fn start(
        folder: impl AsRef<Path>,
        runs: Runs,
        mut tell: impl FnMut(Error) + Send + 'static,
    ) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let mut logs = Logs::open(folder)?;
        add(&logs, &runs);
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let follow = move || {
            while !over.load(Ordering::Relaxed) {
                let count = logs.read();
                add(&logs, &runs);
                logs.mistakes().into_iter().for_each(&mut tell);
                if count == 0 {
                    std::thread::park_timeout(PERIOD);
                }
            }
        };
        let thread = std::thread::Builder::new().name("recordings".to_owned()).spawn(follow);
        let thread = thread.map_err(|source| Error::Disk {
            what: "cannot start a thread for",
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self { is_over, thread: Some(thread) })
    }
}

/// Reads a folder's runs to where they end now, and gives them with what of them cannot be read.
///
/// # Errors
/// The folder cannot be read.
pub fn read_folder(folder: impl AsRef<Path>) -> Result<(Runs, Vec<Error>), Error> {
    let (mut logs, runs) = (Logs::open(folder)?, Runs::new());
    while logs.read() > 0 {}
    add(&logs, &runs);
    Ok((runs, logs.mistakes()))
}

/// Adds the runs that are new; one that trains in this process stays as it is.
fn add(logs: &Logs, runs: &Runs) {
    for run in logs.runs() {
        if runs.get(run.id()).is_none() {
            runs.add(ShownRun::recorded(run.clone()));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
