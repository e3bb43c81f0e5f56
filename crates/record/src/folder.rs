//! The files of a run's folder: which are its events, and making them end at a step.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use abeyance_storage::{Disk, Storage, replace};

use crate::proto::{Event, SummaryMetadata, What};
use crate::writer::{MARK, fresh_name, now, push, version};
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

/// Stands for the graph among tags.
const GRAPH: &str = "\0graph";

/// Descriptions of the damage in files that were read over.
pub type Damage = Vec<String>;

/// Makes a run's recording end at `step`: the events of all files of the folder up to it, in one
/// new file, which is there as a whole or not at all; then the others are removed. Where a later
/// file went back in steps, its values are the ones that count. Damaged records are left out and
/// told. The writer goes on in the new file.
///
/// It has a name of its own, which sorts last: a TensorBoard that is looking at the folder would
/// not see that a file that it has open was replaced.
///
/// # Errors
/// The disk objects. The recording is then as it was, or has some files more that hold nothing
/// else.
pub fn resume(folder: impl AsRef<Path>, step: i64) -> Result<(EventWriter, Damage), Error> {
    resume_on(&Disk, folder.as_ref(), step)
}

pub(crate) fn resume_on(
    storage: &dyn Storage,
    folder: &Path,
    step: i64,
) -> Result<(EventWriter, Damage), Error> {
    let files = event_files(folder)?;
    let Some(newest) = files.last() else {
        return Ok((EventWriter::create(folder)?, Vec::new()));
    };
    let mut damage = Vec::new();
    let firsts = first_steps(&files, &mut damage)?;
    let mut tags = HashSet::new();
    let path = folder.join(fresh_name(seconds(newest).saturating_add(1).max(now() as u64)));
    let written = replace(storage, &path, |out| {
        tags = copy(&files, &firsts, step, out).map_err(io::Error::other)?;
        Ok(())
    });
    written.map_err(Error::disk("cannot write", &path))?;
    for file in &files {
        storage.remove(file).map_err(Error::disk("cannot remove", file))?;
    }
    Ok((EventWriter::go_on(&path, tags)?, damage))
}

/// The seconds in a file's name; 0 where there are none.
fn seconds(path: &Path) -> u64 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let behind = name.split_once(MARK).map_or("", |(_, behind)| behind.trim_start_matches('.'));
    let digits = behind.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    // Of more digits than a time has, as others may name files, nothing follows.
    digits.parse().ok().filter(|&seconds: &u64| seconds < 9_999_999_999).unwrap_or(0)
}

/// For each file the first step of each tag in it.
fn first_steps(files: &[PathBuf], damage: &mut Damage) -> Result<Vec<HashMap<String, i64>>, Error> {
    let mut firsts = Vec::new();
    for file in files {
        let mut first: HashMap<String, i64> = HashMap::new();
        for_each_event(file, |result| {
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

/// The tags of an event's values, or a word of its own for an event that has none.
fn tags(event: &Event) -> Vec<&str> {
    match &event.what {
        Some(What::Summary(summary)) => summary.value.iter().map(|value| &*value.tag).collect(),
        Some(What::GraphDef(_) | What::MetaGraphDef(_)) => vec![GRAPH],
        _ => Vec::new(),
    }
}

/// Writes the events up to a step, of each tag those that no later file begins before. Gives the
/// tags.
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
        for_each_event(file, |result| {
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
                Some(What::GraphDef(_) | What::MetaGraphDef(_)) if counts(GRAPH, event.step) => {}
                Some(What::GraphDef(_) | What::MetaGraphDef(_)) => return Ok(()),
                _ if event.step > step => return Ok(()),
                _ => {}
            }
            put(&event, out)
        })?;
    }
    Ok(known)
}

/// Calls for every event of a file and for everything that is damaged in it.
pub(crate) fn for_each_event(
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

#[cfg(test)]
mod tests {
    use abeyance_storage::FaultyDisk;

    use super::*;
    use crate::summary;

    /// Steps and numbers of the tag in a folder, as TensorBoard reads them.
    fn read(folder: &Path) -> Vec<(i64, f32)> {
        let mut found = std::collections::BTreeMap::new();
        for file in event_files(folder).unwrap() {
            let mut of_file = std::collections::BTreeMap::new();
            for_each_event(&file, |event| {
                let event = event?;
                if let Some(What::Summary(summary)) = &event.what
                    && let Some(crate::proto::Content::Tensor(tensor)) = &summary.value[0].content
                {
                    of_file.insert(event.step, tensor.number().unwrap() as f32);
                }
                Ok(())
            })
            .unwrap();
            // Of two files the later one counts.
            found = of_file;
        }
        found.into_iter().collect()
    }

    #[test]
    fn whatever_fails_the_recording_is_the_old_one_or_the_new_one() {
        let folder = std::env::temp_dir().join(format!("abeyance-record-{}", std::process::id()));
        let write = || {
            let _ = std::fs::remove_dir_all(&folder);
            for (from, to, number) in [(0, 6, 1.0), (0, 9, 2.0)] {
                let mut writer = EventWriter::create(&folder).unwrap();
                for step in from..to {
                    let value = vec![summary::scalar("loss", number)];
                    writer.append(&summary::event(1.0, step, value)).unwrap();
                }
            }
        };
        let old: Vec<(i64, f32)> = (0..9).map(|step| (step, 2.0)).collect();
        let new = &old[..=4];
        let mut outcomes = [0, 0];
        for call in 0.. {
            write();
            let disk = FaultyDisk::at(call);
            let result = resume_on(&disk, &folder, 4);
            assert_eq!(result.is_err(), disk.has_failed(), "call {call}");
            if !disk.has_failed() {
                assert_eq!(read(&folder), new);
                break;
            }
            let found = read(&folder);
            assert!(found == old || found == new, "call {call}: {found:?}");
            outcomes[usize::from(found == new)] += 1;
            // And it can be tried again.
            resume(&folder, 4).unwrap();
            assert_eq!(read(&folder), new);
            assert_eq!(event_files(&folder).unwrap().len(), 1);
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(outcomes[0] > 3 && outcomes[1] > 1, "{outcomes:?}");
    }
}
