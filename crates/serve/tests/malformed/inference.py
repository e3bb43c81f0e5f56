"""Wrong requests of the Open Inference Protocol: their JSON, and the types of its fields."""

import json

from form import repeat, text

X = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2]}
RIGHT = {"inputs": [X]}
RIGHT_TEXT = json.dumps(RIGHT)
MISSING = object()


def add(lines):
    broken(lines)
    deep(lines)
    fields(lines)
    elements(lines)


def but(field, value, base=X):
    """The input with another value in a field, or without the field."""
    changed = {key: old for key, old in base.items() if key != field}
    return changed if value is MISSING else {**changed, field: value}


def request(*inputs, **fields):
    return {"inputs": list(inputs), **fields}


def broken(lines):
    for name, body in [
        ("nothing", ""),
        ("spaces", "  \n\t "),
        ("an opening brace", "{"),
        ("an opening bracket", "["),
        ("a quotation mark", '"'),
        ("a comma at the end of an object", '{"inputs": [],}'),
        ("a comma at the end of a list", RIGHT_TEXT.replace("2]}]", "2,]}]")),
        ("a missing comma", RIGHT_TEXT.replace('"x", ', '"x" ')),
        ("a missing colon", RIGHT_TEXT.replace('"inputs":', '"inputs"')),
        ("something behind the end", RIGHT_TEXT + "x"),
        ("two documents", RIGHT_TEXT + RIGHT_TEXT),
        ("a bare key", RIGHT_TEXT.replace('"inputs"', "inputs")),
        ("single quotes", RIGHT_TEXT.replace('"', "'")),
        ("a comment", RIGHT_TEXT.replace("{", "{ /* x */", 1)),
        ("a byte order mark", "\ufeff" + RIGHT_TEXT),
        ("a closing brace too many", RIGHT_TEXT + "}"),
        ("the wrong bracket", RIGHT_TEXT.replace("2]}", "2}}")),
        ("a bad escape", RIGHT_TEXT.replace('"x"', '"\\x"')),
        ("a cut escape", RIGHT_TEXT.replace('"x"', '"\\u12"')),
        ("half a surrogate pair", RIGHT_TEXT.replace('"x"', '"\\ud800"')),
        ("a line break in a text", RIGHT_TEXT.replace('"x"', '"x\n"')),
        ("a zero byte in a text", RIGHT_TEXT.replace('"x"', '"x\0"')),
        ("a form and no JSON", "inputs=x&shape=2"),
        ("XML", "<?xml version='1.0'?><inputs/>"),
    ]:
        lines.http(f"infer: JSON: {name}", body, says=["JSON"])
    for name, body in [
        ("UTF-16", RIGHT_TEXT.encode("utf-16")),
        ("a byte that is no UTF-8", RIGHT_TEXT.encode().replace(b'"x"', b'"\xff"')),
        ("a cut character", RIGHT_TEXT.encode().replace(b'"x"', b'"\xe6\x97"')),
        ("an overlong character", RIGHT_TEXT.encode().replace(b'"x"', b'"\xc0\xaf"')),
        ("zero bytes", bytes(1000)),
        ("bytes of all values", bytes(range(256))),
    ]:
        lines.http(f"infer: JSON: {name}", body, says=["JSON"])
    for at in range(1, len(RIGHT_TEXT), 7):
        lines.http(f"infer: JSON cut after {at} bytes", RIGHT_TEXT[:at], says=["JSON"])
    for name, number in [
        ("a leading zero", "01"),
        ("a plus", "+1"),
        ("nothing before the point", ".5"),
        ("nothing behind the point", "1."),
        ("nothing behind the e", "1e"),
        ("a minus alone", "-"),
        ("hexadecimal", "0x10"),
        ("nan", "nan"),
        ("Nan", "Nan"),
        ("NaNs", "NaNs"),
        ("inf", "inf"),
        ("Infinit", "Infinit"),
        ("an underscore", "1_000"),
        ("two points", "1.2.3"),
        ("undefined", "undefined"),
        ("True", "True"),
    ]:
        lines.http(
            f"infer: a number: {name}", RIGHT_TEXT.replace("[1, 2]", f"[1, {number}]"), says=[["JSON", "inputs[0]"]]
        )
    for value in ["null", "true", "7", '"inputs"', "[]", "[{}]"]:
        lines.http(f"infer: {value} in place of an object", value, says=["object"])


