"""Reads graph files and checkpoints by what docs/format.md says of them, with the standard library alone.

    python3 docs/read_graph.py FILE           what is in it, a line for each node or variable
    python3 docs/read_graph.py --json FILE    all of it; reals and elements as hexadecimal digits of their bytes
"""

import json
import struct
import sys

MAGIC = b"\x89ABY\r\n\x1a\n"
ELEMENT_TYPES = [("f32", 4), ("f64", 8), ("i32", 4), ("i64", 8), ("u8", 1), ("bool", 1)]
SAFETENSORS_TYPES = ["F32", "F64", "I32", "I64", "U8", "BOOL"]
MOST_DIMENSIONS = 32
MOST_ATTRIBUTES = 32
MOST_ITEMS = 1024
MOST_DEPTH = 32
# The flag of a file with summaries.
SUMMARIES = 1
KINDS = ["scalar", "histogram", "image"]


class Damaged(Exception):
    """A file that is not as the page says."""


def check(holds, message):
    if not holds:
        raise Damaged(message)


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C_TABLE = crc32c_table()


def crc32c(data):
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ CRC32C_TABLE[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


class Bytes:
    """What is left of the records."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        check(count <= self.left(), f"{count} bytes at {self.at}, where {self.left()} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def u8(self):
        return self.number("B")

    def u32(self):
        return self.number("I")

    def u64(self):
        return self.number("Q")

    def bool(self):
        byte = self.u8()
        check(byte < 2, f"a bool of {byte}")
        return byte == 1

    def bytes(self):
        return self.take(self.u64())

    def text(self):
        try:
            return self.bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Damaged(f"a text at {self.at} that is no UTF-8") from error

    def list(self, element, most=None):
        count = self.u64()
        check(most is None or count <= most, f"a list of {count}, where {most} are the most")
        # Each element takes a byte at least.
        check(count <= self.left(), f"a list of {count} in {self.left()} bytes")
        return [element() for _ in range(count)]

    def optional(self, value):
        return value() if self.bool() else None

    def variant(self, names):
        number = self.u32()
        check(number < len(names), f"variant {number} of {names}")
        return names[number]


class Graph:
    """The program, or a body: nodes by number."""

    def __init__(self, name):
        self.name, self.nodes, self.names, self.waiting = name, [], set(), []

    def node(self, number):
        check(number < len(self.nodes), f"node {number} is used before it is there")
        return self.nodes[number]["name"]


class GraphFile:
    def __init__(self, data):
        check(data[:8] == MAGIC, "no graph file")
        check(len(data) >= 28, "cut short")
        major, minor, flags, length = struct.unpack_from("<HHIQ", data, 8)
        check(major == 1, f"version {major}.{minor}, and this reads version 1")
        check(flags & ~SUMMARIES == 0, f"unknown flags {flags & ~SUMMARIES:#x}")
        check(24 + length + 4 == len(data), "another length than it says")
        checksum = struct.unpack_from("<I", data, 24 + length)[0]
        check(checksum == crc32c(data[:-4]), "the checksum does not agree")
        self.version, self.flags = [major, minor], flags
        self.bytes = Bytes(data[24:-4])
        self.head()
        self.records()
        check(self.bytes.left() == 0, "records after the end")

    def head(self):
        b = self.bytes
        self.graph = Graph(b.text())
        self.seed = b.optional(b.u64)
        self.node_count, self.edge_count = b.u64(), b.u64()
        self.operators = b.list(lambda: (b.text(), b.list(b.text, MOST_ATTRIBUTES)))
        self.symbols = b.list(b.text)
        self.files = b.list(b.text)
        self.signatures, self.summaries = [], []

    def records(self):
        b, stack = self.bytes, []
        while True:
            record = b.variant(["Node", "Body", "EndBody", "Signature", "End", "Summary"])
            if record == "Node":
                self.read_node()
            elif record == "Body":
                check(len(stack) < MOST_DEPTH, "bodies too deep")
                stack.append(self.graph)
                self.graph = Graph(b.text())
            elif record == "EndBody":
                check(stack and not self.graph.waiting, "a body ends that cannot")
                outputs = [self.graph.node(number) for number in b.list(b.u64)]
                body = {"name": self.graph.name, "nodes": self.graph.nodes, "outputs": outputs}
                self.graph = stack.pop()
                self.graph.waiting.append(body)
            elif record == "Signature":
                check(not stack, "a signature in a body")
                self.read_signature()
            elif record == "Summary":
                check(not stack, "a summary in a body")
                check(self.flags & SUMMARIES, "a summary in a file that says it has none")
                self.read_summary()
            else:
                check(not stack and not self.graph.waiting, "the end in a body")
                break
        edges = sum(len(n["operands"]) + len(n["controls"]) for n in self.graph.nodes)
        check(len(self.graph.nodes) == self.node_count, "another number of nodes than it says")
        check(edges == self.edge_count, "another number of edges than it says")

    def read_node(self):
        b, graph = self.bytes, self.graph
        name = b.text()
        check(is_name(name) and name not in graph.names, f"{name!r} is no name for a node here")
        number = b.u32()
        check(number < len(self.operators), f"{name}: no operator {number}")
        operator, keys = self.operators[number]
        operands = [graph.node(number) for number in b.list(b.u64)]
        controls = [graph.node(number) for number in b.list(b.u64)]
        waiting, graph.waiting = graph.waiting, []
        values = b.list(lambda: self.attribute(waiting), MOST_ATTRIBUTES)
        check(len(values) == len(keys), f"{name}: {len(values)} attributes, not {len(keys)}")
        check(not waiting, f"{name}: bodies are left over")
        kind = b.variant(["Tensor", "Tuple", "Operation"])
        if kind == "Tensor":
            type_ = self.tensor()
        elif kind == "Tuple":
            type_ = b.list(self.tensor, MOST_ITEMS)
        else:
            type_ = "operation"
        role, of = b.variant(["forward", "backward", "update"]), None
        if role == "backward":
            of = graph.node(b.u64())
        graph.names.add(name)
        graph.nodes.append({
            "name": name,
            "operator": operator,
            "operands": operands,
            "controls": controls,
            "attributes": dict(zip(keys, values)),
            "type": type_,
            "role": role,
            "of": of,
            "location": self.location(),
        })

    def location(self):
        b = self.bytes
        kind = b.variant(["Unknown", "Source", "Text"])
        if kind == "Unknown":
            return None
        if kind == "Text":
            return [None, b.u32()]
        file, line, column = b.u64(), b.u32(), b.u32()
        return [self.files[file] if file < len(self.files) else None, line, column]

    def tensor(self):
        return {"dtype": self.element_type()[0], "shape": self.shape()}

    def element_type(self):
        number = self.bytes.u8()
        check(number < len(ELEMENT_TYPES), f"element type {number}")
        return ELEMENT_TYPES[number]

    def shape(self):
        return self.bytes.list(self.dim, MOST_DIMENSIONS)

    def dim(self):
        if self.bytes.variant(["Known", "Symbol"]) == "Known":
            return self.bytes.u64()
        number = self.bytes.u64()
        check(number < len(self.symbols), f"symbol {number}")
        return self.symbols[number]

    def real(self):
        return self.bytes.take(8).hex()

    def array(self):
        b = self.bytes
        name, size = self.element_type()
        dims, elements = b.list(b.u64, MOST_DIMENSIONS), b.bytes()
        for dim in dims:
            size *= dim
        check(size == len(elements), f"an array of {len(elements)} bytes, not {size}")
        check(name != "bool" or all(byte < 2 for byte in elements), "a bool that is none")
        return {"dtype": name, "dims": dims, "bytes": elements.hex()}

    def attribute(self, waiting):
        b = self.bytes
        kind = b.variant([
            "flag", "integer", "real", "text", "dtype", "shape", "integers", "array", "initializer",
            "body",
        ])
        read = {
            "flag": b.bool,
            "integer": lambda: b.number("q"),
            "real": self.real,
            "text": b.text,
            "dtype": lambda: self.element_type()[0],
            "shape": self.shape,
            "integers": lambda: b.list(lambda: b.number("q")),
            "array": self.array,
            "initializer": self.initializer,
            "body": lambda: waiting.pop(0),
        }
        check(kind != "body" or waiting, "a node lacks a body")
        return {kind: read[kind]()}

    def initializer(self):
        kind = self.bytes.variant(
            ["zeros", "ones", "constant", "normal", "truncated_normal", "uniform"]
        )
        if kind in ("zeros", "ones"):
            return [kind]
        if kind == "constant":
            return [kind, self.array()]
        return [kind, self.real(), self.real()]

    def read_summary(self):
        b, graph = self.bytes, self.graph
        kind, tag, numbers = b.variant(KINDS), b.text(), b.list(b.u64)
        nodes = [graph.node(number) for number in numbers]
        taken = [other["tag"] for other in self.summaries]
        check(tag and tag not in taken and not tag.startswith("abeyance/"), "a summary's tag")
        check(len(set(nodes)) == len(nodes) > 0, f"{tag}: tensors")
        check(len(nodes) == 1 or kind == "histogram", f"{tag}: {len(nodes)} tensors")
        for number in numbers:
            type_ = graph.nodes[number]["type"]
            check(isinstance(type_, dict), f"{tag}: no tensor")
            dtype, shape = type_["dtype"], type_["shape"]
            if kind == "image":
                check(len(shape) == 4 and shape[3] in (1, 3, 4), f"{tag}: no images")
                check(dtype in ("u8", "f32"), f"{tag}: images of {dtype}")
            else:
                check(dtype != "bool", f"{tag}: truth values")
                check(kind == "histogram" or not shape, f"{tag}: no number")
        self.summaries.append({"kind": kind, "tag": tag, "nodes": nodes})

    def read_signature(self):
        b, node = self.bytes, self.graph.node
        signature = {
            "name": b.text(),
            "inputs": b.list(lambda: [b.text(), node(b.u64())]),
            "feeds": b.list(lambda: [node(b.u64()), self.array()]),
            "outputs": b.list(lambda: [b.text(), node(b.u64())]),
            "steps": b.list(lambda: node(b.u64())),
        }
        taken = [other["name"] for other in self.signatures]
        check(signature["name"] and signature["name"] not in taken, "a signature's name")
        for part in ("inputs", "outputs"):
            ports = [port for port, _ in signature[part]]
            check(all(ports) and len(set(ports)) == len(ports), f"names of {part}")
        self.signatures.append(signature)

    def whole(self):
        return {
            "version": self.version,
            "name": self.graph.name,
            "seed": self.seed,
            "nodes": self.graph.nodes,
            "summaries": self.summaries,
            "signatures": self.signatures,
        }

    def lines(self):
        yield f"graph {self.graph.name}" + ("" if self.seed is None else f" seed={self.seed}")
        yield from node_lines(self.graph.nodes, "  ")
        for summary in self.summaries:
            nodes = ", ".join(summary["nodes"])
            yield f"  summary {summary['kind']} {quoted(summary['tag'])} = {nodes}"
        for signature in self.signatures:
            yield f"  signature {quoted(signature['name'])}"
            for part in ("inputs", "outputs"):
                for port, node in signature[part]:
                    yield f"    {part[:-1]} {quoted(port)} = {node}"
            for node, array in signature["feeds"]:
                yield f"    feed {node} = {array['dtype']}{array['dims']}"
            for node in signature["steps"]:
                yield f"    run {node}"


def is_name(name):
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
    return name[:1] in plain and name != "" and all(letter in plain + "./" for letter in name)


def quoted(text):
    """As it is where it is a node's name, else with its ends and line ends to be seen."""
    return text if is_name(text) else json.dumps(text, ensure_ascii=False)


def node_lines(nodes, indent):
    for node in nodes:
        for key, value in node["attributes"].items():
            if "body" in value:
                yield f"{indent}  {key} {value['body']['name']}"
                yield from node_lines(value["body"]["nodes"], indent + "    ")
                yield f"{indent}    return {', '.join(value['body']['outputs'])}"
        type_ = node["type"]
        if isinstance(type_, dict):
            type_ = tensor_text(type_)
        elif isinstance(type_, list):
            type_ = f"({', '.join(map(tensor_text, type_))})"
        operands = f"({', '.join(node['operands'])})" if node["operands"] else ""
        line = f"{indent}{node['name']} = {node['operator']}{operands} : {type_}"
        line += f"  of {node['of']}" if node["of"] else ""
        yield line + (f"  after=[{', '.join(node['controls'])}]" if node["controls"] else "")


def tensor_text(tensor):
    return f"{tensor['dtype']}[{', '.join(map(str, tensor['shape']))}]"


class CheckpointFile:
    def __init__(self, data):
        check(len(data) >= 8, "cut short")
        length = struct.unpack_from("<Q", data)[0]
        check(length <= len(data) - 8, "cut short")
        try:
            header = json.loads(data[8 : 8 + length].decode("utf-8"))
        except ValueError as error:
            raise Damaged("no checkpoint: its header is no JSON") from error
        check(isinstance(header, dict), "no checkpoint: its header is no object")
        entry = header.pop("__metadata__", {}).get("abeyance")
        self.facts = None if entry is None else json.loads(entry)
        self.tensors = {}
        elements = data[8 + length :]
        for name, told in header.items():
            check(told["dtype"] in SAFETENSORS_TYPES, f"`{name}` is {told['dtype']}")
            number = SAFETENSORS_TYPES.index(told["dtype"])
            start, end = told["data_offsets"]
            size = ELEMENT_TYPES[number][1]
            for dim in told["shape"]:
                size *= dim
            check(0 <= start <= end <= len(elements) and end - start == size, f"`{name}`: offsets")
            self.tensors[name] = (number, told["shape"], elements[start:end])
        sizes = sum(len(tensor[2]) for tensor in self.tensors.values())
        check(sizes == len(elements), "gaps between tensors, or behind them")
        if self.facts is not None:
            check(self.facts["version"] == 1, f"version {self.facts['version']}, not 1")
            check(self.facts["checksum"] == self.checksum(), "the checksum does not agree")

    def checksum(self):
        facts = dict(self.facts, checksum="")
        covered = bytearray(
            json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        )
        for name, (number, shape, elements) in sorted(
            self.tensors.items(), key=lambda item: item[0].encode("utf-8")
        ):
            name = name.encode("utf-8")
            covered += struct.pack("<Q", len(name)) + name
            covered += struct.pack(f"<{2 + len(shape)}Q", number, len(shape), *shape) + elements
        return f"{crc32c(covered):08x}"

    def whole(self):
        tensors = {
            name: {"dtype": ELEMENT_TYPES[number][0], "dims": shape, "bytes": elements.hex()}
            for name, (number, shape, elements) in self.tensors.items()
        }
        return {"facts": self.facts, "tensors": tensors}

    def lines(self):
        for key, value in (self.facts or {}).items():
            yield f"{key}: {value}"
        for name, (number, shape, _) in sorted(self.tensors.items()):
            yield f"  {name} : {ELEMENT_TYPES[number][0]}{shape}"


def main(arguments):
    is_json = "--json" in arguments
    paths = [argument for argument in arguments if argument != "--json"]
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        try:
            read = GraphFile(data) if data[:1] == MAGIC[:1] else CheckpointFile(data)
        except Damaged as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 1
        if is_json:
            # Escaped, so that it is the same text in every locale.
            print(json.dumps(read.whole()))
        else:
            sys.stdout.reconfigure(encoding="utf-8")
            print("\n".join(read.lines()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
