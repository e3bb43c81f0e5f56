//! Requests that are changed at random: no bytes make a reader of requests panic, or take more
//! memory than they warrant. `FUZZ_SECONDS` says how long it goes on; `.ci/fuzz` gives it minutes.

use std::time::{Duration, Instant};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{oip_request, tensorflow_request};
use crate::model::tests::version;

/// Requests of which parts are taken.
const SEEDS: [&str; 9] = [
    r#"{"id":"1","inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","data":[1,2.5,-3e2,NaN,null,"Infinity"]}]}"#,
    r#"{"inputs":[{"data":[[true,false]],"datatype":"BOOL","name":"y","shape":[1,2]}],"outputs":[{"name":"z","parameters":{"binary_data":true}}]}"#,
    r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true,"timeout":5}}"#,
    r#"{"instances":[[1,2],[3,4]]}"#,
    r#"{"instances":[{"x":[1.5,2]},{"x":[3,4]}],"signature_name":"serving_default"}"#,
    r#"{"signature_name":"predict","inputs":{"x":[[1,2],[3,4]]}}"#,
    r#"{"inputs":[{"name":"x","shape":[],"datatype":"INT64","data":[-9223372036854775808]}]}"#,
    r#"{"inputs":[{"name":"\u00e4\n","shape":[0,2],"datatype":"UINT8","data":[]}],"parameters":{"signature":"other"}}"#,
    r#"[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"#,
];

fn changed(random: &mut ChaCha8Rng) -> Vec<u8> {
    let pick = |random: &mut ChaCha8Rng| SEEDS[random.random_range(0..SEEDS.len())].as_bytes();
    let mut bytes = pick(random).to_vec();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let other = pick(random);
        let from = random.random_range(0..other.len());
        let to = random.random_range(from..=other.len());
        match random.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, other[from..to].iter().copied())),
            2 => bytes.insert(at, random.random()),
            3 if at < bytes.len() => {
                bytes[at] = b"[]{}\",:0123456789eE+-.ntfNI\\"[random.random_range(0..28)]
            }
            4 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let end = random.random_range(at..=bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

#[test]
fn no_request_makes_its_reader_panic() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(2));
    let g = abeyance_graph::Graph::new();
    let x = g.placeholder::<f32>("x", abeyance_graph::dims![_, 2]);
    g.signature("predict").input("x", x).output("z", x + x);
    let version = version(&g, None);
    let mut random = ChaCha8Rng::seed_from_u64(seconds.unwrap_or(0));
    let (mut read, mut taken) = (0u64, 0u64);
    while Instant::now() < until {
        for _ in 0..200 {
            let bytes = changed(&mut random);
            let head = random.random_range(0..=bytes.len());
            for head in [bytes.len(), head] {
                let (json, raw) = bytes.split_at(head);
                taken += u64::from(oip_request::read(json, raw).is_ok());
            }
            taken += u64::from(tensorflow_request::read(&bytes, &version).is_ok());
            read += 3;
        }
    }
    println!("{read} requests, {taken} of them right");
    assert!(taken > 0, "nothing was right of {read}");
}
