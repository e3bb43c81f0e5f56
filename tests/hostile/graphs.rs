//! Hostile graph files: what no program saves.

use crate::forge::{
    A, Bytes, D, Forge, N, SUMMARIES, T, container, container_of, f32, n, sizes, with_flags,
};

const HUGE: u64 = 1 << 63;

/// The operators that these files use, by their place.
const PLACEHOLDER: u32 = 0;
const NEG: u32 = 1;
const ADD: u32 = 2;
const CONSTANT: u32 = 3;
const VARIABLE: u32 = 4;
const GROUP: u32 = 5;
const COND: u32 = 6;
const INPUT: u32 = 7;
const ITEM: u32 = 8;
const CONCAT: u32 = 9;
const ASSIGN: u32 = 10;

/// A file of nodes of those.
pub fn forge() -> Forge {
    Forge::new(&[
        ("placeholder", &["dtype", "shape"]),
        ("neg", &[]),
        ("add", &[]),
        ("constant", &["value"]),
        ("variable", &["initial", "dtype", "shape", "trainable"]),
        ("group", &[]),
        ("cond", &["then", "else"]),
        ("input", &["dtype", "shape"]),
        ("item", &["index"]),
        ("concat", &["axis"]),
        ("assign", &[]),
    ])
}

fn placeholder(name: &str, dims: &[u64]) -> N {
    source(name, PLACEHOLDER, 0, sizes(dims))
}

fn source(name: &str, operator: u32, dtype: u8, dims: Vec<D>) -> N {
    let attributes = vec![A::DType(dtype), A::Shape(dims.clone())];
    n(name, operator, &[], attributes, T::Tensor(dtype, dims))
}

fn constant(name: &str, dtype: u8, dims: &[u64], bytes: &[u8]) -> N {
    let value = A::Array(dtype, dims.to_vec(), bytes.to_vec());
    n(name, CONSTANT, &[], vec![value], T::Tensor(dtype, sizes(dims)))
}

fn variable(name: &str, dtype: u8, dims: Vec<D>, initial: A) -> N {
    let attributes = vec![initial, A::DType(dtype), A::Shape(dims.clone()), A::Flag(1)];
    n(name, VARIABLE, &[], attributes, T::Tensor(dtype, dims))
}

/// A chain that is in order.
fn chain() -> Forge {
    forge().node(placeholder("x", &[3])).node(n("y", NEG, &[0], vec![], f32(&[3])))
}

fn named(name: &[u8]) -> Vec<u8> {
    let node = N { name: name.to_vec(), ..placeholder("", &[3]) };
    forge().node(node).file()
}

/// One placeholder with a change.
fn changed(change: impl FnOnce(&mut N)) -> Vec<u8> {
    let mut node = placeholder("x", &[3]);
    change(&mut node);
    forge().node(node).file()
}

/// A body of one input that gives it back.
fn body(forge: Forge, name: &str) -> Forge {
    forge.body(name).node(source("a", INPUT, 0, vec![])).end_body(&[0])
}

fn cond() -> N {
    n("c", COND, &[0, 1], vec![A::Body, A::Body], f32(&[]))
}

/// The nodes before a `cond`.
fn before_cond() -> Forge {
    forge().node(source("p", PLACEHOLDER, 5, vec![])).node(placeholder("x", &[]))
}

/// The files, with names that say what they are.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>| all.push((format!("{name}.graph"), bytes));
    containers(&mut add);
    heads(&mut add);
    nodes(&mut add);
    types(&mut add);
    attributes(&mut add);
    arrays(&mut add);
    bodies(&mut add);
    signatures(&mut add);
    summaries(&mut add);
    all
}

fn containers(add: &mut impl FnMut(&str, Vec<u8>)) {
    let payload = chain().payload();
    let whole = chain().file();
    add("container_empty", vec![]);
    add("container_first_byte", whole[..1].to_vec());
    add("container_mark_alone", whole[..8].to_vec());
    add("container_head_alone", whole[..24].to_vec());
    add("container_without_checksum", whole[..whole.len() - 4].to_vec());
    add("container_one_byte_short", whole[..whole.len() - 1].to_vec());
    add("container_one_byte_more", [&whole[..], &[0]].concat());
    add("container_twice", [&whole[..], &whole].concat());
    add("container_line_ends_changed", {
        let mut file = whole.clone();
        file.remove(4);
        file
    });
    add("container_of_zeros", vec![0; 64]);
    add("container_of_ff", vec![0xff; 64]);
    add("container_mark_then_zeros", [&whole[..8], &[0; 64]].concat());
    for (name, version) in [
        ("major_0", (0, 0)),
        ("major_2", (2, 0)),
        ("major_65535", (65_535, 65_535)),
        ("minor_1", (1, 1)),
        ("minor_65535", (1, 65_535)),
    ] {
        add(
            &format!("container_version_{name}"),
            container_of(version, 0, payload.len() as u64, &payload),
        );
    }
    for flags in [1, 2, 0x8000_0000, u32::MAX] {
        add(
            &format!("container_flags_{flags:x}"),
            container_of((1, 0), flags, payload.len() as u64, &payload),
        );
    }
    for (name, length) in [
        ("0", 0),
        ("one_less", payload.len() as u64 - 1),
        ("one_more", payload.len() as u64 + 1),
        ("2_63", HUGE),
        ("2_64", u64::MAX),
    ] {
        add(&format!("container_length_{name}"), container_of((1, 0), 0, length, &payload));
    }
    add("container_wrong_checksum", {
        let mut file = whole.clone();
        let last = file.len() - 1;
        file[last] ^= 1;
        file
    });
    add("container_without_records", container(&[]));
    add("records_without_end", container(&chain().unended()));
    add("records_after_the_end", container(&[&payload[..], b"more"].concat()));
    add("records_of_unknown_tag", chain().raw(&Bytes::default().u32(6).0).file());
    add("records_of_tag_ffffffff", chain().raw(&[0xff; 4]).file());
    add("records_end_in_a_tag", container(&[&chain().unended()[..], &[4, 0]].concat()));
    add("records_of_zeros", container(&[0; 200]));
    add("records_of_ff", container(&[0xff; 200]));
}

