# %% [markdown]
# # 7 · Shipping
#
# A model in a notebook helps nobody. Others need it as a file that they can run, or as a
# service that answers requests. This notebook makes both, and checks at each step that what
# arrives is what we measured.
#
# **After this notebook you can**
#
# - export a network to ONNX and run it without PyTorch;
# - check that an exported model predicts what the trained one predicts;
# - measure what smaller number formats cost;
# - measure latency and throughput;
# - start a service, send it pictures and see how it treats bad input.
#
# **You need** [notebook 6](06_evaluation.ipynb). **Time:** 60 minutes; the cells run for about
# 30 seconds.

# %% small="train_size, rounds = 5_000, 5"
# training pictures; repetitions of each time measurement
train_size, rounds = 55_000, 40

# %% [markdown]
# First we need a model. `quick` trains in seconds.

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

folder = TemporaryDirectory()
workspace = Path(folder.name)
recipe = recipes.override(recipes.quick(), [f"train_size={train_size}", "epochs=0.85"])
run = train.train(recipe, workspace / "quick")
score = evaluate.evaluate([run])[0].score
print(f"{score.correct:,} of {score.total:,} validation pictures are classified correctly")

# %% [markdown]
# ## One checked file
#
# PyTorch trained the network, but its users should not have to install PyTorch.
# [ONNX](../docs/glossary.md#onnx) is a file format for networks that many programs read: a list
# of operations and their weights. [ONNX Runtime](../docs/glossary.md#onnx-runtime) is a small,
# fast program that runs such files.
#
# A conversion can be wrong. So `export` compares: on ten thousand pictures the file must
# predict what the trained network predicts, and the logits must agree up to rounding. Otherwise
# no file is written.

# %%
from tenfold import export
from tenfold.cli import export as verb

shipped = export.export(run, workspace / "model.onnx")
print(verb.text(shipped))
assert shipped.gate.largest_logit_difference < export.FURTHEST

# %% [markdown]
# Does this check notice anything? We damage a copy of the run: one weight of its last layer is
# raised by 2. It still looks like a run and still answers, but it is not what was trained.

# %%
import shutil

from tenfold import runs
from tenfold.errors import TenfoldError

damaged = runs.Run(Path(shutil.copytree(run.folder, workspace / "damaged")))
weights = damaged.weights()
weights["dense2.weight"][0, 0] += 2
runs.write_tensors(damaged.folder / runs.WEIGHTS, weights)
try:
    export.export(damaged, workspace / "damaged.onnx")
except TenfoldError as refusal:
    print(refusal)
assert not (workspace / "damaged.onnx").exists()

# %% [markdown]
# ## Inputs, outputs and metadata
#
# Now imagine that you have only this file and ONNX Runtime. The file describes itself. Its
# input is pictures as MNIST stores them, whole numbers from 0 to 255, because normalisation is
# inside. Its outputs are logits and [calibrated](../docs/glossary.md#calibration)
# probabilities (notebook 6).

# %%
import json

import numpy as np
import onnxruntime

model = onnxruntime.InferenceSession(workspace / "model.onnx")
for value in (*model.get_inputs(), *model.get_outputs()):
    print(f"{value.name:14} {value.type:15} {value.shape}")
metadata = model.get_modelmeta().custom_metadata_map
print("metadata:", ", ".join(sorted(metadata)))
vector = json.loads(metadata["test_vector"])
logits = model.run(["logits"], {"images": np.uint8(vector["images"])})[0]
assert np.abs(logits - vector["logits"]).max() < vector["tolerance"]

# %% [markdown]
# The last lines are a check that every user can make. The file contains a few pictures and the
# logits that they had on *our* machine, the **test vector**. If yours differ, something between
# us is broken, and you know before your users do.
#
# ## Smaller files
#
# A weight has 32 bits. Are 16 or 8 enough? This is
# [quantisation](../docs/glossary.md#quantisation). It makes the file smaller, and on some
# machines faster. The loss of accuracy is measured on validation pictures, and a file that
# loses more than 0.05 points is refused. (A negative loss is a gain by chance.)

# %%
print(f"float32  {shipped.bytes:7,} bytes")
for precision in ("float16", "int8"):
    smaller = export.export(run, workspace / f"{precision}.onnx", precision)
    print(
        f"{precision:8} {smaller.bytes:7,} bytes, {smaller.cost.points_lost:+.2f} points lost"
    )
    assert smaller.bytes < shipped.bytes

# %% [markdown]
# ## Latency and throughput
#
# Two quantities have that name. [Latency](../docs/glossary.md#latency) is the time that one
# request waits. [Throughput](../docs/glossary.md#throughput) is the number of pictures per
# second. Several pictures at once, a *batch*, raise the throughput up to a point, and with it
# the time that each request waits.
#
# Times vary, because the machine does other things too. We take the median of several
# measurements. Your numbers will differ from these.

# %%
import timeit
from functools import partial

from tenfold.frameworks import exported

