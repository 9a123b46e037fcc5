"""Train, evaluate, export and serve classifiers for pictures of single characters.

The stages, in order:

- `data`: fetch, verify, read and split datasets; the sealed test set and its ledger
- `baselines`: fit and compare classical models
- `networks`, `architectures`, `recipes`, `augment`: layers, networks, training settings, random affine maps
- `train`: train a recipe into a run; `frameworks` does the arithmetic
- `runs`: the run folder
- `evaluate`, `statistics`: scores, intervals and statistical tests
- `crossval`, `doubt`: cross-validation and doubtful labels
- `atlas`, `similarity`, `robustness`: errors, similar pictures, and accuracy on changed pictures
- `report`: figures, and one HTML page that contains them
- `export`: write a run as one ONNX file, checked against the trained model
- `predict`, `steps`: classify any picture, and draw its preprocessing
- `serve`: the HTTP service and its page to draw on
- `score`: classify large collections; resumable, on a cluster if needed
- `lifecycle`: all stages within a time limit
- `doctor`: the state of this machine
- `cli`, `progress`: the command line, one file per verb
- `extras`: optional packages
"""

import os

# Libraries read these variables when they are loaded, here or in a child process. Setting them is the only side effect
# of this import; it is here because any module may be the first to import the libraries. onnxruntime's wheel reports
# usage unless it is told not to. Waiting threads of GNU OpenMP spin: next to a busy process, a training whose
# batches are not halved took thirty times as long, and a limit on the spinning costs next to nothing (EXPERIMENTS.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
if not os.environ.get("OMP_WAIT_POLICY"):
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
