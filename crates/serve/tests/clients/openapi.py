"""Has schemathesis search the server for answers that its OpenAPI document does not tell of.

    python3 openapi.py HTTP_ADDRESS [GRPC_ADDRESS CASES.json]

What is random is fixed, so that the same server is asked the same. All phases and all checks run but positive_data_acceptance: whether a request that fits
the document is taken depends on the model's signature too (names, shapes, element types), which a document for every model cannot say.

Prints `ok openapi`, or what schemathesis found.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

HTTP = sys.argv[1]
EXAMPLES = os.environ.get("ABEYANCE_SCHEMATHESIS_EXAMPLES", "100")
OPTIONS = [
    "--phases=examples,coverage,fuzzing,stateful",
    "--checks=all",
    "--exclude-checks=positive_data_acceptance",
    f"--max-examples={EXAMPLES}",
    "--mode=all",
    "--generation-deterministic",
    "--continue-on-failure",
    "--workers=1",
    "--request-timeout=20",
    "--warnings=off",
    "--no-color",
]


def main():
    address = f"http://{HTTP}/openapi.json"
    with urllib.request.urlopen(address, timeout=20) as response:
        document = json.load(response)
    operations = sum(
        method in ("get", "post", "put", "delete") for path in document["paths"].values() for method in path
    )
    program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([program, "run", address, *OPTIONS], cwd=folder, capture_output=True, text=True)
    with urllib.request.urlopen(f"http://{HTTP}/v2/health/ready", timeout=20) as response:
        assert json.load(response) == {"ready": True}
    if done.returncode != 0 or operations == 0:
        print(done.stdout[-20000:], done.stderr[-4000:], sep="\n")
        print(f"failed openapi: schemathesis ended with {done.returncode}, over {operations} operations")
        sys.exit(1)
    print(done.stdout[-1500:])
    print(f"ok openapi, {operations} operations")


main()
