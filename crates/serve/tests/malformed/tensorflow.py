"""Wrong requests of TensorFlow Serving's REST."""

import json

from form import repeat, text


def add(lines):
    def predict(name, body, says=(), status=400, model="single", **more):
        lines.http(f"predict: {name}", body, status, says, path=f"/v1/models/{model}:predict", **more)

    for name, body in [
        ("nothing", ""),
        ("a brace", "{"),
        ("a cut list", '{"instances": [1, 2'),
        ("something behind the end", '{"instances": [1]} 2'),
        ("a byte order mark", '\ufeff{"instances": [1]}'),
        ("bytes of all values", bytes(range(256))),
        ("a form", "instances=1"),
    ]:
        predict(f"JSON: {name}", body, ["JSON"])
    for value in ["null", "7", "[]", '"x"', "true"]:
        predict(f"{value} in place of an object", value, ["object"])
    predict("100,000 brackets", [text('{"instances": '), repeat("[", 100_000), repeat("]", 100_000), text("}")])
    predict("100,000 brackets, cut", [text('{"instances": '), repeat("[", 100_000)])
    predict("100,000 braces", [text('{"inputs": '), repeat('{"x":', 100_000)])
    predict("1,000,000 rows without anything", [text('{"instances": ['), repeat("{},", 999_999), text("{}]}")], ["x"])
    predict("a number of a megabyte", [text('{"instances": ['), repeat("9", 1_000_000), text("]}")], [["x", "JSON"]])
    predict("neither form", {}, ["instances", "inputs"])
    predict("both forms", {"instances": [1], "inputs": [1]}, ["instances", "inputs"])
    predict("instances twice", '{"instances": [1], "instances": [2]}', ["instances"])
    for value in [None, True, 7, "x", {}, {"x": [1]}, []]:
        predict(
            f"instances is {json.dumps(value)}", {"instances": value}, ["instances"], [200, 400] if value == [] else 400
        )
    for value in [None, True, "x", {}, {"z": [1]}]:
        predict(
            f"inputs is {json.dumps(value)}",
            {"inputs": value},
            [] if value is None else ["x"] if value != {"z": [1]} else ["z"],
        )
    for row in [True, "x", [], [1], [[1]], {"z": 1}, {"x": 1, "z": 1}, {"x": [1]}, {"x": "a"}, {"x": True}, {}]:
        predict(
            f"a row is {json.dumps(row)}",
            {"instances": [row]},
            ["z"] if isinstance(row, dict) and "z" in row else ["x"],
        )
    for rows in [[1, [2]], [1, {"x": 2}], [{"x": 1}, 2], [{"x": 1}, {}], [1, "2"], [1, True]]:
        predict(
            f"rows {json.dumps(rows)}",
            {"instances": rows},
            [["instances", "instances[1]", "x"]],
            [400, 200] if any(isinstance(row, dict) for row in rows) else 400,
        )
    for row in [
        [[1, 2], [3]],
        [[1, 2]],
        [1, 2, 3, 4],
        [[1, 2], [3, 4], [5, 6]],
        [[[1], [2]], [[3], [4]]],
        [[1, 2], 3],
        [[], []],
    ]:
        predict(
            f"a row of a signature of [N, 2, 2] is {json.dumps(row)}",
            {"signature_name": "negative", "instances": [row]},
            [["image", "instances[0]"]],
        )
    for value in [True, 7, [], {}, "backwards", "Predict"]:
        status = [404, 400] if isinstance(value, str) else 400
        predict(
            f"signature_name is {json.dumps(value)}", {"signature_name": value, "instances": [1]}, ["signature"], status
        )
    predict("a row twice named", '{"instances": [{"x": 1, "x": 2}]}', ["x"])
    for row, says in [
        ({"a": 1}, "b"),
        ({"a": 1, "b": None}, "b"),
        ({"a": 1.5, "b": 1}, "a"),
        ({"a": 2**31, "b": 1}, "a"),
        ({"a": 1, "b": "1"}, "b"),
        ({"a": [1], "b": [1]}, "a"),
    ]:
        predict(f"a row of two inputs is {json.dumps(row)}", {"instances": [row]}, [says], model="quotient")
    predict("a row without names where there are two inputs", {"instances": [1]}, ["a", "b"], model="quotient")
    predict("a column without a name where there are two inputs", {"inputs": [1]}, ["a", "b"], model="quotient")
    predict("columns of different numbers of rows", {"inputs": {"a": [1, 2], "b": [1]}}, ["b"], model="quotient")
    predict("a division by zero", {"inputs": {"a": [1, 2], "b": [1, 0]}}, ["zero"], [400, 500], model="quotient")
    for value in ["1e400", "NaN", "2147483648", "null", "{}"]:
        predict(f"an INT32 of {value}", f'{{"inputs": {{"a": [{value}], "b": [1]}}}}', ["a"], model="quotient")
    predict("rows where the model has none", {"instances": [{"x": 1, "n": 1}]}, [], model="scalar")
    predict("a column of a known size that is wrong", {"inputs": [[1, 2, 3]]}, ["x"], model="mixing")
    for model in [
        "nothing",
        "single/versions/9",
        "single/versions/x",
        "single/labels/stable",
        "single/versions/1/versions/1",
    ]:
        predict(f"model {model}", {"instances": [1]}, status=[400, 404], model=model)
    for verb in ["classify", "regress", "Predict", "", "predict:predict"]:
        lines.http(f"predict: the verb {verb!r}", {"instances": [1]}, [400, 404], path=f"/v1/models/single:{verb}")
    lines.http("predict: no verb", {"instances": [1]}, 405, path="/v1/models/single")
    for path in [
        "/v1",
        "/v1/models",
        "/v1/models/",
        "/v1/models/nothing",
        "/v1/models/nothing/metadata",
        "/v1/models/single/versions",
        "/v1/models/single/versions/9",
        "/v1/models/single/versions/9/metadata",
        "/v1/models/single/metadata/x",
        "/v1/models/:predict",
    ]:
        lines.http(f"predict: GET {path}", None, [404, 405], path=path, method="GET")
