//! The printed graphs of the talk's networks, forward, backward and update, in `graphs/`: what the examples train is what stands
//! there. After a change that is meant, write them anew with `UPDATE_GRAPHS=1 cargo test --test graphs` and read the difference.

use std::path::Path;

use abeyance::prelude::*;

mod networks;

#[test]
fn the_printed_networks_are_up_to_date_and_parse_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let mut stale = Vec::new();
    for (name, network) in networks::ALL {
        let g = Graph::named(name);
        network(&g);
        g.check().unwrap();
        let text = g.to_string();
        let read = Graph::parse(&text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
        assert_eq!(read.to_string(), text, "{name}");

        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GRAPHS").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "not as in {stale:?}: see the head of this file");
}

#[test]
fn a_printed_network_trains_without_the_program_that_built_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/mnist_softmax.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let g = Graph::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let (x, y_) = (g.tensor::<f32>("x").unwrap(), g.tensor::<f32>("y_").unwrap());
    let train_step = g.operation("train_step").unwrap();
    let accuracy = g.tensor::<f32>("reduce_mean").unwrap().scalar();
    let mnist = Mnist::load().unwrap();
    let session = Session::new(&g).unwrap();
    for batch in mnist.train.batches(100).take(200) {
        session.run(train_step, feeds![x => &batch.images, y_ => &batch.labels]).unwrap();
    }
    let test = feeds![x => &mnist.test.images, y_ => &mnist.test.labels];
    let accuracy = session.run(accuracy, test).unwrap();
    assert!(accuracy > 0.88, "{accuracy}");
}
