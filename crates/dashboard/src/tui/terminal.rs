//! The terminal: taken as a whole, and given back whatever happens.

use std::io::{self, IsTerminal, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::Error;

/// True if the terminal is taken. A process has one.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Held while something is drawn, so that nothing is drawn into a terminal that was given back.
static DRAWING: Mutex<()> = Mutex::new(());
/// A thread that panics while it draws holds that lock itself, and waits no longer than this for
/// it.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);

/// True if a [`super::Tui`] has the terminal: then nothing else may write to the standard output or
/// the standard error.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::Acquire)
}

/// Takes the terminal.
pub(super) fn take() -> Result<(), Error> {
    let refused = |why: &str| Err(Error::Terminal { why: why.to_owned() });
    if !io::stdout().is_terminal() {
        return refused("the standard output is none");
    }
    if std::env::var_os("TERM").is_some_and(|name| name == "dumb") {
        return refused("this one (TERM=dumb) cannot move its cursor");
    }
    if TAKEN.swap(true, Ordering::AcqRel) {
        return refused("it is taken by another view of this process");
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
    let taken = enable_raw_mode().and_then(|()| execute!(io::stdout(), EnterAlternateScreen));
    taken.map_err(|error| {
        give_back();
        Error::Terminal { why: error.to_string() }
    })
}

/// Gives the terminal back as it was. Does nothing where it is not taken.
pub(super) fn give_back() {
    let _guard = DRAWING.try_lock_for(LOCK_TIMEOUT);
    if TAKEN.swap(false, Ordering::AcqRel) {
        // What fails here fails on a terminal that is gone.
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
    }
}

/// Draws, unless the terminal was given back.
pub(super) fn with<T>(draw: impl FnOnce() -> io::Result<T>) -> io::Result<Option<T>> {
    let _guard = DRAWING.lock();
    if is_taken() { draw().map(Some) } else { Ok(None) }
}
