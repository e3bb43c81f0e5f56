"""onnxruntime inside Triton's Python backend: the wheel has no other. A batch is run at once."""

import json

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        path = config["parameters"]["onnx"]["string_value"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def execute(self, requests):
        images = [pb_utils.get_input_tensor_by_name(request, "images").as_numpy() for request in requests]
        rows = np.cumsum([len(image) for image in images])[:-1]
        whole = images[0] if len(images) == 1 else np.concatenate(images)
        digit, probabilities = self.session.run(["digit", "probabilities"], {"images": whole})
        cut = zip(np.split(digit.reshape(-1, 1), rows), np.split(probabilities, rows))
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("digit", d), pb_utils.Tensor("probabilities", p)])
            for d, p in cut
        ]
