//! Built, written, read: the same graph, which runs to the same bits.

use abeyance::prelude::*;

use crate::programs;
use crate::runs::run;

#[test]
fn a_program_is_the_same_after_either_form() {
    for (name, program) in programs::ALL {
        let g = program();
        let (bytes, text) = (g.ir().to_bytes().unwrap(), g.to_text());
        let read = Graph::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(read.ir().to_bytes().unwrap() == bytes, "{name}");
        assert_eq!(read.to_text(), text, "{name}");
        let parsed = Graph::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(parsed.to_text(), text, "{name}");
        // Read from text, its nodes were made in lines of that text.
        let again = parsed.ir().to_bytes().unwrap();
        let again = Graph::from_bytes(&again).unwrap();
        assert_eq!(again.to_text(), text, "{name}");
        assert_eq!(again.ir().to_bytes().unwrap(), parsed.ir().to_bytes().unwrap(), "{name}");

        let built = run(&Session::new(&g).unwrap(), &g);
        assert_eq!(run(&Session::new(&read).unwrap(), &read), built, "{name}");
        // Text says that a number is none, not which of those it is.
        if name != "element_types" {
            assert_eq!(run(&Session::new(&parsed).unwrap(), &parsed), built, "{name}");
        }
    }
}

#[test]
fn the_smallest_nodes_are_read_however_many_they_are() {
    let mut text = "graph g {\n  forward {\n".to_owned();
    for name in 0..2000 {
        text += &format!("    {name} = group : operation\n");
    }
    let g = Graph::parse(&(text + "  }\n}")).unwrap();
    let bytes = g.ir().to_bytes().unwrap();
    assert_eq!(Graph::from_bytes(&bytes).unwrap().to_text(), g.to_text());
}

/// A graph of so many scans behind so many unknown dimensions.
fn scans(bodies: usize, dimensions: usize) -> Graph {
    let g = Graph::new();
    for index in 0..dimensions {
        g.placeholder::<f32>(&format!("x{index}"), dims![_]);
    }
    for index in 0..bodies {
        let xs = g.placeholder::<f32>(&format!("xs{index}"), dims![7]);
        let flag = xs.reduce_sum(..).greater(0.0);
        g.cond(flag, xs, |xs| xs + 1.0, |xs| xs - 1.0).reduce_sum(..).name();
    }
    g
}

#[test]
fn what_cannot_be_read_is_not_saved() {
    let many = scans(30, 5);
    let bytes = many.ir().to_bytes().unwrap();
    assert_eq!(Graph::from_bytes(&bytes).unwrap().to_text(), many.to_text());

    let too_many = scans(300, 300);
    let error = too_many.ir().to_bytes().unwrap_err().to_string();
    assert!(error.contains("too many bodies") && error.contains("save_text"), "{error}");
    let text = too_many.to_text();
    assert_eq!(Graph::parse(&text).unwrap().to_text(), text);
}
