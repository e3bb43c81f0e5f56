//! ONNX's own checker and onnxruntime, in the Python that `ABEYANCE_ONNX_PYTHON` names or else
//! `python3`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use abeyance_ir::{Array, DType};
use abeyance_session::Value;

fn python() -> PathBuf {
    std::env::var_os("ABEYANCE_ONNX_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// True if there is a Python with the packages. Says so once where there is none.
pub fn is_there() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let asked = Command::new(python()).args(["-c", "import onnx, onnxruntime, numpy"]).output();
        let found = asked.is_ok_and(|output| output.status.success());
        if !found {
            eprintln!(
                "SKIPPED: the checks against onnxruntime, as {} has not got the packages onnx, onnxruntime and numpy; set ABEYANCE_ONNX_PYTHON",
                python().display()
            );
        }
        found
    })
}

/// A model and what it is run with.
pub struct Run {
    pub name: String,
    pub model: Vec<u8>,
    pub inputs: Vec<(String, Array)>,
    /// The outputs that it must give.
    pub wanted: Vec<Value>,
}

/// The runs that go wrong, by name: the model is refused by the checker or the runtime, or its
/// outputs are further from those wanted than `tolerance`.
pub fn faults(runs: &[Run], tolerance: f64) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!(
        "abeyance-onnx-runs-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    std::fs::create_dir_all(&folder).expect("a folder for the models");
    let mut list = String::new();
    for (index, run) in runs.iter().enumerate() {
        let model = folder.join(format!("{index}.onnx"));
        std::fs::write(&model, &run.model).expect("a model written");
        let inputs: Vec<String> = run
            .inputs
            .iter()
            .enumerate()
            .map(|(place, (name, array))| {
                let file = folder.join(format!("{index}-{place}.bin"));
                described(name, array, &file)
            })
            .collect();
        let wanted: Vec<String> = run
            .wanted
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let file = folder.join(format!("{index}-out-{place}.bin"));
                described("", &value.to_array(), &file)
            })
            .collect();
        list += &format!(
            "{{\"name\": {:?}, \"model\": {:?}, \"inputs\": [{}], \"wanted\": [{}]}}\n",
            run.name,
            model.display().to_string(),
            inputs.join(", "),
            wanted.join(", ")
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export/runtime.py");
    let mut child = Command::new(python())
        .arg(script)
        .arg(tolerance.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python");
    child.stdin.take().expect("its input").write_all(list.as_bytes()).expect("the list taken");
    let output = child.wait_with_output().expect("its output");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the script failed: {}{}",
        said,
        String::from_utf8_lossy(&output.stderr)
    );
    said.lines().map(str::to_owned).collect()
}

fn described(name: &str, array: &Array, file: &Path) -> String {
    std::fs::write(file, &array.bytes).expect("an array written");
    let dtype = match array.dtype {
        DType::F32 => "float32",
        DType::F64 => "float64",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::U8 => "uint8",
        DType::Bool => "bool",
    };
    format!(
        "{{\"name\": {name:?}, \"dtype\": {dtype:?}, \"shape\": {:?}, \"file\": {:?}}}",
        array.dims,
        file.display().to_string()
    )
}
