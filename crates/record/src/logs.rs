//! A folder of runs: finds them, reads them, and goes on reading while they grow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::folder::event_files;
use crate::tail::Tail;
use crate::{Error, Run};

/// Folders below the one that is opened are looked into so deep.
const DEEPEST: usize = 8;
/// The most folders that are looked into.
const MOST_FOLDERS: usize = 10_000;
/// The time between two looks for new runs and files.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The most runs that are read at once, each with a file or two that is open meanwhile.
const MOST_AT_ONCE: usize = 100;
/// Events that are read of a run before another has its turn.
const TURN: usize = 5_000;

/// The runs in a folder and below: every folder with event files is one, of Abeyance, TensorFlow,
/// PyTorch or whoever writes them.
///
/// ```no_run
/// use abeyance_record::Logs;
/// let mut logs = Logs::open("runs")?;
/// while logs.read() > 0 {}
/// for run in logs.runs() {
///     println!("{}: step {}", run.id(), run.overview().step);
/// }
/// # Ok::<(), abeyance_record::Error>(())
/// ```
#[derive(Debug)]
pub struct Logs {
    root: PathBuf,
    name: String,
    runs: BTreeMap<PathBuf, Log>,
    looked: Option<Instant>,
    /// The duration of the last look.
    took: Duration,
    mistakes: Vec<Error>,
}

#[derive(Debug)]
struct Log {
    run: Arc<Run>,
    files: BTreeMap<PathBuf, Tail>,
}

impl Logs {
    /// Looks for runs; nothing of them is read yet.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let root = folder.as_ref().to_owned();
        std::fs::read_dir(&root).map_err(Error::disk("cannot read", &root))?;
        let name = name(&root);
        let mut logs = Self {
            root,
            name,
            runs: BTreeMap::new(),
            looked: None,
            took: Duration::ZERO,
            mistakes: Vec::new(),
        };
        logs.look();
        Ok(logs)
    }

    /// The runs found so far.
    pub fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.runs.values().map(|log| &log.run)
    }

    /// Takes the errors since the last call: files that were damaged or could not be read.
    pub fn mistakes(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.mistakes)
    }

    /// Reads some of what is new in each run, so that all of them show something soon, and gives
    /// how many events that were: 0 when there is nothing new now.
    pub fn read(&mut self) -> usize {
        // Looking through a large disk is not done all the time.
        let pause = LOOK_EVERY.max(self.took * 20);
        if self.looked.is_none_or(|looked| looked.elapsed() >= pause) {
            self.look();
        }
        // Of very many runs each is read to its end, and its files are closed, before the next.
        let turn = if self.runs.len() > MOST_AT_ONCE { usize::MAX } else { TURN };
        let mut count = 0;
        for log in self.runs.values_mut() {
            count += log.read(turn, &mut self.mistakes);
        }
        count
    }

    /// Looks for runs and files that are new, and for files that were replaced.
    fn look(&mut self) {
        let begin = Instant::now();
        let mut folders = vec![(self.root.clone(), 0)];
        let mut seen = 0;
        while let Some((folder, depth)) = folders.pop() {
            seen += 1;
            if seen > MOST_FOLDERS {
                break;
            }
            self.look_into(&folder);
            if depth == DEEPEST {
                continue;
            }
            // A folder that must not be read, or that is gone, has no runs.
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                // Links are not followed: they may lead round.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((entry.path(), depth + 1));
                }
            }
        }
        self.took = begin.elapsed();
        self.looked = Some(Instant::now());
    }

    fn look_into(&mut self, folder: &Path) {
        let files = event_files(folder).unwrap_or_default();
        if files.is_empty() {
            return;
        }
        let (root, name) = (&self.root, &self.name);
        let log = self.runs.entry(folder.to_owned()).or_insert_with(|| Log {
            run: Run::new(id(root, name, folder)),
            files: BTreeMap::new(),
        });
        log.files.retain(|path, reader| files.contains(path) && !reader.is_replaced());
        for path in files {
            log.files.entry(path.clone()).or_insert_with(|| Tail::new(path));
        }
    }
}

impl Log {
    fn read(&mut self, turn: usize, mistakes: &mut Vec<Error>) -> usize {
        let mut count = 0;
        for reader in self.files.values_mut() {
            while count < turn {
                match reader.next() {
                    Ok(Some((event, place))) => self.run.apply(&event, Some(&place)),
                    Ok(None) => break,
                    Err(error) => mistakes.push(error),
                }
                count += 1;
            }
        }
        count
    }
}

/// The name of the folder that was opened, also where it was opened as `.`.
fn name(root: &Path) -> String {
    let whole = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    whole.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The path of a run's folder below the one that was opened, with `/` between its parts on every
/// system; the opened folder's own run has that folder's name. `.` would not do: in an address it
/// is no part of the path.
fn id(root: &Path, name: &str, folder: &Path) -> String {
    let parts = folder.strip_prefix(root).unwrap_or(folder).components();
    let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.is_empty() {
        name.to_owned()
    } else if parts == [name] {
        format!("./{name}")
    } else {
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_an_id_that_can_stand_in_an_address() {
        let root = Path::new("/logs/one");
        let of = |folder: &str| id(root, &name(root), Path::new(folder));
        assert_eq!(of("/logs/one"), "one");
        assert_eq!(of("/logs/one/a/b"), "a/b");
        assert_eq!(of("/logs/one/one"), "./one", "another than the opened folder's");
        assert_eq!(name(Path::new("/")), "run");
        let here = std::env::current_dir().unwrap();
        assert_eq!(Some(name(Path::new(".")).as_str()), here.file_name().and_then(|n| n.to_str()));
    }
}
