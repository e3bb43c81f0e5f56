// Ready-made calls of a model, as text: for a shell, Python and Rust.
import { inferPath } from "./api.js";
import { rustCall } from "./rust.js";
import { elements, isFloat, oneRow } from "./tensors.js";

// Up to so many elements are written out in a call.
const WRITTEN = 8;

const NUMPY = {
  BOOL: "bool_",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "object_",
};

/** The environment variable that calls take the token from. */
export const TOKEN = "ABEYANCE_TOKEN";

/**
 * The calls, `{ id, name, text }`. `at` is the server's address with a slash at its end, `grpc` its
 * address for gRPC or `null`; `version` is `null` for the one that answers without being named;
 * `isDefault` is whether the signature need not be named; `path` is where the model lies.
 */
export function calls(call) {
  const made = [
    { id: "curl", name: "curl", text: curl(call) },
    { id: "tritonclient", name: "Python, tritonclient", text: triton(call, "http") },
    { id: "requests", name: "Python, requests", text: requests(call) },
    { id: "rust", name: "Rust", text: rustCall({ ...call, token: call.token ? TOKEN : null }) },
  ];
  if (call.grpc) made.splice(2, 0, { id: "grpc", name: "Python, gRPC", text: triton(call, "grpc") });
  return made;
}

function curl({ at, model, version, signature, isDefault, token }) {
  const inputs = signature.inputs.map((input) => {
    const shape = oneRow(input.shape);
    const count = elements(shape);
    const zero = zeroOf(input.datatype, "json");
    const few = Array.from({ length: count }, () => zero).join(", ");
    const data = count <= WRITTEN ? within(few) : `$(yes '${zero}' | head -n ${count} | paste -sd, -)`;
    const name = within(JSON.stringify(input.name));
    const head = `"name": ${name}, "shape": ${list(shape)}, "datatype": "${input.datatype}"`;
    return `    {${head},\n     "data": [${data}]}`;
  });
  const parameters = isDefault
    ? ""
    : `"parameters": {"signature": ${within(JSON.stringify(signature.name))}},\n  `;
  const lines = [
    `curl -sS ${quoted(at + inferPath(model, version))} \\`,
    "  -H 'Content-Type: application/json' \\",
    ...(token ? [`  -H "Authorization: Bearer $${TOKEN}" \\`] : []),
    "  --data-binary @- <<JSON",
    `{${parameters ? `${parameters.trimEnd()}\n ` : ""}"inputs": [`,
    `${inputs.join(",\n")}`,
    "]}",
    "JSON",
  ];
  return lines.join("\n");
}

// A list of numbers, in all these languages.
function list(numbers) {
  return `[${numbers.join(", ")}]`;
}

// A word for a shell.
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// A text within a document that the shell looks through for `$`.
function within(text) {
  return text.replace(/[\\$`]/g, "\\$&");
}

function zeroOf(datatype, language) {
  if (datatype === "BOOL") return language === "python" ? "False" : "false";
  if (datatype === "BYTES") return '""';
  return isFloat(datatype) ? "0.0" : "0";
}

function triton({ at, grpc, model, version, signature, isDefault, token }, kind) {
  const url = new URL(at);
  const host = kind === "http" ? `${url.host}${url.pathname.replace(/\/$/, "")}` : grpcAddress(grpc, url);
  const tls = url.protocol === "https:" ? ", ssl=True" : "";
  const inputs = signature.inputs.map(({ name, shape, datatype }) => {
    const zeros = `np.zeros(${list(oneRow(shape))}, np.${NUMPY[datatype] || "float32"})`;
    return `    tensor(${python(name)}, ${zeros}, ${python(datatype)}),`;
  });
  const options = [];
  if (version !== null) options.push(`model_version=${python(version)}`);
  if (!isDefault) options.push(`parameters={"signature": ${python(signature.name)}}`);
  // The names of headers are in small letters over gRPC.
  const header = kind === "grpc" ? "authorization" : "Authorization";
  if (token) options.push(`headers={"${header}": f"Bearer {os.environ['${TOKEN}']}"}`);
  return [
    `# pip install 'tritonclient[${kind}]'`,
    ...(token ? ["import os", ""] : []),
    "import numpy as np",
    `import tritonclient.${kind} as triton`,
    "",
    "",
    "def tensor(name, values, datatype):",
    "    made = triton.InferInput(name, list(values.shape), datatype)",
    "    made.set_data_from_numpy(values)",
    "    return made",
    "",
    "",
    `client = triton.InferenceServerClient(${python(host)}${tls})`,
    `answer = client.infer(${python(model)}, [`,
    ...inputs,
    `]${options.map((option) => `, ${option}`).join("")})`,
    ...signature.outputs.map(({ name }) => `print(${python(name)}, answer.as_numpy(${python(name)}))`),
  ].join("\n");
}

// Where a server that listens on all addresses is reached: as the page was.
function grpcAddress(grpc, url) {
  const port = grpc.slice(grpc.lastIndexOf(":") + 1);
  return /^(0\.0\.0\.0|\[::\]):/.test(grpc) ? `${url.hostname}:${port}` : grpc;
}

// JSON's texts are texts of Python, too.
function python(text) {
  return JSON.stringify(text);
}

function requests({ at, model, version, signature, isDefault, token }) {
  const inputs = signature.inputs.map(({ name, shape, datatype }) => {
    const row = oneRow(shape);
    const zero = zeroOf(datatype, "python");
    const count = elements(row);
    const data =
      count <= WRITTEN ? `[${Array.from({ length: count }, () => zero).join(", ")}]` : `[${zero}] * ${count}`;
    const head = `"name": ${python(name)}, "shape": ${list(row)}, "datatype": ${python(datatype)}`;
    return `        {${head}, "data": ${data}},`;
  });
  return [
    "# pip install requests",
    ...(token ? ["import os", ""] : []),
    "import requests",
    "",
    "answer = requests.post(",
    `    ${python(at + inferPath(model, version))},`,
    "    json={",
    ...(isDefault ? [] : [`        "parameters": {"signature": ${python(signature.name)}},`]),
    '        "inputs": [',
    ...inputs.map((line) => `    ${line}`),
    "        ],",
    "    },",
    ...(token ? [`    headers={"Authorization": f"Bearer {os.environ['${TOKEN}']}"},`] : []),
    "    timeout=10,",
    ")",
    "if not answer.ok:",
    "    raise SystemExit(answer.text)",
    'for output in answer.json()["outputs"]:',
    '    print(output["name"], output["shape"], output["data"])',
  ].join("\n");
}