fn heads(add: &mut impl FnMut(&str, Vec<u8>)) {
    let head = |name: u64| Bytes::default().u64(name);
    add("head_name_of_1_gb", container(&head(1 << 30).raw(b"graph").0));
    add("head_name_of_2_63", container(&head(HUGE).raw(b"graph").0));
    add("head_name_not_utf_8", Forge { name: vec![0xff, 0xfe], ..chain() }.file());
    add("head_name_of_line_ends", Forge { name: b"a\n}\n\"\\\0".to_vec(), ..chain() }.file());
    add("head_name_empty", Forge { name: vec![], ..chain() }.file());
    add("head_seed_tag_2", container(&head(1).raw(b"g").u8(2).u64(7).raw(&[0; 64]).0));
    add("head_seed_of_2_64", Forge { seed: Some(u64::MAX), ..chain() }.file());
    for (name, count) in [("more", 3), ("1_million", 1_000_000), ("2_63", HUGE), ("2_64", u64::MAX)]
    {
        add(&format!("head_nodes_{name}"), Forge { nodes: Some(count), ..chain() }.file());
        add(&format!("head_edges_{name}"), Forge { edges: Some(count), ..chain() }.file());
    }
    add("head_nodes_fewer", Forge { nodes: Some(0), edges: Some(0), ..chain() }.file());
    let start = || head(1).raw(b"g").u8(0).u64(0).u64(0);
    for (name, count) in [("1_million", 1 << 20), ("2_40", 1 << 40), ("2_63", HUGE)] {
        add(&format!("head_operators_{name}"), container(&start().u64(count).raw(&[0; 64]).0));
        add(
            &format!("head_operator_attributes_{name}"),
            container(&start().u64(1).bytes(b"neg").u64(count).raw(&[0; 64]).0),
        );
        add(&format!("head_symbols_{name}"), container(&start().u64(0).u64(count).raw(&[0; 64]).0));
        add(
            &format!("head_files_{name}"),
            container(&start().u64(0).u64(0).u64(count).raw(&[0; 64]).0),
        );
    }
    add("operator_unknown", Forge::new(&[("teleport", &[])]).file());
    add("operator_nearly_known", Forge::new(&[("matmull", &[])]).file());
    add("operator_of_a_closure", Forge::new(&[("closure/7", &[])]).file());
    add("operator_empty_name", Forge::new(&[("", &[])]).file());
    add(
        "operator_name_not_utf_8",
        Forge { operators: vec![(vec![0xc3], vec![])], ..chain() }.file(),
    );
    add("operator_name_of_10_000", Forge::new(&[(&"x".repeat(10_000), &[])]).file());
    add("operator_twice", Forge::new(&[("neg", &[]), ("neg", &[])]).file());
    add("operator_2000_times", Forge::new(&vec![("neg", &[][..]); 2000]).file());
    add("operators_unknown_100", {
        let names: Vec<String> = (0..100).map(|at| format!("unknown{at}")).collect();
        let operators: Vec<(&str, &[&str])> = names.iter().map(|name| (&**name, &[][..])).collect();
        Forge::new(&operators).file()
    });
    add("operator_unknown_attribute", Forge::new(&[("neg", &["speed"])]).file());
    add("operator_lacks_attribute", Forge::new(&[("placeholder", &["dtype"])]).file());
    add(
        "operator_attribute_twice",
        Forge::new(&[("placeholder", &["dtype", "shape", "dtype"])])
            .node(n("x", 0, &[], vec![A::DType(0), A::Shape(vec![]), A::DType(1)], f32(&[])))
            .file(),
    );
    add("operator_33_attributes", Forge::new(&[("placeholder", &["dtype"; 33])]).file());
}