def deep(lines):
    open_, shut = repeat("[", 100_000), repeat("]", 100_000)
    before, behind = [text(part) for part in RIGHT_TEXT.split("[1, 2]")]
    lines.http("infer: 100,000 brackets", [open_])
    lines.http("infer: 100,000 brackets, closed", [open_, shut])
    lines.http("infer: 100,000 braces", [repeat('{"a":', 100_000)])
    lines.http("infer: data 100,000 deep", [before, open_, shut, behind], says=["x"])
    lines.http("infer: data 100,000 deep, cut", [before, open_])
    lines.http("infer: data 40 deep", request(but("data", json.loads("[" * 40 + "1, 2" + "]" * 40))), says=["x"])
    for field in ["parameters", "id", "outputs", "other"]:
        parts = [
            text(RIGHT_TEXT[:-1] + f', "{field}": '),
            repeat('{"a":', 50_000),
            text("1"),
            repeat("}", 50_000),
            text("}"),
        ]
        lines.http(f"infer: {field} 50,000 deep", parts)
    lines.http(
        "infer: 1,000,000 empty lists for data",
        [before, text("["), repeat("[],", 999_999), text("[]]"), behind],
        says=["x"],
    )
    lines.http("infer: 1,000,000 fields", [text("{"), repeat('"a":1,', 999_999), text('"a":1}')], says=["inputs"])
    lines.http(
        "infer: a name of a megabyte",
        [
            text('{"inputs": [{"name": "'),
            repeat("n", 1_000_000),
            text('", "shape": [1], "datatype": "FP32", "data": [1]}]}'),
        ],
    )
    lines.http("infer: a field of a megabyte", [text('{"'), repeat("f", 1_000_000), text('": 1}')], says=["inputs"])
    lines.http(
        "infer: a number of a megabyte", [before, text("[1, "), repeat("9", 1_000_000), text("]"), behind], says=["x"]
    )
    others = [text('{"inputs": ['), repeat(json.dumps(but("name", "other")) + ",", 9_999), text(json.dumps(X) + "]}")]
    lines.http("infer: 10,000 inputs", others, says=[["other", "inputs"]])


