//! Folders, and trainings recorded once for all tests.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use super::programs::{abeyance, graph_file};

/// A folder, removed when this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Empty.
    pub fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("abeyance-browser-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With the two runs of [`two_recorded_runs`].
    pub fn with_two_runs(name: &str) -> Self {
        let folder = Self::new(name);
        for run in ["relu", "sigmoid"] {
            Self::copy_run(run, &folder.0);
        }
        folder
    }

    /// Copies one of the runs of [`two_recorded_runs`] into a folder.
    pub fn copy_run(run: &str, to: &Path) {
        copy(&two_recorded_runs().join(run), &to.join(run));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A folder with the runs `relu` and `sigmoid`, of 200 steps. All tests read the same; it lies
/// among what was built, and is made anew by the next run of the tests.
pub fn two_recorded_runs() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-recorded-runs");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for run in ["relu", "sigmoid"] {
            let mut command = abeyance(&folder);
            command.arg("train").arg(graph_file(&format!("mnist_mlp_{run}")));
            command.args(["--steps", "200", "--eval-every", "50", "--record-every", "10"]);
            command.args(["--threads", "1", "--log", run]).stdin(Stdio::null());
            let ran = command.output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        }
        folder
    })
}
