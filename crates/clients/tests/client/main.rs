//! Clients that `abeyance client` generates, as a program would use them: of the digit reader, of a
//! signature with all element types and odd names, and of one without inputs.

mod mnist_conv_dropout;
mod no_inputs;
mod odd_names;
mod odd_signatures;
mod one_request;

use std::time::Duration;

use mnist_conv_dropout::{Client, Error, Inputs};
use one_request::{Answer, OneRequest};
use serde_json::{Value, json};

/// An image whose pixels are all different.
fn image(start: f32) -> [[[f32; 1]; 28]; 28] {
    std::array::from_fn(|row| std::array::from_fn(|column| [start + (row * 28 + column) as f32]))
}

/// An answer to two images.
fn answer(change: impl Fn(&mut Value)) -> Answer {
    let digits: Vec<u8> = [7i64, -1].iter().flat_map(|digit| digit.to_le_bytes()).collect();
    let probabilities: Vec<u8> =
        (0..20).flat_map(|index| (index as f32 / 8.0).to_le_bytes()).collect();
    let mut json = json!({
        "model_name": "mnist_conv_dropout", "model_version": "1",
        "outputs": [
            { "name": "digit", "datatype": "INT64", "shape": [2], "parameters": { "binary_data_size": 16 } },
            { "name": "probabilities", "datatype": "FP32", "shape": [2, 10], "parameters": { "binary_data_size": 80 } },
        ],
    });
    change(&mut json);
    Answer::binary(&json, [digits, probabilities].concat())
}

fn infer(answer: Answer) -> (Result<mnist_conv_dropout::Outputs, Error>, OneRequest) {
    let server = OneRequest::answering(answer);
    let client = Client::new(&server.address());
    let outputs = client.infer(&Inputs { images: vec![image(0.0), image(0.5)] });
    (outputs, server)
}

#[test]
fn tensors_go_out_and_come_back_as_binary_data() {
    let (outputs, server) = infer(answer(|_| ()));
    let outputs = outputs.unwrap();
    assert_eq!(outputs.digit, [7, -1]);
    assert_eq!(outputs.probabilities[0][..3], [0.0, 0.125, 0.25]);
    assert_eq!(outputs.probabilities[1][9], 19.0 / 8.0);

    let request = server.received();
    assert_eq!(request.line, "POST /v2/models/mnist_conv_dropout/infer HTTP/1.1");
    let length: usize = request.header("inference-header-content-length").unwrap().parse().unwrap();
    let (head, data) = request.body.split_at(length);
    let head: Value = serde_json::from_slice(head).unwrap();
    assert_eq!(
        head,
        json!({
            "inputs": [{
                "name": "images", "datatype": "FP32", "shape": [2, 28, 28, 1],
                "parameters": { "binary_data_size": 2 * 28 * 28 * 4 },
            }],
            "parameters": { "binary_data_output": true },
        })
    );
    let sent: Vec<f32> =
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    let meant: Vec<f32> =
        [0.0, 0.5].iter().flat_map(|start| image(*start)).flatten().flatten().collect();
    assert_eq!(sent, meant);
    assert_eq!(request.header("authorization"), None);
}

#[test]
fn outputs_are_found_by_name_in_whatever_order_they_come() {
    let digits = 3i64.to_le_bytes().to_vec();
    let probabilities: Vec<u8> = (0..10).flat_map(|index| (index as f32).to_le_bytes()).collect();
    let json = json!({
        "outputs": [
            { "name": "probabilities", "datatype": "FP32", "shape": [1, 10], "parameters": { "binary_data_size": 40 } },
            { "name": "more", "datatype": "UINT8", "shape": [0], "parameters": { "binary_data_size": 0 } },
            { "name": "digit", "datatype": "INT64", "shape": [1], "parameters": { "binary_data_size": 8 } },
        ],
    });
    let (outputs, _server) = infer(Answer::binary(&json, [probabilities, digits].concat()));
    let outputs = outputs.unwrap();
    assert_eq!((outputs.digit, outputs.probabilities[0][9]), (vec![3], 9.0));
}

#[test]
fn model_version_and_token_are_what_the_program_says() {
    let server = OneRequest::answering(answer(|_| ()));
    let client = Client::new(&format!("{}/", server.address()));
    let client = client.model("digits/new 1").version("12").token("secret");
    client.timeout(Duration::from_secs(10)).infer(&Inputs { images: Vec::new() }).unwrap();
    let request = server.received();
    assert_eq!(request.line, "POST /v2/models/digits%2Fnew%201/versions/12/infer HTTP/1.1");
    assert_eq!(request.header("authorization"), Some("Bearer secret"));
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    for (body, message) in [
        (r#"{"error": "no model `mnist_conv_dropout`"}"#, "no model `mnist_conv_dropout`"),
        ("gone", "gone"),
        ("", ""),
        (r#"{"error": 3}"#, r#"{"error": 3}"#),
    ] {
        let (outputs, _server) = infer(Answer::json(404, body));
        match outputs.unwrap_err() {
            Error::Refused { status: 404, message: told } => assert_eq!(told, message),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_answer_of_another_model_is_an_error_that_names_the_output() {
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 9] = [
        (|json| json["outputs"][0]["name"] = "number".into(), "no output \"digit\""),
        (|json| json["outputs"][0]["datatype"] = "INT32".into(), "\"digit\" is INT32, not INT64"),
        (
            |json| json["outputs"][1]["shape"] = json!([2, 11]),
            "\"probabilities\" has another shape",
        ),
        (|json| json["outputs"][1]["shape"] = json!([20]), "\"probabilities\" has another shape"),
        (|json| json["outputs"][0]["shape"] = json!([u64::MAX]), "\"digit\" has another shape"),
        (|json| json["outputs"][0]["shape"] = json!([-2]), "\"digit\" has another shape"),
        (|json| json["outputs"][1]["parameters"] = json!({}), "\"probabilities\" is not binary"),
        (|json| json["outputs"][1]["parameters"]["binary_data_size"] = 81.into(), "is cut off"),
        (
            |json| json["outputs"][0]["parameters"]["binary_data_size"] = u64::MAX.into(),
            "is cut off",
        ),
    ];
    for (change, said) in changes {
        let (outputs, _server) = infer(answer(change));
        let error = outputs.unwrap_err();
        assert!(matches!(error, Error::Answer(_)), "{error}");
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
    for (body, said) in [("[", "EOF"), ("{}", "no output"), ("null", "no output")] {
        let (outputs, _server) = infer(Answer::json(200, body));
        assert!(outputs.unwrap_err().to_string().contains(said), "{body}");
    }
    let mut lying = answer(|_| ());
    lying.json_length = Some(1_000_000);
    let (outputs, _server) = infer(lying);
    assert!(outputs.unwrap_err().to_string().contains("cut off"));
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::new(&format!("http://127.0.0.1:{port}"));
    let error = client.infer(&Inputs { images: vec![image(0.0)] }).unwrap_err();
    assert!(matches!(error, Error::Connection(_)), "{error}");
}

#[test]
fn a_wrong_shape_or_element_type_is_an_error_of_the_compiler() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/client/fail/*.rs");
}
