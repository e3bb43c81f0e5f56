//! Hostile checkpoints.

use abeyance::prelude::*;

/// A file of a header and data.
pub fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A small checkpoint that is in order.
pub fn whole() -> Vec<u8> {
    let g = Graph::named("small");
    let w = g.variable::<f32>("w", zeros(dims![2]));
    g.signature("predict").output("w", w);
    let session = Session::with_options(&g, SessionOptions::new().threads(1)).unwrap();
    Checkpoint::of(&session).note("batch", 100).to_bytes().unwrap()
}

/// The files, with names that say what they are.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add =
        |name: &str, bytes: Vec<u8>| all.push((format!("checkpoint_{name}.safetensors"), bytes));
    let whole = whole();
    let header_len = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&whole[8..8 + header_len]).unwrap().trim_end().to_owned();
    let data = &whole[8 + header_len..];
    let changed = |from: &str, to: &str| {
        assert!(header.contains(from), "{header}");
        file(&header.replace(from, to), data)
    };
    add("in_order", whole.clone());
    add("empty", vec![]);
    add("seven_bytes", vec![0; 7]);
    add("header_length_alone", whole[..8].to_vec());
    add("without_data", whole[..8 + header_len].to_vec());
    add("one_byte_short", whole[..whole.len() - 1].to_vec());
    add("one_byte_more", [&whole[..], &[0]].concat());
    for (name, length) in
        [("0", 0), ("2_20", 1 << 20), ("2_40", 1 << 40), ("2_63", 1 << 63), ("2_64", u64::MAX)]
    {
        add(&format!("header_length_{name}"), [&u64::to_le_bytes(length), &whole[8..]].concat());
    }
    add("of_zeros", vec![0; 100]);
    add("of_ff", vec![0xff; 100]);
    add(
        "header_not_utf_8",
        [&8u64.to_le_bytes()[..], &[b'{', 0xff, b'"', 0xfe, b' ', b' ', b' ', b'}']].concat(),
    );
    for (name, header) in [
        ("not_json", "{w: F32}"),
        ("list", "[1, 2, 3]     "),
        ("number", "12345678"),
        ("null", "null    "),
        ("nothing", "{}      "),
        ("tensor_is_null", r#"{"w":null}"#),
        ("tensor_is_text", r#"{"w":"F32"}"#),
        ("tensor_is_nothing", r#"{"w":{}}"#),
        ("metadata_is_list", r#"{"__metadata__":[]}"#),
        ("metadata_of_numbers", r#"{"__metadata__":{"abeyance":1}}"#),
        ("facts_not_json", r#"{"__metadata__":{"abeyance":"version"}}"#),
        ("facts_nothing", r#"{"__metadata__":{"abeyance":"{}"}}"#),
        ("facts_version_0", r#"{"__metadata__":{"abeyance":"{\"version\":0}"}}"#),
        ("facts_version_2", r#"{"__metadata__":{"abeyance":"{\"version\":2}"}}"#),
        ("facts_version_2_32", r#"{"__metadata__":{"abeyance":"{\"version\":4294967296}"}}"#),
        ("facts_version_minus_1", r#"{"__metadata__":{"abeyance":"{\"version\":-1}"}}"#),
        ("facts_without_the_rest", r#"{"__metadata__":{"abeyance":"{\"version\":1}"}}"#),
        ("of_another_program", r#"{"__metadata__":{"format":"pt"}}"#),
    ] {
        add(name, file(header, &[]));
    }
    for (name, shape, from, to, len) in [
        ("offsets_past_the_end", "[2]", "0", "8", 4),
        ("offsets_2_63", "[2]", "0", "9223372036854775808", 8),
        ("offsets_2_64", "[2]", "0", "18446744073709551615", 8),
        ("offsets_2_65", "[2]", "0", "36893488147419103232", 8),
        ("offsets_turned", "[2]", "8", "0", 8),
        ("offsets_negative", "[2]", "-8", "0", 8),
        ("offsets_with_a_hole", "[2]", "4", "12", 12),
        ("offsets_real", "[2]", "0", "8.0", 8),
        ("shape_larger_than_data", "[3]", "0", "8", 8),
        ("shape_smaller_than_data", "[1]", "0", "8", 8),
        ("shape_2_64", "[18446744073709551615]", "0", "8", 8),
        ("shape_wraps", "[9223372036854775809, 2]", "0", "8", 8),
        ("shape_empty_by_2_64", "[0, 4294967296, 4294967296]", "0", "0", 0),
        ("shape_negative", "[-2]", "0", "8", 8),
        ("shape_of_text", "[\"2\"]", "0", "8", 8),
        ("shape_null", "null", "0", "8", 8),
    ] {
        let header =
            format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#);
        add(name, file(&header, &vec![0; len]));
    }
    for (name, dtype, bytes) in [
        ("unknown", "F17", 2),
        ("bf16", "BF16", 2),
        ("f16", "F16", 2),
        ("u64", "U64", 8),
        ("f4", "F4", 1),
        ("empty", "", 4),
        ("lower", "f32", 4),
        ("f8", "F8_E4M3", 1),
    ] {
        let header =
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{bytes}]}}}}"#);
        add(&format!("dtype_{name}"), file(&header, &vec![0; bytes]));
    }
    add("truth_2", file(r#"{"w":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#, &[1, 2]));
    let tensor = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    add("tensors_overlap", file(&format!(r#"{{"v":{tensor},"w":{tensor}}}"#), &[0; 4]));
    add("tensor_twice", file(&format!(r#"{{"w":{tensor},"w":{tensor}}}"#), &[0; 4]));
    add(
        "key_twice",
        file(r#"{"w":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4]),
    );
    add(
        "metadata_twice",
        file(r#"{"__metadata__":{"a":"b"},"__metadata__":{"abeyance":"{}"}}"#, &[]),
    );
    add("name_empty", file(&format!(r#"{{"":{tensor}}}"#), &[0; 4]));
    add("name_of_nul", file(&format!(r#"{{"\u0000":{tensor}}}"#), &[0; 4]));
    add("name_of_half_a_char", file(&format!(r#"{{"\ud800":{tensor}}}"#), &[0; 4]));
    add("name_of_5000", file(&format!(r#"{{"{}":{tensor}}}"#, "w".repeat(5_000)), &[1; 3]));
    add(
        "shape_of_100",
        file(
            &format!(
                r#"{{"w":{{"dtype":"F32","shape":[{}1],"data_offsets":[0,4]}}}}"#,
                "1,".repeat(99)
            ),
            &[0; 4],
        ),
    );
    add(
        "shape_of_5000",
        file(
            &format!(
                r#"{{"w":{{"dtype":"F32","shape":[{}1],"data_offsets":[0,4]}}}}"#,
                "1,".repeat(4_999)
            ),
            &[0; 4],
        ),
    );
    add("metadata_of_1000", {
        let entries: Vec<String> = (0..1000).map(|at| format!(r#""{at}":"""#)).collect();
        file(&format!(r#"{{"__metadata__":{{{}}}}}"#, entries.join(",")), &[])
    });
    add("nested_1000", file(&format!(r#"{{"w":{}"#, "[".repeat(1_000)), &[]));
    add("nested_1000_objects", file(&r#"{"w":"#.repeat(1_000), &[]));
    add(
        "unknown_field_nested",
        file(
            &format!(
                r#"{{"w":{{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":{}1{}}}}}"#,
                "[".repeat(100),
                "]".repeat(100)
            ),
            &[0; 4],
        ),
    );
    add(
        "facts_nested",
        file(&format!(r#"{{"__metadata__":{{"abeyance":"{}"}}}}"#, "[".repeat(1_000)), &[]),
    );
    add("without_checksum", changed(r#",\"checksum\":\""#, r#",\"checksun\":\""#));
    add("checksum_empty", {
        let start = header.find(r#"\"checksum\":\""#).unwrap() + 15;
        file(&[&header[..start], &header[start + 8..]].concat(), data)
    });
    add("other_seed", changed(r#"\"seed\":0"#, r#"\"seed\":1"#));
    add("seed_past_2_64", changed(r#"\"seed\":0"#, r#"\"seed\":18446744073709551616"#));
    add("other_tensor_name", changed(r#""w":{"#, r#""v":{"#));
    add("other_entry_name", changed(r#""abeyance":"#, r#""abeyancf":"#));
    add("other_graph_name", changed("small", "smell"));
    add("other_data", {
        let mut file = whole.clone();
        let last = file.len() - 1;
        file[last] ^= 0x80;
        file
    });
    all
}
