//! A training in a terminal, for people on ssh: curves, the batch, how weights are spread.
//!
//! - `tui/terminal.rs`: takes the terminal and gives it back; `tui/keys.rs`: what keys do
//! - `tui/scene.rs`: what is seen, read from a run; `tui/view.rs`: where it stands;
//!   `tui/palette.rs`: colours, or none
//! - `tui/curves.rs`, `tui/digits.rs`, `tui/bars.rs`: the parts

mod bars;
mod curves;
mod digits;
mod keys;
mod palette;
mod scene;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use abeyance_record::Run;

use self::keys::{AfterKey, KeyState};
use self::palette::Palette;
use self::scene::Scene;
use crate::{Controls, Error, Runs, ShownRun};

/// The time between two pictures.
const PERIOD: Duration = Duration::from_millis(100);

/// A view of runs that fills the terminal, on a thread of its own. It only reads; dropping it gives
/// the terminal back, as a panic of any thread does.
///
/// While [`is_on`] nothing else may write to the terminal: what a program has to say meanwhile goes
/// to [`Tui::say`], and is given back in the end by [`Tui::finish`].
///
/// ```no_run
/// # use std::sync::Arc;
/// # use abeyance_dashboard::{Controls, tui::Tui};
/// # use abeyance_record::Run;
/// # fn train(run: &Run, controls: &Controls) {}
/// let (run, controls) = (Run::new("mnist"), Arc::new(Controls::new()));
/// let tui = Tui::start(run.clone(), Some(controls.clone()))?;
/// train(&run, &controls);
/// for said in tui.finish() {
///     eprintln!("{said}");
/// }
/// # Ok::<(), abeyance_dashboard::Error>(())
/// ```
#[derive(Debug)]
pub struct Tui {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    said: Mutex<Vec<String>>,
}

impl Shared {
    fn said(&self) -> MutexGuard<'_, Vec<String>> {
        self.said.lock()
    }
}

/// True if a view has the terminal, of which a process has one.
pub fn is_on() -> bool {
    terminal::is_taken()
}

/// Gives the terminal back, for who is about to end the process without dropping the view.
pub fn restore() {
    terminal::give_back();
}

impl Tui {
    /// Shows a run, which its controls stop, pause and save where it trains in this process.
    ///
    /// # Errors
    /// The standard output is no terminal, or another view has it.
    pub fn start(run: Arc<Run>, controls: Option<Arc<Controls>>) -> Result<Self, Error> {
        let runs = Runs::new();
        runs.add(ShownRun { run, controls, predictor: None });
        Self::of(runs)
    }

    /// Shows runs, one at a time; those that are added later too.
    ///
    /// # Errors
    /// As [`Tui::start`].
    pub fn of(runs: Runs) -> Result<Self, Error> {
        terminal::take()?;
        let shared = Arc::new(Shared::default());
        let others = shared.clone();
        let show = move || {
            // What fails here fails on a terminal that is gone: training goes on without it.
            let _ = show(&runs, &others);
            terminal::give_back();
        };
        let thread = std::thread::Builder::new().name("terminal".to_owned()).spawn(show);
        let thread = thread.map_err(|source| {
            terminal::give_back();
            Error::Start { source }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows a line to the user in place of the keys, until a key is pressed.
    pub fn say(&self, text: impl Into<String>) {
        self.shared.said().push(text.into());
    }

    /// Waits until the user leaves.
    pub fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Gives the terminal back, and what was said: it was seen for a while at most.
    pub fn finish(mut self) -> Vec<String> {
        self.end();
        std::mem::take(&mut *self.shared.said())
    }

    fn end(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.wait();
        terminal::give_back();
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.end();
    }
}

/// Draws what is new and does what keys say, until it is over or the user leaves.
fn show(runs: &Runs, shared: &Shared) -> io::Result<()> {
    let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
    let palette = Palette::of_environment();
    let (mut keys, mut scene) = (KeyState::default(), Scene::default());
    let mut heard = 0;
    let mut drawn: Option<(String, u64)> = None;
    let mut is_stale = true;
    let mut next = Instant::now();
    while !shared.is_over.load(Ordering::Acquire) && is_on() {
        let wait = next.saturating_duration_since(Instant::now());
        if event::poll(wait)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if keys.press(key, runs) == AfterKey::Leave {
                        return Ok(());
                    }
                    is_stale = true;
                }
                Event::Resize(..) => is_stale = true,
                _ => {}
            }
        }
        if Instant::now() < next {
            continue;
        }
        next = Instant::now() + PERIOD;
        {
            let said = shared.said();
            if said.len() > heard {
                keys.options.message = said.last().cloned();
                (heard, is_stale) = (said.len(), true);
            }
        }
        is_stale |= keys.listen();
        let Some(shown) = keys.shown(runs) else { continue };
        if keys.has_left() {
            return Ok(());
        }
        let now = (shown.run.id().to_owned(), shown.run.changes());
        if drawn.as_ref() != Some(&now) {
            if drawn.as_ref().map(|(id, _)| id) != Some(&now.0) {
                scene = Scene::default();
            }
            scene.read(&shown.run);
            drawn = Some(now);
            is_stale = true;
        }
        if std::mem::take(&mut is_stale) {
            let picture = || {
                terminal.draw(|frame| view::draw(frame, &scene, &keys.options, palette)).map(drop)
            };
            terminal::with(picture)?;
        }
    }
    Ok(())
}
