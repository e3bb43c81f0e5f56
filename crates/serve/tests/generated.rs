//! The Rust of gRPC's messages and services is what `proto/` gives, so that users build neither
//! protox nor prost-build.

use std::path::Path;

/// The proto file, and what is generated of it: a file named for its package.
const PROTOS: [(&str, &str); 2] =
    [("inference.proto", "inference.rs"), ("health.proto", "grpc.health.v1.rs")];

fn generate(proto: &str, file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let messages = protox::compile([root.join(proto)], [&root]).expect("a valid .proto");
    let out = std::env::temp_dir().join(format!("abeyance-serve-{}-{proto}", std::process::id()));
    std::fs::create_dir_all(&out).expect("a folder for what is generated");
    tonic_prost_build::configure()
        .build_transport(false)
        // Tensors come as they lie in the message, without a copy.
        .bytes(".")
        .disable_comments(["."])
        .out_dir(&out)
        .compile_fds(messages)
        .expect("Rust from the messages");
    let generated = std::fs::read_to_string(out.join(file)).expect("what was generated");
    std::fs::remove_dir_all(&out).expect("the folder goes");
    generated
}

/// Set `ABEYANCE_REGENERATE=1` to write the files anew after `proto/` has changed.
#[test]
fn the_committed_messages_are_those_of_the_proto_files() {
    for (proto, file) in PROTOS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/grpc").join(file);
        let generated = generate(proto, file);
        if std::env::var_os("ABEYANCE_REGENERATE").is_some() {
            std::fs::write(&path, &generated).expect("a writable source file");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == generated, "{file} is not what {proto} gives");
    }
}
