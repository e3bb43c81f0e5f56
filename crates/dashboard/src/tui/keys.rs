//! The keys and their actions.

use std::sync::mpsc::{Receiver, TryRecvError};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::ViewOptions;
use crate::{Runs, ShownRun};

/// The effect of a key on the view: it stays, or the user leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterKey {
    Stay,
    Leave,
}

/// The user's choices, and the answers that are awaited.
#[derive(Debug, Default)]
pub(super) struct KeyState {
    pub(super) options: ViewOptions,
    run: Option<String>,
    is_stopping: bool,
    /// The training has ended: there is nothing to control any more.
    is_over: bool,
    saving: Option<Receiver<Result<String, String>>>,
}

impl KeyState {
    /// The run that is looked at, or the first.
    pub(super) fn shown(&mut self, runs: &Runs) -> Option<ShownRun> {
        let list = runs.list();
        let place = list.iter().position(|shown| Some(shown.run.id()) == self.run.as_deref());
        let place = place.unwrap_or(0);
        let count = list.len();
        let mut shown = list.into_iter().nth(place)?;
        self.is_over = is_over(&shown);
        if self.is_over {
            shown.controls = None;
        }
        self.run = Some(shown.run.id().to_owned());
        self.options.place = [place + 1, count];
        self.options.has_controls = shown.controls.is_some();
        Some(shown)
    }

    /// True if the training has ended as the user asked it to, with which he has left.
    pub(super) fn has_left(&self) -> bool {
        self.is_stopping && self.is_over
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: KeyEvent, runs: &Runs) -> AfterKey {
        let is_help = std::mem::take(&mut self.options.is_help);
        self.options.message = None;
        let controls = self.shown(runs).and_then(|shown| shown.controls);
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('q') | KeyCode::Char('c')
                if key.code == KeyCode::Char('q') || is_control =>
            {
                match controls {
                    Some(controls) if !self.is_stopping => {
                        controls.stop();
                        self.is_stopping = true;
                        self.say("stopping after this step; q again leaves this view");
                    }
                    _ => return AfterKey::Leave,
                }
            }
            KeyCode::Char(' ') => match controls {
                Some(controls) if controls.is_paused() => {
                    controls.resume();
                    self.say("going on");
                }
                Some(controls) => {
                    controls.pause();
                    self.say("pausing; space goes on");
                }
                None => self.say("this run does not train here: there is nothing to pause"),
            },
            KeyCode::Char('s') => match controls {
                Some(controls) => {
                    self.saving = Some(controls.save());
                    self.say("saving");
                }
                None => self.say("this run does not train here: there is nothing to save"),
            },
            KeyCode::Char('z') => self.options.is_zoomed = !self.options.is_zoomed,
            KeyCode::Char('?' | 'h') => self.options.is_help = !is_help,
            KeyCode::Tab => self.turn(runs, 1),
            KeyCode::BackTab => self.turn(runs, -1),
            _ => {}
        }
        AfterKey::Stay
    }

    /// Hears how saving went, and gives whether there is anything new to say.
    pub(super) fn listen(&mut self) -> bool {
        let Some(saving) = &self.saving else { return false };
        let said = match saving.try_recv() {
            Ok(Ok(said)) => said,
            Ok(Err(why)) => format!("not saved: {why}"),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => "not saved: the training has ended".to_owned(),
        };
        self.saving = None;
        self.say(&said);
        true
    }

    fn say(&mut self, text: &str) {
        self.options.message = Some(text.to_owned());
    }

    /// Looks at another run.
    fn turn(&mut self, runs: &Runs, by: isize) {
        let list = runs.list();
        let place = list.iter().position(|shown| Some(shown.run.id()) == self.run.as_deref());
        let place =
            place.unwrap_or(0).checked_add_signed(by).unwrap_or(list.len().saturating_sub(1));
        let next = list.get(place).or(list.first());
        self.run = next.map(|shown| shown.run.id().to_owned());
    }
}

fn is_over(shown: &ShownRun) -> bool {
    let state = shown.run.overview().state.unwrap_or_default();
    matches!(state.as_str(), "done" | "stopped") || state.starts_with("failed")
}
