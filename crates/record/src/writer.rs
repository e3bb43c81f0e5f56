//! Writes event files.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::proto::{Event, Value, What};
use crate::{Error, Place, frame};

/// The first record of a file.
pub const VERSION: &str = "brain.Event:2";
/// The part that the names of event files have in common. TensorBoard takes every file for one
/// whose name has it.
pub const MARK: &str = "tfevents";
/// The most bytes that wait in memory. When there are more, they go to the disk by themselves.
const MOST_PENDING: usize = 1 << 18;

/// Writes events to a file of its own, named as TensorFlow names them:
/// `events.out.tfevents.SECONDS.HOST.PID.N`.
///
/// What a tag is shown by ([`Value::metadata`]) is written with its first value only.
#[derive(Debug)]
pub struct EventWriter {
    path: Arc<Path>,
    file: File,
    /// Bytes that are written already.
    written: u64,
    /// Bytes that are not.
    pending: Vec<u8>,
    tags: HashSet<Box<str>>,
}

impl EventWriter {
    /// A new file in a folder, which is made if it is not there. Its first record is the version.
    ///
    /// # Errors
    /// The folder or the file cannot be made.
    pub fn create(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(Error::disk("cannot make the folder", folder))?;
        let now = now();
        loop {
            let path = folder.join(fresh_name(now as u64));
            let file = match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                file => file.map_err(Error::disk("cannot make", &path))?,
            };
            let path = path.into();
            let mut writer =
                Self { path, file, written: 0, pending: Vec::new(), tags: HashSet::new() };
            writer.append(&version(now))?;
            writer.flush()?;
            return Ok(writer);
        }
    }

    /// Goes on at the end of a file whose tags are known.
    pub(crate) fn go_on(path: &Path, tags: HashSet<Box<str>>) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(Error::disk("cannot open", path))?;
        let written = file.metadata().map_err(Error::disk("cannot open", path))?.len();
        Ok(Self { path: path.into(), file, written, pending: Vec::new(), tags })
    }

    /// The file.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Bytes of the file, with those that are not on the disk yet.
    pub fn len(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// True if there is not even a version.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an event, which is on the disk after a [`EventWriter::flush`], or once enough has
    /// gathered.
    ///
    /// # Errors
    /// As [`EventWriter::flush`].
    pub fn append(&mut self, event: &Event) -> Result<Place, Error> {
        let place = Place { file: self.path.clone(), offset: self.len() };
        push(&mut self.pending, event, &mut self.tags);
        if self.pending.len() > MOST_PENDING {
            self.flush()?;
        }
        Ok(place)
    }

    /// Hands all that was added to the operating system.
    ///
    /// # Errors
    /// The disk is full, for instance. A later flush goes on where this one stopped.
    pub fn flush(&mut self) -> Result<(), Error> {
        let mut done = 0;
        let result = loop {
            match self.pending.get(done..) {
                None | Some([]) => break Ok(()),
                Some(rest) => match self.file.write(rest) {
                    Ok(0) => break Err(ErrorKind::WriteZero.into()),
                    Ok(count) => done += count,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.written += done as u64;
        self.pending.drain(..done);
        result.map_err(Error::disk("cannot write", &self.path))
    }

    /// Ends it, without what could not be written: after a record that is cut nothing must follow.
    pub(crate) fn abandon(mut self) {
        self.pending.clear();
    }

    /// Has the disk keep what was written, whatever happens to the machine.
    ///
    /// # Errors
    /// As [`EventWriter::flush`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.sync_data().map_err(Error::disk("cannot write", &self.path))
    }
}

impl Drop for EventWriter {
    fn drop(&mut self) {
        // Who wants to know of errors has flushed.
        let _ = self.flush();
    }
}

/// Adds an event's record, without what is known of the tags already.
pub(crate) fn push(out: &mut Vec<u8>, event: &Event, tags: &mut HashSet<Box<str>>) {
    let Some(What::Summary(summary)) = &event.what else {
        return frame::push(out, &event.encode_to_vec());
    };
    let told = |value: &Value| value.metadata.is_some() && tags.contains(value.tag.as_str());
    if summary.value.iter().any(told) {
        let mut summary = summary.clone();
        for value in &mut summary.value {
            if tags.contains(value.tag.as_str()) {
                value.metadata = None;
            }
        }
        let event = Event { what: Some(What::Summary(summary)), ..*event };
        frame::push(out, &event.encode_to_vec());
    } else {
        frame::push(out, &event.encode_to_vec());
    }
    for value in summary.value.iter().filter(|value| value.metadata.is_some()) {
        if !tags.contains(value.tag.as_str()) {
            tags.insert(value.tag.as_str().into());
        }
    }
}

/// The first record.
pub(crate) fn version(now: f64) -> Event {
    Event { wall_time: now, step: 0, what: Some(What::FileVersion(VERSION.to_owned())) }
}

/// A name that this process has not given yet.
pub(crate) fn fresh_name(seconds: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("events.out.{MARK}.{seconds:010}.{}.{}.{number}", host(), std::process::id())
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The machine's name, as it may stand in a file's name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.chars().take(64).map(plain).collect(),
    }
}