fn nodes(add: &mut impl FnMut(&str, Vec<u8>)) {
    add("node_operator_missing", changed(|node| node.operator = 11));
    add("node_operator_ffffffff", changed(|node| node.operator = u32::MAX));
    add("node_uses_itself", forge().node(n("y", NEG, &[0], vec![], f32(&[]))).file());
    add(
        "node_cycle",
        forge()
            .node(n("a", NEG, &[1], vec![], f32(&[3])))
            .node(n("b", NEG, &[0], vec![], f32(&[3])))
            .file(),
    );
    add(
        "node_operand_after_user",
        forge().node(n("y", NEG, &[1], vec![], f32(&[3]))).node(placeholder("x", &[3])).file(),
    );
    add("node_operand_2_32", chain().node(n("z", NEG, &[1 << 32], vec![], f32(&[3]))).file());
    add("node_operand_2_64", chain().node(n("z", NEG, &[u64::MAX], vec![], f32(&[3]))).file());
    add("node_control_after_user", changed(|node| node.controls = vec![5]));
    add("node_control_itself", changed(|node| node.controls = vec![0]));
    add("node_control_1000_times", {
        let controlled = N { controls: vec![0; 1000], ..n("y", NEG, &[0], vec![], f32(&[3])) };
        forge().node(placeholder("x", &[3])).node(controlled).file()
    });
    add("node_arity_0", forge().node(n("y", NEG, &[], vec![], f32(&[]))).file());
    add("node_arity_3", chain().node(n("z", ADD, &[0, 1, 0], vec![], f32(&[3]))).file());
    add(
        "node_operands_of_other_dtypes",
        forge()
            .node(placeholder("x", &[3]))
            .node(source("i", PLACEHOLDER, 2, sizes(&[3])))
            .node(n("z", ADD, &[0, 1], vec![], f32(&[3])))
            .file(),
    );
    add(
        "node_operands_of_other_shapes",
        forge()
            .node(placeholder("x", &[3]))
            .node(placeholder("y", &[4]))
            .node(n("z", ADD, &[0, 1], vec![], f32(&[3])))
            .file(),
    );
    add(
        "node_operand_is_an_operation",
        chain()
            .node(n("g", GROUP, &[0], vec![], T::Operation))
            .node(n("z", NEG, &[2], vec![], f32(&[3])))
            .file(),
    );
    add(
        "node_operand_1000_times",
        forge()
            .node(placeholder("x", &[]))
            .node(n("g", GROUP, &vec![0; 1000], vec![], T::Operation))
            .file(),
    );
    add(
        "node_assigns_to_a_placeholder",
        chain().node(n("a", ASSIGN, &[0, 1], vec![], f32(&[3]))).file(),
    );
    add("node_input_in_a_program", forge().node(source("i", INPUT, 0, vec![])).file());
    for (name, bytes) in [
        ("empty", &b""[..]),
        ("not_utf_8", &[b'x', 0x80]),
        ("cut_utf_8", &[0xe2, 0x82]),
        ("of_nul", b"x\0y"),
        ("of_a_space", b"x y"),
        ("of_a_line_end", b"x\ny = neg(x) : f32[]"),
        ("of_a_quote", b"\""),
        ("beginning_with_a_dot", b".x"),
        ("beginning_with_a_slash", b"/x"),
        ("of_other_letters", "größe".as_bytes()),
        ("that_turns_around", "x\u{202e}y".as_bytes()),
        ("of_dots", b"_.._/../.."),
        ("like_a_keyword", b"graph"),
        ("like_the_end", b"return"),
    ] {
        add(&format!("node_name_{name}"), named(bytes));
    }
    add("node_name_of_10_000_slashes", named("a/".repeat(10_000).as_bytes()));
    add("node_name_of_20_000_letters", named(&[b'a'; 20_000]));
    add("node_name_of_20_000_nuls", named(&[0; 20_000]));
    add(
        "node_names_twice",
        forge().node(placeholder("x", &[3])).node(placeholder("x", &[3])).file(),
    );
    add("node_names_30_twice", {
        (0..30).fold(forge(), |forge, _| forge.node(placeholder("x", &[3]))).file()
    });
    add("node_names_long_twice", {
        let name = "n".repeat(1_000);
        (0..30).fold(forge(), |forge, _| forge.node(placeholder(&name, &[3]))).file()
    });
    add("node_names_long_of_operands", {
        let long = placeholder(&"n".repeat(5_000), &[3]);
        (0..30)
            .fold(forge().node(long), |forge, at| {
                forge.node(n(&format!("y{at}"), ADD, &[0; 20], vec![], f32(&[3])))
            })
            .file()
    });
    let record = |name: &[u8]| Bytes::default().u32(0).bytes(name).u32(0);
    for (name, count) in [("1_million", 1_000_000u64), ("2_40", 1 << 40), ("2_63", HUGE)] {
        let head = forge().node(placeholder("x", &[3]));
        let raw = |bytes: Bytes| head.clone().raw(&bytes.raw(&[0; 64]).0).file();
        add(&format!("node_name_claims_{name}"), raw(Bytes::default().u32(0).u64(count)));
        add(&format!("node_operands_claim_{name}"), raw(record(b"y").u64(count)));
        add(&format!("node_controls_claim_{name}"), raw(record(b"y").u64(0).u64(count)));
        add(&format!("node_attributes_claim_{name}"), raw(record(b"y").u64(0).u64(0).u64(count)));
    }
    add("node_attributes_10_000", changed(|node| node.attributes = vec![A::Flag(0); 10_000]));
    add("node_attributes_missing", changed(|node| node.attributes.truncate(1)));
    add("node_attributes_more", changed(|node| node.attributes.push(A::Flag(1))));
    for tag in [3, 255, u32::MAX] {
        add(&format!("node_role_{tag}"), changed(|node| node.role = Bytes::default().u32(tag)));
        add(
            &format!("node_location_{tag}"),
            changed(|node| node.location = Bytes::default().u32(tag)),
        );
    }
    add("node_role_backward_of_itself", changed(|node| node.role = Bytes::default().u32(1).u64(0)));
    add(
        "node_role_backward_of_2_63",
        changed(|node| node.role = Bytes::default().u32(1).u64(HUGE)),
    );
    add("node_role_update", changed(|node| node.role = Bytes::default().u32(2)));
    let place = |file, line, column| Bytes::default().u32(1).u64(file).u32(line).u32(column);
    add("node_location_in_no_file", changed(|node| node.location = place(0, 1, 1)));
    add("node_location_in_file_2_63", changed(|node| node.location = place(HUGE, 1, 1)));
    add("node_location_of_line_ends", {
        let node = N { location: place(0, u32::MAX, u32::MAX), ..placeholder("x", &[3]) };
        Forge { files: vec![b"src/\n\x1b[31m.rs".to_vec()], ..forge() }.node(node).file()
    });
    add(
        "node_location_line_ffffffff",
        changed(|node| node.location = Bytes::default().u32(2).u32(u32::MAX)),
    );
}

