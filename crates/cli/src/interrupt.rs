//! Requests to stop: Ctrl-C, and on Unix SIGTERM and SIGHUP.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Error;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Remembers requests to stop from now on, without a message: for commands with nothing to lose.
pub fn listen_quietly() -> Result<(), Error> {
    ctrlc::set_handler(|| REQUESTED.store(true, Ordering::Relaxed))
        .map_err(|error| Error::Failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// Remembers the first request to stop from now on, with a message. The second one ends the program
/// at once.
pub fn listen() -> Result<(), Error> {
    let request = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            abeyance_dashboard::tui::restore();
            std::process::exit(130);
        }
        if abeyance_dashboard::tui::is_on() {
            return;
        }
        eprintln!("\nstopping after this step; press Ctrl-C again to stop at once and lose it");
    };
    ctrlc::set_handler(request)
        .map_err(|error| Error::Failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// Returns true if a stop was requested.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