opened = exported.open_model(workspace / "model.onnx")
images = np.uint8(vector["images"]).repeat(200, axis=0)
batches, seconds = (1, 10, 100, 1_000), {}
for batch in batches:
    times = timeit.repeat(partial(opened.answer, images[:batch]), number=1, repeat=rounds)
    seconds[batch] = float(np.median(times))
    rate = batch / seconds[batch]
    print(f"{batch:5,} at once: {1000 * seconds[batch]:6.2f} ms, {rate:9,.0f} per second")

# %%
from tenfold.report.figures import style

figure, axes = style.new(2.6)
axis = axes[0, 0]
axis.loglog(batches, [batch / seconds[batch] for batch in batches], marker="o")
axis.set(xlabel="pictures per batch", ylabel="pictures per second")
style.logarithmic_ticks(axis.xaxis)
style.logarithmic_ticks(axis.yaxis)
figure

# %% [markdown]
# ## A service
#
# Most programs that need an answer are not written in Python, and they have pictures as files:
# a PNG from a form, a photograph from a phone. `tenfold serve` accepts them over HTTP, the
# protocol of the web. At the same address it has a page to draw on. We start it as from a
# terminal, on a free port, and ask for its state.

# %%
import re
import subprocess
import sys

import requests

command = [sys.executable, "-m", "tenfold", "serve", "model.onnx", "--port", "0"]
pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
service = subprocess.Popen(command, cwd=workspace, **pipes)
address = re.search(r"http://\S+?(?=;)", service.stdout.readline()).group()
health = requests.get(f"{address}/health", timeout=10)
about = requests.get(f"{address}/model", timeout=10).json()
print(health.json(), "-", about["name"], "was trained on", about["dataset"])
assert health.ok

# %% [markdown]
# Next a client, which can be any program that speaks HTTP. It sends a PNG. The answer contains
# the digit, the confidence and a *verdict*. The verdict is "sure" if the confidence reaches a
# threshold that was chosen on validation pictures: of the answers above it, at least 999 of
# 1,000 were correct.

# %%
import io

from PIL import Image

picture = io.BytesIO()
Image.fromarray(np.uint8(vector["images"])[1]).save(picture, "PNG")
png = {"Content-Type": "image/png"}
sent = picture.getvalue()
reply = requests.post(f"{address}/predict", data=sent, headers=png, timeout=10)
answer = reply.json()
print(f"digit {answer['digit']}, {answer['confidence']:.1%}: {answer['verdict']}")
Image.open(picture).resize((112, 112), Image.Resampling.NEAREST)

# %% [markdown]
# A service receives mistakes and attacks. Whatever arrives, it must give a clear answer and go
# on. Here are a text instead of a picture, and a file that is too large. The status 4xx tells
# the client that the request was at fault.

# %%
for kind, content in {"no picture": b"hello", "too large": b"\0" * 13_000_000}.items():
    refused = requests.post(f"{address}/predict", data=content, headers=png, timeout=10)
    print(f"{kind}: {refused.status_code}, {refused.json()['detail']}")
    assert 400 <= refused.status_code < 500
assert requests.get(f"{address}/health", timeout=10).ok
service.terminate()
assert service.wait(timeout=20) == 0

# %% [markdown]
# ## Try it
#
# 1. **The page.** In a terminal, train a run and start `tenfold serve runs/quick-seed0`. Open
#    the address that it prints, and draw.
#    1. What do you have to draw until the verdict is "unsure"?
#    2. What is the answer to an empty page?
# 2. **Where does the time go?** Measure `requests.post` as we measured the batches.
#    1. How long does one request take?
#    2. Which share of it is the model?
# 3. **Less damage.** Change the weight of the damaged run by 0.0001 instead of 2.
#    1. Does `export` refuse it?
#    2. Why is that correct?
#
# <details><summary>Solution of exercise 1</summary>
# Two digits at once are answered with "several digits", an empty page with "no digit found". A
# digit that could be another, or a letter, is often answered with "unsure", but not always: the
# network has never seen a letter.
# </details>
#
# <details><summary>Solution of exercise 2</summary>
# <pre><code>service = subprocess.Popen(command, cwd=workspace, **pipes)
# address = re.search(r"http://\S+?(?=;)", service.stdout.readline()).group()
# ask = partial(requests.post, f"{address}/predict", data=sent, headers=png, timeout=10)
# request = np.median(timeit.repeat(ask, number=1, repeat=rounds))
# print(f"{1000 * request:.2f} ms, of which the model {seconds[1] / request:.0%}")
# service.terminate()
# assert service.wait(timeout=20) == 0</code></pre>
# Most of the time goes into the connection, the protocol, and reading and preparing the
# picture.
# </details>
#
# <details><summary>Solution of exercise 3</summary>
# <pre><code>weights["dense2.weight"][0, 0] += 0.0001 - 2
# runs.write_tensors(damaged.folder / runs.WEIGHTS, weights)
# print(export.export(damaged, workspace / "nearly.onnx").gate)</code></pre>
# Programs round differently, and such a small change could come from rounding. It changes no
# answer except a near tie.
# </details>
#
# **Next:** [your own handwriting](08_own_handwriting.ipynb).