fn types(add: &mut impl FnMut(&str, Vec<u8>)) {
    for tag in [6, 128, 255] {
        add(&format!("type_dtype_{tag}"), changed(|node| node.ty = T::Tensor(tag, sizes(&[3]))));
        add(&format!("attribute_dtype_{tag}"), changed(|node| node.attributes[0] = A::DType(tag)));
    }
    let shaped = |dims: Vec<D>| forge().node(source("x", PLACEHOLDER, 0, dims)).file();
    for rank in [32, 33, 255] {
        add(&format!("type_rank_{rank}"), shaped(sizes(&vec![1; rank])));
    }
    add("type_rank_33_declared", changed(|node| node.ty = f32(&[1; 33])));
    for (name, rank) in [("2_40", 1 << 40), ("2_63", HUGE)] {
        let raw = Bytes::default().u32(0).u8(0).u64(rank).raw(&[0; 32]).0;
        add(&format!("type_rank_{name}"), changed(|node| node.ty = T::Raw(raw)));
    }
    for (name, dims) in [
        ("minus_1", &[u64::MAX][..]),
        ("minus_2_63", &[HUGE]),
        ("2_62", &[1 << 62]),
        ("2_61", &[1 << 61]),
        ("product_2_64", &[1 << 32, 1 << 32]),
        ("product_past_2_64", &[u64::MAX, u64::MAX, u64::MAX]),
        ("product_2_128_by_ones", &[1 << 62, 1, 1 << 62, 1, 4]),
        ("0_by_2_64", &[0, 1 << 33, 1 << 33]),
        ("0", &[0]),
    ] {
        add(&format!("type_dims_{name}"), shaped(sizes(dims)));
    }
    add("type_dims_of_no_symbol", shaped(vec![D::Symbol(0)]));
    add("type_dims_of_symbol_2_63", shaped(vec![D::Symbol(HUGE)]));
    add("type_dims_of_a_third_kind", {
        let raw = Bytes::default().u32(0).u8(0).u64(1).u32(2).u64(0).0;
        changed(|node| node.ty = T::Raw(raw))
    });
    let symbols = |names: &[&[u8]]| {
        let dims: Vec<D> = (0..names.len() as u64).map(D::Symbol).collect();
        let names = names.iter().map(|name| name.to_vec()).collect();
        Forge { symbols: names, ..forge() }.node(source("x", PLACEHOLDER, 0, dims)).file()
    };
    add("symbol_empty_name", symbols(&[b""]));
    add("symbol_not_utf_8", symbols(&[&[0xff]]));
    add("symbol_twice", symbols(&[b"N", b"N"]));
    add("symbol_like_a_number", symbols(&[b"7"]));
    add("symbol_of_a_line_end", symbols(&[b"N\n\"]"]));
    add("symbol_of_20_000_letters", symbols(&[&[b'N'; 20_000]]));
    add("symbol_named_like_derived_ones", symbols(&[b"D", b"D2", b"D3", b"N"]));
    add("type_differs_in_dtype", changed(|node| node.ty = T::Tensor(1, sizes(&[3]))));
    add("type_differs_in_size", changed(|node| node.ty = f32(&[4])));
    add("type_differs_in_rank", changed(|node| node.ty = f32(&[3, 1])));
    add("type_operation_for_a_tensor", changed(|node| node.ty = T::Operation));
    add("type_tuple_for_a_tensor", changed(|node| node.ty = T::Tuple(vec![(0, sizes(&[3]))])));
    add(
        "type_tensor_for_an_operation",
        forge().node(placeholder("x", &[3])).node(n("g", GROUP, &[0], vec![], f32(&[]))).file(),
    );
    add("type_tuple_of_nothing", changed(|node| node.ty = T::Tuple(vec![])));
    add("type_tuple_of_1025", changed(|node| node.ty = T::Tuple(vec![(0, vec![]); 1025])));
    for (name, count) in [("2_40", 1u64 << 40), ("2_63", HUGE)] {
        let raw = Bytes::default().u32(1).u64(count).raw(&[0; 64]).0;
        add(&format!("type_tuple_of_{name}"), changed(|node| node.ty = T::Raw(raw)));
    }
    for tag in [3, 255, u32::MAX] {
        let raw = Bytes::default().u32(tag).raw(&[0; 32]).0;
        add(&format!("type_tag_{tag}"), changed(|node| node.ty = T::Raw(raw)));
    }
    add(
        "type_item_of_a_tensor",
        chain().node(n("i", ITEM, &[0], vec![A::Integer(0)], f32(&[3]))).file(),
    );
}

