//! Finished runs as one HTML file, which shows them without a server.
//!
//! - `export/document.rs`: the page with its modules and styles in it
//! - `export/recording.rs`: the answers that a server would give, as one JSON object

mod document;
mod recording;

use std::io::{self, Write};
use std::path::Path;

use abeyance_storage::{Disk, replace};

use crate::{Error, Runs};

/// A browser reads the file as one text and keeps it twice.
const MOST_BYTES: u64 = 200_000_000;

/// Writes what runs have recorded so far into an HTML file, and gives its size in bytes.
///
/// The file has the page, its modules and the recording in it, and asks for nothing: it can be
/// mailed, and opened from a disk. Curves are of at most 5,000 points; of training batches,
/// evaluations, traces and images 200 are taken, evenly spread over the steps, where there are
/// more. Drawing a digit and controlling a training need a server and are left out. A file at
/// `path` is replaced as a whole or stays.
///
/// ```no_run
/// use abeyance_dashboard::{export, read_folder};
/// let (runs, mistakes) = read_folder("runs")?;
/// for mistake in mistakes {
///     eprintln!("note: {mistake}");
/// }
/// let bytes = export(&runs, "runs.html")?;
/// println!("wrote `runs.html`: {bytes} bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// There are no runs, they make more than 200 MB, or the file cannot be written.
pub fn export(runs: &Runs, path: impl AsRef<Path>) -> Result<u64, Error> {
    export_within(runs, path.as_ref(), MOST_BYTES)
}

fn export_within(runs: &Runs, path: &Path, most: u64) -> Result<u64, Error> {
    if runs.list().is_empty() {
        return Err(Error::NothingToExport);
    }
    let mut count = 0;
    let mut is_full = false;
    let written = replace(&Disk, path, |out| {
        let mut out = Limited { out, count: 0, most, is_full: false };
        let done = write(runs, &mut out);
        (count, is_full) = (out.count, out.is_full);
        done
    });
    match written {
        Ok(()) => Ok(count),
        Err(_) if is_full => Err(Error::TooLarge { most }),
        Err(source) => Err(Error::Write { path: path.to_owned(), source }),
    }
}

fn write(runs: &Runs, out: &mut dyn Write) -> io::Result<()> {
    let [before, after] = document::around();
    out.write_all(before.as_bytes())?;
    recording::write(runs, out)?;
    out.write_all(after.as_bytes())
}

/// Counts bytes, and takes no more than some.
struct Limited<'a> {
    out: &'a mut dyn Write,
    count: u64,
    most: u64,
    is_full: bool,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.count.saturating_add(bytes.len() as u64) > self.most {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let count = self.out.write(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ShownRun;
    use abeyance_record::Run;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder =
            std::env::temp_dir().join(format!("abeyance-export-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn nothing_to_show_is_no_file() {
        let path = folder("none").join("a.html");
        assert!(matches!(export(&Runs::new(), &path), Err(Error::NothingToExport)));
        assert!(!path.exists());
    }

    #[test]
    fn the_size_that_is_told_is_the_files() {
        let runs = Runs::new();
        runs.add(ShownRun::recorded(Run::new("a")));
        let path = folder("size").join("a.html");
        let bytes = export(&runs, &path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
        assert_eq!(export(&runs, &path).unwrap(), bytes, "again, over the old one");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let runs = Runs::new();
        runs.add(ShownRun::recorded(Run::new("a")));
        let path = folder("gone").join("none").join("a.html");
        let error = export(&runs, &path).unwrap_err().to_string();
        assert!(error.contains("none/a.html"), "{error}");
    }

    #[test]
    fn too_much_is_refused_and_leaves_no_file() {
        let runs = Runs::new();
        runs.add(ShownRun::recorded(Run::new("a")));
        let folder = folder("much");
        let path = folder.join("a.html");
        let bytes = export_within(&runs, &path, u64::MAX).unwrap();
        std::fs::remove_file(&path).unwrap();
        let refused = export_within(&runs, &path, bytes - 1);
        assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        assert_eq!(export_within(&runs, &path, bytes).unwrap(), bytes);
    }
}
