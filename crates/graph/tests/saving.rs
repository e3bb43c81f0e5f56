//! Whatever fails while a graph is saved, there is the old file or the new one, as a whole, and the
//! failure is told.

use abeyance_graph::{Graph, dims};
use abeyance_storage::{FaultyDisk, temporary_files};

fn graph(name: &str) -> Graph {
    let g = Graph::named(name);
    let x = g.placeholder::<f32>("x", dims![_]);
    g.signature("predict").input("x", x).output("y", x + x);
    g
}

#[test]
fn whichever_call_to_the_disk_fails_the_old_graph_or_the_new_one_loads() {
    let folder = std::env::temp_dir().join(format!("abeyance-saving-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.graph");
    let (old, new) = (graph("old"), graph("new"));
    let mut failures = 0;
    for call in 0.. {
        old.save(&path).unwrap();
        let storage = FaultyDisk::at(call);
        let saved = new.save_on(&storage, &path);
        let found = Graph::load(&path).unwrap_or_else(|error| panic!("call {call}: {error}"));
        assert!(temporary_files(&folder).unwrap().is_empty(), "call {call}");
        if !storage.has_failed() {
            saved.unwrap();
            assert_eq!(found.to_string(), new.to_string());
            break;
        }
        let error = saved.unwrap_err().to_string();
        assert!(error.contains(FaultyDisk::MESSAGE) && error.contains("model.graph"), "{error}");
        assert!(["old", "new"].contains(&&*found.name()), "call {call}");
        failures += 1;
    }
    // Create, several writes, flush, sync, rename, sync of the folder.
    assert!(failures > 10, "{failures}");
    std::fs::remove_dir_all(&folder).unwrap();
}