fn attributes(add: &mut impl FnMut(&str, Vec<u8>)) {
    let second = |value: A| changed(|node| node.attributes[1] = value);
    for (name, value) in [
        ("flag", A::Flag(1)),
        ("integer", A::Integer(3)),
        ("real", A::Real(f64::NAN)),
        ("text", A::Text(b"[3]".to_vec())),
        ("dtype", A::DType(0)),
        ("integers", A::Integers(vec![3])),
        ("array", A::Array(3, vec![1], 3u64.to_le_bytes().to_vec())),
        ("initializer", A::Zeros),
        ("body", A::Body),
    ] {
        add(&format!("attribute_{name}_for_a_shape"), second(value));
    }
    add("attribute_tag_10", second(A::Raw(Bytes::default().u32(10).raw(&[0; 64]).0)));
    add("attribute_tag_ffffffff", second(A::Raw(vec![0xff; 64])));
    let trainable = |flag: u8| {
        let mut node = variable("v", 0, sizes(&[3]), A::Zeros);
        node.attributes[3] = A::Flag(flag);
        forge().node(node).file()
    };
    add("attribute_flag_2", trainable(2));
    add("attribute_flag_255", trainable(255));
    for (name, count) in [("1_million", 1_000_000u64), ("2_61", 1 << 61), ("2_63", HUGE)] {
        let claim = |tag: u32| A::Raw(Bytes::default().u32(tag).u64(count).raw(&[0; 64]).0);
        add(&format!("attribute_text_claims_{name}"), second(claim(3)));
        add(&format!("attribute_shape_claims_{name}"), second(claim(5)));
        add(&format!("attribute_integers_claim_{name}"), second(claim(6)));
    }
    add("attribute_text_not_utf_8", second(A::Text(vec![0xff; 8])));
    add("attribute_shape_of_rank_33", second(A::Shape(sizes(&[1; 33]))));
    for axis in [i64::MIN, -2, 1, 1 << 32, i64::MAX] {
        let join = n("j", CONCAT, &[0, 1], vec![A::Integer(axis)], f32(&[6]));
        add(&format!("attribute_axis_{axis}"), chain().node(join).file());
    }
}

