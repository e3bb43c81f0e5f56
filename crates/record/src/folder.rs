//! The files of a run's folder: which are its events, and making them end at a step.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use abeyance_storage::{Disk, Storage, replace};

use crate::proto::{Event, SummaryMetadata, What};
use crate::writer::{MARK, now, push, version};
use crate::{Error, EventReader, EventWriter};

/// `SessionLog::START`, at which TensorBoard's EventAccumulator forgets all that is later.
const START: i32 = 1;

/// The event files of a folder, by name: in the order in which TensorBoard reads them.
///
/// # Errors
/// The folder cannot be read.
pub fn event_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, Error> {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).map_err(Error::disk("cannot read", folder))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::disk("cannot read", folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        // What is being written by `replace` is hidden.
        if name.is_some_and(|name| name.contains(MARK) && !name.starts_with('.')) && path.is_file()
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What was found wrong in files that were read over.
pub type Damage = Vec<String>;

/// Makes a run's recording end at `step`: the events of all files of the folder up to it, in the newest of them, which is
/// replaced as a whole; the others are removed. Where a later file went back in steps, its values are the ones that count. The writer goes on in
/// that file. Damaged records are left out and told.
///
/// # Errors
/// The disk objects. The recording is then as it was, or has some files more that hold nothing else.
pub fn resume(folder: impl AsRef<Path>, step: i64) -> Result<(EventWriter, Damage), Error> {
    resume_on(&Disk, folder.as_ref(), step)
}

pub(crate) fn resume_on(
    storage: &dyn Storage,
    folder: &Path,
    step: i64,
) -> Result<(EventWriter, Damage), Error> {
    let files = event_files(folder)?;
    let Some((newest, older)) = files.split_last() else {
        return Ok((EventWriter::create(folder)?, Vec::new()));
    };
    let mut damage = Vec::new();
    let firsts = first_steps(&files, &mut damage)?;
    let mut tags = HashSet::new();
    let written = replace(storage, newest, |out| {
        tags = copy(&files, &firsts, step, out).map_err(io::Error::other)?;
        Ok(())
    });
    written.map_err(Error::disk("cannot rewrite", newest))?;
    for file in older {
        storage.remove(file).map_err(Error::disk("cannot remove", file))?;
    }
    Ok((EventWriter::go_on(newest, tags)?, damage))
}

/// For each file the first step of each tag in it.
fn first_steps(files: &[PathBuf], damage: &mut Damage) -> Result<Vec<HashMap<String, i64>>, Error> {
    let mut firsts = Vec::new();
    for file in files {
        let mut first: HashMap<String, i64> = HashMap::new();
        each(file, |result| {
            match result {
                Err(error) => damage.push(error.to_string()),
                Ok(event) => {
                    for tag in tags(&event) {
                        let known = first.get_mut(tag);
                        match known {
                            Some(known) => *known = event.step.min(*known),
                            None => drop(first.insert(tag.to_owned(), event.step)),
                        }
                    }
                }
            }
            Ok(())
        })?;
        firsts.push(first);
    }
    Ok(firsts)
}

/// What an event speaks of: the tags of its values, or a word of its own for what has none.
fn tags(event: &Event) -> Vec<&str> {
    match &event.what {
        Some(What::Summary(summary)) => summary.value.iter().map(|value| &*value.tag).collect(),
        Some(What::GraphDef(_) | What::MetaGraphDef(_)) => vec!["\0graph"],
        _ => Vec::new(),
    }
}

/// Writes the events up to a step, of each tag those that no later file begins before. Gives the tags.
fn copy(
    files: &[PathBuf],
    firsts: &[HashMap<String, i64>],
    step: i64,
    out: &mut dyn Write,
) -> Result<HashSet<Box<str>>, Error> {
    let mut known = HashSet::new();
    let mut shown: HashMap<String, SummaryMetadata> = HashMap::new();
    let mut record = Vec::new();
    let mut put = |event: &Event, out: &mut dyn Write| {
        record.clear();
        push(&mut record, event, &mut known);
        out.write_all(&record).map_err(Error::disk("cannot write", Path::new("event file")))
    };
    put(&version(now()), out)?;
    for (index, file) in files.iter().enumerate() {
        let later = firsts.get(index + 1..).unwrap_or_default();
        let counts = |tag: &str, at: i64| {
            at <= step && later.iter().all(|first| first.get(tag).is_none_or(|&first| at < first))
        };
        each(file, |result| {
            let Ok(mut event) = result else { return Ok(()) };
            match &mut event.what {
                Some(What::FileVersion(_)) => return Ok(()),
                Some(What::SessionLog(log)) if log.status == START => return Ok(()),
                Some(What::Summary(summary)) => {
                    for value in &mut summary.value {
                        match &value.metadata {
                            Some(metadata) => {
                                drop(shown.insert(value.tag.clone(), metadata.clone()));
                            }
                            None => value.metadata = shown.get(&value.tag).cloned(),
                        }
                    }
                    let at = event.step;
                    summary.value.retain(|value| counts(&value.tag, at));
                    if summary.value.is_empty() {
                        return Ok(());
                    }
                }
                Some(What::GraphDef(_) | What::MetaGraphDef(_)) => {
                    if !counts("\0graph", event.step) {
                        return Ok(());
                    }
                }
                _ if event.step > step => return Ok(()),
                _ => {}
            }
            put(&event, out)
        })?;
    }
    Ok(known)
}

/// Calls for every event of a file and for everything that is damaged in it.
pub(crate) fn each(
    file: &Path,
    mut call: impl FnMut(Result<Event, Error>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut reader = EventReader::open(file)?;
    loop {
        match reader.next() {
            Ok(Some((event, _))) => call(Ok(event))?,
            Ok(None) => return Ok(()),
            Err(error @ Error::Disk { .. }) => return Err(error),
            Err(error) => call(Err(error))?,
        }
    }
}
