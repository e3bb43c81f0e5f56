//! The Rust of ONNX's messages is what `proto/onnx.proto` gives, so that users build neither protox
//! nor prost-build.

use std::path::Path;

const PROTO: &str = "proto/onnx.proto";
const GENERATED: &str = "src/proto/onnx.rs";

fn generate() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let messages =
        protox::compile([root.join(PROTO)], [root.join("proto")]).expect("a valid .proto");
    let out = std::env::temp_dir().join(format!("abeyance-onnx-{}", std::process::id()));
    std::fs::create_dir_all(&out).expect("a folder for what is generated");
    // The comments hold text that is no Markdown, and examples that are no Rust.
    prost_build::Config::new()
        .disable_comments(["."])
        .out_dir(&out)
        .compile_fds(messages)
        .expect("Rust from the messages");
    let generated = std::fs::read_to_string(out.join("onnx.rs")).expect("what was generated");
    std::fs::remove_dir_all(&out).expect("the folder goes");
    generated
}

/// Set `ABEYANCE_REGENERATE=1` to write the file anew after `proto/onnx.proto` has changed.
#[test]
fn the_committed_messages_are_those_of_the_proto_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GENERATED);
    let generated = generate();
    if std::env::var_os("ABEYANCE_REGENERATE").is_some() {
        std::fs::write(&path, &generated).expect("a writable source file");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "{GENERATED} is not what {PROTO} gives");
}