fn arrays(add: &mut impl FnMut(&str, Vec<u8>)) {
    let held = |dtype: u8, dims: &[u64], bytes: &[u8]| {
        forge().node(constant("k", dtype, dims, bytes)).file()
    };
    add("array_bytes_missing", held(0, &[3], &[0; 11]));
    add("array_bytes_more", held(0, &[3], &[0; 13]));
    add("array_bytes_none", held(0, &[3], &[]));
    add("array_bytes_for_nothing", held(0, &[0, 5], &[0; 4]));
    add("array_empty", held(0, &[0, 5], &[]));
    add("array_empty_by_2_62", held(4, &[0, 1 << 62], &[]));
    add("array_empty_by_2_64", held(4, &[0, 1 << 62, 4], &[]));
    add("array_dims_wrap_to_4", held(4, &[(1 << 63) + 2, 2], &[0; 4]));
    add("array_dims_wrap_to_0", held(4, &[1 << 32, 1 << 32], &[]));
    add("array_dims_2_64", held(4, &[u64::MAX], &[]));
    add("array_bytes_wrap", held(1, &[1 << 61], &[]));
    add("array_rank_33", held(4, &[1; 33], &[0]));
    add("array_rank_32", held(4, &[1; 32], &[0]));
    add("array_dtype_6", held(6, &[1], &[0; 4]));
    add("array_dtype_255", held(255, &[1], &[0; 4]));
    add("array_bool_2", held(5, &[3], &[0, 1, 2]));
    add("array_bool_255", held(5, &[], &[255]));
    add("array_nan_with_payload", held(0, &[2], &[1, 0, 0xa0, 0x7f, 2, 0, 0xe0, 0xff]));
    add("array_declared_otherwise", {
        let mut node = constant("k", 0, &[3], &[0; 12]);
        node.ty = f32(&[4]);
        forge().node(node).file()
    });
    for (name, count) in [("1_gb", 1u64 << 30), ("2_40", 1 << 40), ("2_63", HUGE)] {
        let raw = Bytes::default().u32(7).u8(4).u64(1).u64(count).u64(count).raw(&[0; 64]).0;
        let node = n("k", CONSTANT, &[], vec![A::Raw(raw)], T::Tensor(4, sizes(&[count])));
        add(&format!("array_claims_{name}"), forge().node(node).file());
    }
    let starts =
        |initial: A, dtype: u8| forge().node(variable("v", dtype, sizes(&[2]), initial)).file();
    add("initial_of_another_shape", starts(A::Constant(0, vec![3], vec![0; 12]), 0));
    add("initial_of_another_dtype", starts(A::Constant(1, vec![2], vec![0; 16]), 0));
    add("initial_of_no_elements", starts(A::Constant(0, vec![0], vec![]), 0));
    add("initial_bytes_missing", starts(A::Constant(0, vec![2], vec![0; 7]), 0));
    add("initial_nan", starts(A::Normal(f64::NAN, f64::NAN), 0));
    add("initial_infinite", starts(A::Normal(f64::INFINITY, f64::NEG_INFINITY), 1));
    add("initial_random_integers", starts(A::Normal(0.0, 1.0), 2));
    add("initial_random_truths", starts(A::Normal(0.0, 1.0), 5));
    add("initial_tag_6", starts(A::Raw(Bytes::default().u32(8).u32(6).0), 0));
    add("initial_tag_ffffffff", starts(A::Raw(Bytes::default().u32(8).u32(u32::MAX).0), 0));
    add("variable_of_2_50", forge().node(variable("v", 0, sizes(&[1 << 50]), A::Zeros)).file());
    add("variable_of_2_60", forge().node(variable("v", 0, sizes(&[1 << 60]), A::Zeros)).file());
    add("variable_of_unknown_size", {
        let node = variable("v", 0, vec![D::Symbol(0)], A::Zeros);
        forge().symbols(&["N"]).node(node).file()
    });
}

fn bodies(add: &mut impl FnMut(&str, Vec<u8>)) {
    let two = || body(body(before_cond(), "c/then"), "c/else");
    add("body_in_order", two().node(cond()).file());
    add("body_lacking_one", body(before_cond(), "c/then").node(cond()).file());
    add("body_lacking_both", before_cond().node(cond()).file());
    add("body_one_more", body(two(), "c/third").node(cond()).file());
    add("body_without_a_node", two().file());
    add("body_without_an_end", before_cond().body("c/then").file());
    add("body_ends_unbegun", before_cond().end_body(&[]).file());
    add("body_ends_twice", two().end_body(&[0]).file());
    add(
        "body_empty",
        before_cond().body("a").end_body(&[]).body("b").end_body(&[]).node(cond()).file(),
    );
    add("body_gives_a_missing_node", before_cond().body("a").end_body(&[0]).file());
    add("body_gives_node_2_63", before_cond().body("a").end_body(&[HUGE]).file());
    add("body_gives_an_operation", {
        let odd = |forge: Forge, name| {
            forge.body(name).node(n("g", GROUP, &[], vec![], T::Operation)).end_body(&[0])
        };
        odd(odd(before_cond(), "a"), "b").node(cond()).file()
    });
    add(
        "body_holds_a_signature",
        before_cond().body("a").signature("s", &[], &[], &[], &[]).file(),
    );
    add(
        "body_holds_a_placeholder",
        before_cond().body("a").node(placeholder("x", &[])).end_body(&[0]).file(),
    );
    add("body_holds_a_variable", {
        let node = variable("v", 0, vec![], A::Zeros);
        before_cond().body("a").node(node).end_body(&[0]).file()
    });
    add(
        "body_uses_a_node_outside",
        before_cond().body("a").node(n("y", NEG, &[1], vec![], f32(&[]))).file(),
    );
    add(
        "body_of_another_node",
        body(body(before_cond(), "a"), "b").node(n("y", NEG, &[1], vec![], f32(&[]))).file(),
    );
    add("body_waits_inside_a_body", body(before_cond().body("a"), "b").end_body(&[]).file());
    add("body_names_the_same", body(body(before_cond(), "c"), "c").node(cond()).file());
    add("body_name_of_line_ends", body(body(before_cond(), "a {\n}"), "\"\0").node(cond()).file());
    add("body_name_empty", body(body(before_cond(), ""), "").node(cond()).file());
    add(
        "body_name_of_20_000_slashes",
        body(body(before_cond(), &"/".repeat(20_000)), "b").node(cond()).file(),
    );
    add("body_of_other_types", {
        let other = |forge: Forge, name, dtype| {
            forge.body(name).node(source("a", INPUT, dtype, vec![])).end_body(&[0])
        };
        other(other(before_cond(), "a", 0), "b", 1).node(cond()).file()
    });
    for depth in [31, 32, 33, 100] {
        add(&format!("body_nested_{depth}"), nested(depth));
    }
    add("body_opened_1000_times", (0..1000).fold(before_cond(), |forge, _| forge.body("b")).file());
    add(
        "bodies_waiting_2000",
        (0..2000).fold(before_cond(), |forge, _| forge.body("").end_body(&[])).file(),
    );
    add("bodies_100_by_symbols_100", symbols_by_bodies(100, 100, 3));
    add("bodies_20_by_symbols_of_2000_letters", symbols_by_bodies(4, 20, 2_000));
}

