//! Being asked to stop: Ctrl-C, and on Unix SIGTERM and SIGHUP.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on being asked to stop is remembered, for what has nothing to lose.
pub fn listen_quietly() -> Result<(), Failure> {
    ctrlc::set_handler(|| ASKED.store(true, Ordering::Relaxed))
        .map_err(|error| Failure::Failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// From now on being asked to stop is remembered; being asked again ends the program at once.
pub fn listen() -> Result<(), Failure> {
    let asked = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            abeyance_dashboard::tui::restore();
            std::process::exit(130);
        }
        if abeyance_dashboard::tui::is_on() {
            return;
        }
        eprintln!("\nstopping after this step; press Ctrl-C again to stop at once and lose it");
    };
    ctrlc::set_handler(asked)
        .map_err(|error| Failure::Failed(format!("cannot listen for Ctrl-C: {error}")))
}

/// Whether it is time to stop.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
