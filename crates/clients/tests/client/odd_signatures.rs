//! Element types, unknown sizes and names as seldom seen.

use serde_json::{Value, json};

use crate::one_request::{Answer, OneRequest};
use crate::{no_inputs, odd_names};

#[test]
fn grids_have_as_many_elements_as_their_sizes_say() {
    use odd_names::Grid;
    let grid = Grid::new([2, 3], (0..6).map(|at| [f64::from(at); 2]).collect()).unwrap();
    assert_eq!((grid.shape(), grid.elements().len()), ([2, 3], 6));
    assert_eq!((grid.get([1, 2]), grid.get([0, 1])), (Some(&[5.0, 5.0]), Some(&[1.0, 1.0])));
    assert_eq!((grid.get([2, 0]), grid.get([0, 3])), (None, None));
    assert_eq!(Grid::new([2, 3], vec![0.0; 5]), None);
    assert_eq!(Grid::new([usize::MAX, 2], vec![0.0; 5]), None);
    assert!(Grid::<f32, 2>::new([7, 0], Vec::new()).is_some());
}

/// A server that answers with an output of each element type.
fn server_of_all_types() -> OneRequest {
    let outputs = [
        ("self", "FP32", vec![], 1.5f32.to_le_bytes().to_vec()),
        ("Sequence", "FP64", vec![1, 2, 2], [1.0f64, 2.0, 3.0, 4.0].map(f64::to_le_bytes).concat()),
        ("sequence", "INT32", vec![2, 3], [1i32, 2, 3, 4, 5, -6].map(i32::to_le_bytes).concat()),
        ("not_mask", "BOOL", vec![2], vec![0, 1]),
        ("count", "INT64", vec![], (-9i64).to_le_bytes().to_vec()),
        ("bytes, \u{202e}turned", "UINT8", vec![1, 4], vec![1, 2, 3, 255]),
    ];
    let described: Vec<Value> = outputs
        .iter()
        .map(|(name, datatype, shape, data)| {
            let parameters = json!({ "binary_data_size": data.len() });
            json!({ "name": name, "datatype": datatype, "shape": shape, "parameters": parameters })
        })
        .collect();
    let data: Vec<u8> = outputs.iter().flat_map(|(.., data)| data.clone()).collect();
    OneRequest::answering(Answer::binary(&json!({ "outputs": described }), data))
}

#[test]
fn all_element_types_and_ranks_go_out_and_come_back() {
    use odd_names::{Client, Grid, Inputs};
    let server = server_of_all_types();
    let answered = Client::new(&server.address())
        .infer(&Inputs {
            r#type: 0.5,
            serving_default_x_0: Grid::new([1, 2], vec![[1.0, 2.0], [3.0, 4.0]]).unwrap(),
            x: [[1, 2, 3], [4, 5, -6]],
            x_2: vec![true, false],
            input: vec![[1, 2, 3, 255]],
            a_very_long_name_with_quot: Grid::new([0, 1000], Vec::new()).unwrap(),
        })
        .unwrap();
    assert_eq!((answered.output_self, answered.count), (1.5, -9));
    assert_eq!(
        (answered.sequence.shape(), answered.sequence.get([0, 1])),
        ([1, 2], Some(&[3.0, 4.0]))
    );
    assert_eq!(
        (answered.sequence_2, answered.not_mask),
        ([[1, 2, 3], [4, 5, -6]], vec![false, true])
    );
    assert_eq!(answered.bytes_turned, [[1, 2, 3, 255]]);

    let request = server.received();
    let length: usize = request.header("inference-header-content-length").unwrap().parse().unwrap();
    let (head, data) = request.body.split_at(length);
    let head: Value = serde_json::from_slice(head).unwrap();
    let sent: Vec<(&str, &str, &Value)> = head["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| {
            (sent["name"].as_str().unwrap(), sent["datatype"].as_str().unwrap(), &sent["shape"])
        })
        .collect();
    let long = "a very long name, with \"quotes\" \\ and `ticks`, ".repeat(3);
    assert_eq!(
        sent,
        [
            ("type", "FP32", &json!([])),
            ("serving_default_x:0", "FP64", &json!([1, 2, 2])),
            ("x", "INT32", &json!([2, 3])),
            ("/x", "BOOL", &json!([2])),
            ("日本", "UINT8", &json!([1, 4])),
            (&long, "FP32", &json!([0, 1000, 100])),
        ]
    );
    assert_eq!(data.len(), 4 + 32 + 24 + 2 + 4);
    assert_eq!(data[60..], [1, 0, 1, 2, 3, 255]);
}

#[test]
fn a_signature_without_inputs_is_asked_for_by_its_name() {
    let data = 1.0f32.to_le_bytes().to_vec();
    let json = json!({
        "outputs": [{ "name": "one", "datatype": "FP32", "shape": [], "parameters": { "binary_data_size": 4 } }],
    });
    let server = OneRequest::answering(Answer::binary(&json, data));
    let outputs = no_inputs::Client::new(&server.address()).infer(&no_inputs::Inputs {}).unwrap();
    assert_eq!(outputs.one, 1.0);
    let request = server.received();
    assert_eq!(request.line, "POST /v2/models/constants/infer HTTP/1.1");
    let head: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        head,
        json!({ "inputs": [], "parameters": { "binary_data_output": true, "signature": "constant" } })
    );
}
