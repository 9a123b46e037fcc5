"""Answer with a model and an old ONNX Runtime, and compare with what the present one answers.

    python tests/old_runtime.py model.onnx answers.npz

This file needs numpy and onnxruntime alone. `answers.npz` holds uint8 `images` `[N, 28, 28]` and their `logits`.
"""

import sys

import numpy as np
import onnxruntime

saved = np.load(sys.argv[2])
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
logits = session.run(["logits"], {session.get_inputs()[0].name: saved["images"]})[0]
np.testing.assert_allclose(logits, saved["logits"], atol=1e-4)
print(f"ONNX Runtime {onnxruntime.__version__} answers {len(logits)} pictures as the present one")