/// A `cond` in each branch of a `cond`, so deep.
pub fn nested(depth: usize) -> Vec<u8> {
    let mut forge = before_cond();
    for _ in 0..depth {
        forge = forge.body("then").node(source("p", INPUT, 5, vec![])).node(source(
            "x",
            INPUT,
            0,
            vec![],
        ));
    }
    for _ in 0..depth {
        forge = forge
            .end_body(&[1])
            .body("else")
            .node(source("p", INPUT, 5, vec![]))
            .node(source("x", INPUT, 0, vec![]))
            .end_body(&[1]);
        let mut node = cond();
        node.operands = vec![0, 0, 1];
        forge = forge.node(node);
    }
    forge.file()
}

/// So many unknown dimensions, their names so long, and so many bodies, each of which knows all of
/// them.
pub fn symbols_by_bodies(symbols: usize, bodies: usize, letters: usize) -> Vec<u8> {
    let names: Vec<String> = (0..symbols).map(|at| format!("S{at:0>letters$}")).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let mut forge = before_cond().symbols(&names);
    for at in 0..symbols {
        forge = forge.node(source(&format!("s{at}"), PLACEHOLDER, 0, vec![D::Symbol(at as u64)]));
    }
    for at in 0..bodies / 2 {
        forge = body(body(forge, "t"), "e");
        forge = forge.node(N { name: format!("c{at}").into_bytes(), ..cond() });
    }
    forge.file()
}

fn signatures(add: &mut impl FnMut(&str, Vec<u8>)) {
    let with = |inputs: &[(&str, u64)], outputs: &[(&str, u64)], steps: &[u64]| {
        chain().signature("s", inputs, &[], outputs, steps).file()
    };
    add("signature_in_order", with(&[("in", 0)], &[("out", 1)], &[]));
    add("signature_input_missing", with(&[("in", 2)], &[], &[]));
    add("signature_input_2_63", with(&[("in", HUGE)], &[], &[]));
    add("signature_output_missing", with(&[], &[("out", 9)], &[]));
    add("signature_step_missing", with(&[], &[], &[77]));
    add("signature_input_twice", with(&[("a", 0), ("b", 0)], &[], &[]));
    add("signature_port_twice", with(&[("a", 0), ("a", 1)], &[], &[]));
    add("signature_port_bad_name", with(&[("a b", 0)], &[], &[]));
    add("signature_port_of_line_ends", with(&[("a\nrun y", 0)], &[], &[]));
    add("signature_bad_name", chain().signature("s {", &[], &[], &[], &[]).file());
    add("signature_empty_name", chain().signature("", &[], &[], &[], &[]).file());
    add(
        "signature_long_bad_name",
        chain().signature(&"\0".repeat(5_000), &[("a", 0)], &[], &[("b", 0)], &[1]).file(),
    );
    add(
        "signature_twice",
        chain().signature("s", &[], &[], &[], &[]).signature("s", &[], &[], &[], &[]).file(),
    );
    add(
        "signature_before_nodes",
        forge().signature("s", &[], &[], &[], &[]).node(placeholder("x", &[3])).file(),
    );
    add(
        "signature_of_an_operation",
        chain()
            .node(n("g", GROUP, &[0], vec![], T::Operation))
            .signature("s", &[("in", 2)], &[], &[("out", 2)], &[2])
            .file(),
    );
    let feed = |dtype: u8, dims: &[u64], bytes: &[u8]| {
        chain().signature("s", &[], &[(0, dtype, dims, bytes)], &[], &[]).file()
    };
    add("signature_feed_in_order", feed(0, &[3], &[0; 12]));
    add("signature_feed_of_another_shape", feed(0, &[4], &[0; 16]));
    add("signature_feed_of_another_dtype", feed(1, &[3], &[0; 24]));
    add("signature_feed_bytes_missing", feed(0, &[3], &[0; 11]));
    add("signature_feed_dtype_9", feed(9, &[3], &[0; 12]));
    for (name, count) in [("1_million", 1_000_000u64), ("2_40", 1 << 40), ("2_63", HUGE)] {
        let start = || Bytes::default().u32(3).bytes(b"s");
        add(
            &format!("signature_inputs_{name}"),
            chain().raw(&start().u64(count).raw(&[0; 64]).0).file(),
        );
        add(
            &format!("signature_feeds_{name}"),
            chain().raw(&start().u64(0).u64(count).raw(&[0; 64]).0).file(),
        );
        add(
            &format!("signature_steps_{name}"),
            chain().raw(&start().u64(0).u64(0).u64(0).u64(count).0).file(),
        );
    }
    add("signatures_100", {
        (0..100)
            .fold(chain(), |forge, at| {
                forge.signature(&format!("s{at}"), &[("x", 0)], &[], &[("y", 1)], &[])
            })
            .file()
    });
}