def fields(lines):
    for value in [None, True, 7, "x", {}]:
        lines.http(f"infer: inputs is {json.dumps(value)}", {"inputs": value}, says=["inputs"])
    lines.http("infer: inputs is missing", {"id": "1"}, says=["inputs"])
    lines.http("infer: inputs twice", '{"inputs": [], ' + RIGHT_TEXT[1:], says=["inputs"])
    for value in [None, True, 7, "x", [], [X]]:
        lines.http(f"infer: an input is {json.dumps(value)}", {"inputs": [value]}, says=["inputs"])
    for value in [True, 7, [], {}]:
        lines.http(f"infer: id is {json.dumps(value)}", request(X, id=value), says=["id"])
    for value in [True, 7, "x", []]:
        lines.http(f"infer: parameters is {json.dumps(value)}", request(X, parameters=value), says=["parameters"])
        lines.http(
            f"infer: parameters of an input is {json.dumps(value)}",
            request(but("parameters", value)),
            says=["parameters"],
        )
        lines.http(
            f"infer: parameters of an output is {json.dumps(value)}",
            request(X, outputs=[{"name": "y", "parameters": value}]),
            says=["parameters"],
        )
    for value in [True, 7, "x", {}]:
        lines.http(f"infer: outputs is {json.dumps(value)}", request(X, outputs=value), says=["outputs"])
    for value in [None, True, 7, "y", []]:
        lines.http(f"infer: an output is {json.dumps(value)}", request(X, outputs=[value]), says=["outputs"])
    for value in [MISSING, None, True, 7, [], {}]:
        said = "missing" if value is MISSING else json.dumps(value)
        lines.http(f"infer: name is {said}", request(but("name", value)), says=["name"])
        lines.http(f"infer: datatype is {said}", request(but("datatype", value)), says=["datatype"])
        output = {} if value is MISSING else {"name": value}
        lines.http(f"infer: name of an output is {said}", request(X, outputs=[output]), says=["name"])
    for value in [MISSING, None, True, 2, "2", {}, [1.5], ["2"], [None], [True], [[2]], [{}]]:
        said = "missing" if value is MISSING else json.dumps(value)
        lines.http(f"infer: shape is {said}", request(but("shape", value)), says=["shape"])
    for value in [MISSING, None, True, "1, 2", {}, {"0": 1}]:
        said = "missing" if value is MISSING else json.dumps(value)
        lines.http(f"infer: data is {said}", request(but("data", value)), says=["x", "data"])
    for field in ["name", "shape", "datatype", "data"]:
        doubled = json.dumps(X)[:-1] + f', "{field}": {json.dumps(X[field])}}}'
        lines.http(f"infer: {field} twice in an input", f'{{"inputs": [{doubled}]}}', says=[field])
    for datatype in [
        "",
        "fp32",
        "float32",
        "FP16",
        "BF16",
        "INT8",
        "INT16",
        "UINT16",
        "UINT32",
        "UINT64",
        "BYTES",
        "FP64",
        "INT32",
        "BOOL",
        "FP32 ",
        "日本",
    ]:
        lines.http(
            f"infer: datatype is {datatype!r}",
            request(but("datatype", datatype)),
            says=["x"] if datatype == "BOOL" else ["x", "FP32"],
        )


def elements(lines):
    right = {
        "x_f32": ("FP32", [1, 3], [1, 2, 3]),
        "x_f64": ("FP64", [1, 2], [1, 2]),
        "x_i32": ("INT32", [1], [1]),
        "x_i64": ("INT64", [1, 2], [1, 2]),
        "x_u8": ("UINT8", [1, 2, 2], [1, 2, 3, 4]),
        "x_bool": ("BOOL", [1], [True]),
    }
    for name, values in {
        "x_f32": ['"a"', "{}", "true", "[1]", '"1"', "1e400", "1e39"],
        "x_f64": ['"a"', "{}", "false", "1e400", "-1e400"],
        "x_i32": [
            '"1"',
            "null",
            "{}",
            "true",
            "1.5",
            "NaN",
            "Infinity",
            "2147483648",
            "-2147483649",
            "1e10",
            "1e400",
            "99999999999999999999",
        ],
        "x_i64": ["null", "0.5", "NaN", "-Infinity", "9223372036854775808", "-9223372036854775809", "1e30"],
        "x_u8": ["null", "-1", "256", "0.1", "true", "NaN"],
        "x_bool": ["null", '"true"', "2", "-1", "0.5", "NaN", "[]"],
    }.items():
        for value in values:
            inputs = []
            for other, (datatype, shape, elements_) in right.items():
                text_of = json.dumps(elements_)
                if other == name:
                    text_of = "[" + ", ".join([value] + [json.dumps(e) for e in elements_[1:]]) + "]"
                inputs.append(f'{{"name": "{other}", "shape": {shape}, "datatype": "{datatype}", "data": {text_of}}}')
            body = '{"inputs": [' + ", ".join(inputs) + "]}"
            places = [name, f"inputs[{list(right).index(name)}]"]
            lines.http(f"infer: {right[name][0]} {value}", body, says=[places], path="/v2/models/types/infer")
