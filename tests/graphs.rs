//! The graphs of the talk's networks, forward, backward, update and signatures, in `graphs/`, as
//! text and as the files that the command line trains: what the examples train is what stands
//! there. After a change that is meant, write them anew with
//! `UPDATE_GRAPHS=1 cargo test --test graphs` and read the difference.

use std::path::Path;

use abeyance::prelude::*;

mod networks;

#[test]
fn the_networks_in_the_folder_are_up_to_date_in_both_forms_and_read_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let mut stale = Vec::new();
    for (name, network) in networks::ALL {
        let g = Graph::named(name);
        network(&g);
        g.check().unwrap();
        let (text, bytes) = (g.to_text(), g.ir().to_bytes().unwrap());
        for form in [text.as_bytes(), &bytes] {
            let read =
                Graph::from_bytes(form).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
            assert_eq!(read.to_text(), text, "{name}");
        }
        let read = Graph::from_bytes(&bytes).unwrap();
        assert!(read.ir().to_bytes().unwrap() == bytes, "{name}");

        let (printed, saved) =
            (folder.join(format!("{name}.txt")), folder.join(format!("{name}.graph")));
        if std::env::var_os("UPDATE_GRAPHS").is_some() {
            std::fs::write(&printed, &text).unwrap();
            g.save(&saved).unwrap();
        }
        if std::fs::read_to_string(&printed).unwrap_or_default() != text {
            stale.push(printed);
        }
        if std::fs::read(&saved).unwrap_or_default() != bytes {
            stale.push(saved);
        }
    }
    assert!(stale.is_empty(), "not as in {stale:?}: see the head of this file");
}

#[test]
fn a_network_from_a_file_trains_without_the_program_that_built_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let mnist = Mnist::load().unwrap();
    let mut accuracies = Vec::new();
    for file in ["mnist_softmax.txt", "mnist_softmax.graph"] {
        let g = Graph::load(folder.join(file)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let session = Session::new(&g).unwrap();
        let (train, evaluate) =
            (session.signature("train").unwrap(), session.signature("evaluate").unwrap());
        for batch in mnist.train.batches(100).take(200) {
            let images = train.feed("images", &batch.images).unwrap();
            train.run([images, train.feed("labels", &batch.labels).unwrap()]).unwrap();
        }
        let images = evaluate.feed("images", &mnist.test.images).unwrap();
        let labels = evaluate.feed("labels", &mnist.test.labels).unwrap();
        let figures = evaluate.run([images, labels]).unwrap();
        let accuracy = figures[1].to_f64()[0];
        accuracies.push(accuracy);
    }
    assert!(accuracies[0] > 0.88 && accuracies[0] == accuracies[1], "{accuracies:?}");
}
