//! Browsers and programs to point them at.

mod browser;
mod driver;
mod programs;
mod recordings;

use std::time::{Duration, Instant};

pub use browser::{Browser, in_browser};
pub use programs::{Program, abeyance, graph_file};
pub use recordings::{Folder, two_recorded_runs};

/// Longer than anything takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);

/// Asks again and again until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(40));
    }
}
