//! Where ONNX's node tests are.

use std::path::PathBuf;
use std::process::Command;

/// The folder of the node tests, if there is one.
pub fn node_tests() -> Option<PathBuf> {
    let folder = match std::env::var_os("ABEYANCE_ONNX_TESTS") {
        Some(folder) => PathBuf::from(folder),
        None => package()?,
    };
    folder.join("test_abs").is_dir().then_some(folder)
}

/// That of the Python package, in the release that the snapshot was made with.
fn package() -> Option<PathBuf> {
    const ASK: &str = "import onnx, os; assert onnx.__version__ == '1.22.0'; print(os.path.dirname(onnx.__file__))";
    let output = Command::new("python3").args(["-c", ASK]).output().ok()?;
    let package = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(package.trim()).join("backend/test/data/node"))
}
