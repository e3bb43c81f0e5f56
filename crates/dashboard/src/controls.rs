//! Pausing, stopping and saving a training from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// A request to a training, which it answers between two steps.
#[derive(Debug)]
pub enum ControlRequest {
    /// To save now, and to say how that went.
    Save(Reply),
    /// To end.
    Stop,
}

/// The channel for the answer to [`ControlRequest::Save`].
#[derive(Debug)]
pub struct Reply(Sender<Result<String, String>>);

impl Reply {
    /// Says what was done, or why it could not be done. Nobody listening any more is no harm.
    pub fn send(self, answer: Result<String, String>) {
        let _ = self.0.send(answer);
    }
}

/// The switches of a training: a server turns them, and the training looks at them once a step.
#[derive(Debug, Default)]
pub struct Controls {
    /// True if there is anything to look at: all that a step costs.
    is_asked: AtomicBool,
    requests: Mutex<Requests>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Requests {
    pause: bool,
    stop: bool,
    saves: Vec<Reply>,
}

impl Controls {
    /// Makes controls that ask for nothing.
    pub fn new() -> Self {
        Self::default()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock()
    }

    fn request(&self, change: impl FnOnce(&mut Requests)) {
        let mut requests = self.requests();
        change(&mut requests);
        self.is_asked.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    /// Asks the training to wait after its step.
    pub fn pause(&self) {
        self.request(|requests| requests.pause = true);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.request(|requests| requests.pause = false);
    }

    /// Asks it to end.
    pub fn stop(&self) {
        self.request(|requests| requests.stop = true);
    }

    /// Asks it to save, and gives where the answer comes.
    pub fn save(&self) -> Receiver<Result<String, String>> {
        let (sender, receiver) = channel();
        self.request(|requests| requests.saves.push(Reply(sender)));
        receiver
    }

    /// True if it is asked to wait.
    pub fn is_paused(&self) -> bool {
        self.requests().pause
    }

    /// Called by the training between two steps: what it is asked for. Waits while it is paused,
    /// unless `is_over` says that it has to end for another reason, and calls `waiting` then, with
    /// whether it begins or ends.
    pub fn check(
        &self,
        is_over: impl Fn() -> bool,
        mut waiting: impl FnMut(bool),
    ) -> Option<ControlRequest> {
        if !self.is_asked.load(Ordering::Acquire) {
            return None;
        }
        let mut requests = self.requests();
        let mut waits = false;
        loop {
            let request = match requests.saves.pop() {
                Some(reply) => Some(ControlRequest::Save(reply)),
                None if requests.stop => Some(ControlRequest::Stop),
                None => None,
            };
            if request.is_some() || !requests.pause || is_over() {
                let is_more = requests.stop || requests.pause || !requests.saves.is_empty();
                self.is_asked.store(is_more, Ordering::Release);
                drop(requests);
                if waits {
                    waiting(false);
                }
                return request;
            }
            if !waits {
                waits = true;
                drop(requests);
                waiting(true);
                requests = self.requests();
                continue;
            }
            self.changed.wait_for(&mut requests, Duration::from_millis(100));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn nothing_asked_is_nothing_to_do() {
        assert!(Controls::new().check(|| false, |_| panic!("it does not wait")).is_none());
    }

    #[test]
    fn a_pause_waits_until_it_is_over_and_saves_in_between() {
        let controls = Arc::new(Controls::new());
        controls.pause();
        let answer = controls.save();
        match controls.check(|| false, |_| ()) {
            Some(ControlRequest::Save(reply)) => reply.send(Ok("saved".to_owned())),
            other => panic!("{other:?}"),
        }
        assert_eq!(answer.recv().unwrap().unwrap(), "saved");
        let other = controls.clone();
        let resumer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            other.resume();
        });
        let mut seen = Vec::new();
        assert!(controls.check(|| false, |begins| seen.push(begins)).is_none());
        assert_eq!(seen, [true, false]);
        resumer.join().unwrap();
    }

    #[test]
    fn a_pause_does_not_outlast_the_training() {
        let controls = Controls::new();
        controls.pause();
        assert!(controls.check(|| true, |_| ()).is_none());
    }

    #[test]
    fn a_stop_ends_a_pause() {
        let controls = Controls::new();
        controls.pause();
        controls.stop();
        assert!(matches!(controls.check(|| false, |_| ()), Some(ControlRequest::Stop)));
    }
}