/// Of nothing, a number, a batch of images, truth values, an operation, and images of an unknown
/// number of channels.
fn watched() -> Forge {
    forge()
        .symbols(&["C"])
        .node(placeholder("x", &[3]))
        .node(placeholder("loss", &[]))
        .node(placeholder("images", &[2, 4, 4, 3]))
        .node(source("flags", PLACEHOLDER, 5, sizes(&[3])))
        .node(n("step", GROUP, &[0], vec![], T::Operation))
        .node(source(
            "open",
            PLACEHOLDER,
            0,
            vec![D::Known(2), D::Known(4), D::Known(4), D::Symbol(0)],
        ))
}

fn summaries(add: &mut impl FnMut(&str, Vec<u8>)) {
    const SCALAR: u32 = 0;
    const HISTOGRAM: u32 = 1;
    const IMAGE: u32 = 2;
    let one = |kind, tag: &str, nodes: &[u64]| watched().summary(kind, tag, nodes).file();
    add(
        "summaries_in_order",
        watched()
            .summary(SCALAR, "loss", &[1])
            .summary(HISTOGRAM, "all", &[0, 1, 2])
            .summary(IMAGE, "a tag: \"x\"\n", &[2])
            .file(),
    );
    add("summary_of_kind_3", one(3, "t", &[1]));
    add("summary_of_kind_ffffffff", one(u32::MAX, "t", &[1]));
    add("summary_without_a_tag", one(SCALAR, "", &[1]));
    add("summary_tag_reserved", one(SCALAR, "abeyance/state", &[1]));
    add("summary_tag_of_line_ends", one(SCALAR, "t = x\n}\n\"\\\0", &[1]));
    add("summary_tag_of_20_000_nuls", one(SCALAR, &"\0".repeat(20_000), &[0]));
    add(
        "summary_tag_twice",
        watched().summary(SCALAR, "t", &[1]).summary(HISTOGRAM, "t", &[0]).file(),
    );
    add("summary_tag_not_utf_8", {
        let record = Bytes::default().u32(5).u32(0).bytes(&[0xc3]).u64(1).u64(1);
        Forge { flags: SUMMARIES, ..watched() }.raw(&record.0).file()
    });
    add("summary_of_nothing", one(HISTOGRAM, "t", &[]));
    add("summary_scalar_of_two", one(SCALAR, "t", &[1, 1]));
    add("summary_image_of_two", one(IMAGE, "t", &[2, 5]));
    add("summary_of_a_tensor_twice", one(HISTOGRAM, "t", &[0, 1, 0]));
    add("summary_of_a_missing_node", one(SCALAR, "t", &[6]));
    add("summary_of_node_2_63", one(SCALAR, "t", &[HUGE]));
    add("summary_of_an_operation", one(HISTOGRAM, "t", &[4]));
    add("summary_of_truth_values", one(HISTOGRAM, "t", &[0, 3]));
    add("summary_scalar_of_a_vector", one(SCALAR, "t", &[0]));
    add("summary_image_of_a_vector", one(IMAGE, "t", &[0]));
    add("summary_image_of_unknown_channels", one(IMAGE, "t", &[5]));
    add(
        "summary_before_nodes",
        watched().summary(SCALAR, "t", &[1]).node(placeholder("y", &[])).file(),
    );
    add(
        "summary_of_a_node_behind",
        forge().summary(SCALAR, "t", &[0]).node(placeholder("y", &[])).file(),
    );
    add(
        "summary_without_the_flag",
        Forge { flags: 0, ..watched().summary(SCALAR, "t", &[1]) }.file(),
    );
    add("summary_flag_without_a_summary", Forge { flags: SUMMARIES, ..watched() }.file());
    add("summary_in_a_body", {
        let body = before_cond().body("then").node(source("a", INPUT, 0, vec![]));
        body.summary(SCALAR, "t", &[0]).end_body(&[0]).file()
    });
    add("summary_tensors_cut", {
        let record = Bytes::default().u32(5).u32(1).bytes(b"t").u64(2).u64(0);
        let start = Forge { flags: SUMMARIES, ..watched() };
        with_flags(SUMMARIES, &start.raw(&record.0).unended())
    });
    for (name, count) in [("1_million", 1_000_000u64), ("2_40", 1 << 40), ("2_63", HUGE)] {
        let start = || Bytes::default().u32(5).u32(1);
        let raw = |bytes: Bytes| {
            let file = Forge { flags: SUMMARIES, ..watched() };
            file.raw(&bytes.raw(&[0; 64]).0).file()
        };
        add(&format!("summary_tag_{name}"), raw(start().u64(count)));
        add(&format!("summary_tensors_{name}"), raw(start().bytes(b"t").u64(count)));
    }
    add("summaries_wrong_100", {
        (0..100).fold(watched(), |forge, at| forge.summary(SCALAR, &format!("t{at}"), &[0])).file()
    });
}
