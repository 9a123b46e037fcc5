"""Tenfold: pictures of single characters, through the whole life of a classifier.

The stages, in order:

- `data`: datasets fetched, verified, read, split; the sealed test set and its ledger
- `baselines`: classical models, fitted and compared
- `networks`, `architectures`, `recipes`, `augment`: layers, networks made of them, how to train them, random maps
- `train`: a recipe and data become a run; the arithmetic is in `frameworks`
- `runs`: the folder that holds a run
- `evaluate`, `statistics`: predictions become scores, with intervals and tests
- `crossval`, `doubt`: every development picture judged by a model that never saw it, and the labels in doubt
- `atlas`, `similarity`, `robustness`: what goes wrong, what it looks like, what it takes
- `report`: figures, and one page that holds them
- `export`: a run as one ONNX file for others, proved to be what was trained
- `predict`, `steps`: any picture in, an answer out, and how it was read
- `serve`: the same over HTTP, and a page to draw on
- `score`: very many pictures, streaming, resumable, on a cluster
- `lifecycle`: all of it, on a budget
- `doctor`: what this machine has, and what it lacks
- `cli`, `progress`: the same from a terminal, one file per verb
- `extras`: the optional packages
"""

import os

# What libraries read when they are loaded, here or in a child process. It is the one side effect of this import, since
# any module may be the first to import them. onnxruntime's wheel reports usage unless it is told not to. GNU OpenMP's
# threads spin while they wait: beside a busy process that trains thirty times as slowly, and a bound costs next to
# nothing (`python -m benchmarks.busy`).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
if not os.environ.get("OMP_WAIT_POLICY"):
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
