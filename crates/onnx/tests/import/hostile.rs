//! No bytes make an import panic, hang, overflow the stack or take memory out of proportion.

use std::path::Path;

use abeyance_onnx::{ImportError, import};
use proptest::prelude::*;

use crate::model::{AttributeProto, GraphProto, bytes, floats, integers, ints, model, node, port};

/// The models of the node tests in the repository.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/node");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the node tests")
        .map(|entry| entry.expect("an entry").path().join("model.onnx"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a model")).collect()
}

/// A model whose shapes and parameters are all inside, so that what is damaged reaches the
/// operators.
fn inside() -> Vec<u8> {
    bytes(&model(
        vec![port("x", &["2", "3", "6", "5"])],
        vec![
            floats("w", &[4, 3, 3, 2], &[0.5; 72]),
            floats("v", &[4, 2, 2, 2], &[0.25; 32]),
            integers("starts", &[1, -3]),
            integers("ends", &[4, 9]),
            integers("axes", &[2, 3]),
            integers("steps", &[2, -1]),
            integers("to", &[0, -1]),
            integers("pads", &[0, 0, 1, 2, 0, 0, 2, 1]),
            integers("ones", &[1]),
        ],
        vec![
            node(
                "Conv",
                &["x", "w"],
                &["c"],
                vec![ints("pads", &[1, 0, 1, 1]), ints("strides", &[2, 1])],
            ),
            node(
                "ConvTranspose",
                &["c", "v"],
                &["t"],
                vec![ints("strides", &[2, 2]), ints("output_padding", &[1, 0])],
            ),
            node(
                "AveragePool",
                &["t"],
                &["p"],
                vec![ints("kernel_shape", &[2, 3]), ints("pads", &[1, 1, 0, 1])],
            ),
            node("Pad", &["p", "pads"], &["q"], vec![]),
            node("Slice", &["q", "starts", "ends", "axes", "steps"], &["s"], vec![]),
            node("Transpose", &["s"], &["turned"], vec![ints("perm", &[3, 1, 0, 2])]),
            node("ReduceMean", &["turned"], &["r"], vec![ints("axes", &[1, -1])]),
            node("Squeeze", &["r", "ones"], &["z"], vec![]),
            node("Reshape", &["z", "to"], &["y"], vec![]),
            node("Split", &["y"], &["a", "b"], vec![]),
            node("Concat", &["b", "b"], &["j"], vec![]),
        ],
        vec![port("j", &["n", "m"])],
    ))
}

/// Each byte of a model set to other values.
fn damaged(original: &[u8]) {
    for place in 0..original.len() {
        for change in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut bytes = original.to_vec();
            bytes[place] ^= change;
            let _ = import(&bytes);
        }
    }
}

#[test]
fn a_model_cut_off_anywhere_is_no_model_or_another_one() {
    for whole in corpus().into_iter().chain([inside()]) {
        for length in 0..whole.len() {
            let _ = import(&whole[..length]);
        }
    }
}

#[test]
fn a_model_with_any_byte_damaged_does_no_harm() {
    assert!(import(&inside()).is_ok(), "{:?}", import(&inside()).err());
    damaged(&inside());
    for whole in corpus() {
        damaged(&whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = import(&bytes);
    }

    #[test]
    fn several_damages_do_no_harm(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        which in any::<prop::sample::Index>(),
    ) {
        let mut corpus = corpus();
        corpus.push(inside());
        let mut bytes = which.get(&corpus).clone();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = import(&bytes);
    }
}

#[test]
fn subgraphs_nested_beyond_all_measure_are_refused() {
    // Each level is a graph in an attribute of a node in a graph, written by hand: a message that
    // deep cannot be built.
    for levels in [50, 10_000] {
        let mut inner: Vec<u8> = Vec::new();
        for _ in 0..levels {
            for tag in [0x32, 0x2a, 0x0a] {
                // attribute.g = 6, node.attribute = 5, graph.node = 1
                let mut outer = vec![tag];
                prost::encoding::encode_varint(inner.len() as u64, &mut outer);
                outer.extend(&inner);
                inner = outer;
            }
        }
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend(&inner);
        assert!(import(&bytes).is_err());
    }
}

#[test]
fn a_file_of_empty_messages_is_refused_before_it_is_decoded() {
    // A million nodes of two bytes each.
    let nodes = [0x0a, 0x00].repeat(1 << 20);
    let mut bytes = vec![0x3a];
    prost::encoding::encode_varint(nodes.len() as u64, &mut bytes);
    bytes.extend(nodes);
    let error = import(&bytes).expect_err("a refusal");
    assert!(
        matches!(&error, ImportError::NotAModel(what) if what.contains("more messages")),
        "{error}"
    );
}

#[test]
fn a_chain_of_many_nodes_is_imported_on_an_ordinary_stack() {
    let count = 20_000;
    let names: Vec<String> = (0..=count).map(|place| format!("v{place}")).collect();
    let nodes =
        names.windows(2).map(|pair| node("Relu", &[&pair[0]], &[&pair[1]], vec![])).collect();
    let chain = model(vec![port("v0", &["2"])], vec![], nodes, vec![port(&names[count], &["2"])]);
    let graph = import(&bytes(&chain)).expect("an import");
    assert_eq!(graph.ir().len(), count + 1);
}

/// `If`s in one another, as deep as is asked for.
fn nested(levels: usize) -> Vec<u8> {
    let mut inner = vec![node("Relu", &["x"], &["innermost"], vec![])];
    let mut result = "innermost".to_owned();
    for level in 0..levels {
        let branch = GraphProto {
            node: inner,
            output: vec![port(&result, &["2"])],
            ..GraphProto::default()
        };
        let attribute = AttributeProto {
            name: Some("then_branch".to_owned()),
            r#type: Some(5),
            g: Some(branch),
            ..AttributeProto::default()
        };
        result = format!("level {level}");
        inner = vec![node("If", &["yes"], &[&result], vec![attribute])];
    }
    let mut yes = integers("yes", &[]);
    (yes.dims, yes.data_type, yes.int32_data) = (vec![], Some(9), vec![1]);
    bytes(&model(vec![port("x", &["2"])], vec![yes], inner, vec![port(&result, &["2"])]))
}

#[test]
fn branches_nest_as_deep_as_the_decoder_reads() {
    assert!(import(&nested(20)).is_ok(), "{:?}", import(&nested(20)).err());
    // Deeper ones are no model.
    assert!(matches!(import(&nested(200)), Err(ImportError::NotAModel(_))));
}

#[test]
fn nodes_that_ask_for_much_are_refused_once_it_is_too_much_together() {
    let mut nodes = Vec::new();
    for place in 0..2_000 {
        let output = format!("y{place}");
        let mut resize = node("Resize", &["x", "", "", "sizes"], &[&output], vec![]);
        resize.attribute.push(AttributeProto {
            name: Some("mode".to_owned()),
            r#type: Some(3),
            s: Some(b"linear".to_vec()),
            ..AttributeProto::default()
        });
        nodes.push(resize);
    }
    let model = model(
        vec![port("x", &["1", "1", "2000", "2000"])],
        vec![integers("sizes", &[1, 1, 2001, 2001])],
        nodes,
        vec![],
    );
    let error = import(&bytes(&model)).expect_err("a refusal").to_string();
    assert!(error.contains("takes more memory than a model of its size can need"), "{error}");
}
