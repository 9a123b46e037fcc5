# %% [markdown]
# # 7 · Shipping
#
# A model in a notebook helps nobody. To be of use it must leave: as a file that others can
# run, and as a service that answers whoever asks. This notebook does both, and asks at each
# step how we know that what arrives is what we measured.
#
# First we need a model. `quick` learns in seconds.

# %% small="train_size, rounds = 5_000, 5"
train_size, rounds = 55_000, 40  # training pictures; how often each latency is measured

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

from tenfold import evaluate, recipes, train

folder = TemporaryDirectory()
workspace = Path(folder.name)
recipe = recipes.override(recipes.quick(), [f"train_size={train_size}"])
run = train.train(recipe, workspace / "quick")
(result,) = evaluate.evaluate([run])
print(f"{result.score.correct:,} of {result.score.total:,} validation pictures are right")

# %% [markdown]
# ## One file, or none
#
# PyTorch trained it, but whoever uses it should not have to install PyTorch. **ONNX** is a
# format for networks that many programs read: a list of operations, and their weights.
# *ONNX Runtime* is such a program, a small and fast one.
#
# A translation can be wrong. So `export` lets nothing leave that it has not checked: on ten
# thousand pictures the file must say what the framework said that trained it. We call that
# **the gate**.

# %%
from tenfold import export
from tenfold.cli import export as verb

shipped = export.export(run, workspace / "model.onnx")
print(verb.text(shipped))
assert shipped.gate.largest_logit_difference < export.FURTHEST

# %% [markdown]
# Does the gate keep anything out? Let us damage a run: one weight of its last layer, made
# larger by 2. It still looks like a run, and it still answers. But it is not what was
# trained, and there is no file.

# %%
import shutil

from tenfold import runs
from tenfold.errors import TenfoldError

damaged = runs.Run(Path(shutil.copytree(run.folder, workspace / "damaged")))
weights = damaged.weights()
*_, last = (name for name in weights if name.startswith("dense") and name.endswith("weight"))
weights[last][0, 0] += 2
runs.write_tensors(damaged.folder / runs.WEIGHTS, weights)
try:
    export.export(damaged, workspace / "damaged.onnx")
except TenfoldError as refusal:
    print(refusal)
assert not (workspace / "damaged.onnx").exists()

# %% [markdown]
# ## What others get
#
# Now be someone else: you have this one file, and ONNX Runtime, and have never heard of us.
# The file tells you all you need. It takes pictures as MNIST stores them, whole numbers from
# 0 to 255, since the normalising is inside; it gives **logits** (the larger, the likelier)
# and *calibrated* probabilities: of all answers given with 90%, about 90% are right.

# %%
import json

import numpy as np
import onnxruntime

model = onnxruntime.InferenceSession(workspace / "model.onnx")
for value in (*model.get_inputs(), *model.get_outputs()):
    print(f"{value.name:14} {value.type:15} {value.shape}")
says = model.get_modelmeta().custom_metadata_map
print("it knows of itself:", ", ".join(sorted(says)))
vector = json.loads(says["test_vector"])
(logits,) = model.run(["logits"], {"images": np.uint8(vector["images"])})
assert np.abs(logits - vector["logits"]).max() < vector["tolerance"]

# %% [markdown]
# The last two lines are a check that everyone can make. The file brings a few pictures and
# the logits that it gave for them on *our* machine: the **test vector**. If yours differ,
# something on the way is broken, and you know before your users do.
#
# ## Smaller
#
# A weight has 32 bits. Do 16 do, or 8? They make the file smaller, and on some machines
# faster; what they cost is measured on validation pictures, and a file that loses more than
# a twentieth of a point is refused.

# %%
smaller = ("float16", "int8")
exports = [export.export(run, workspace / f"{name}.onnx", name) for name in smaller]
for one in (shipped, *exports):
    lost = (
        f"{one.cost.points_lost:+.2f} points lost"
        if one.cost
        else "what the others are measured by"
    )
    print(f"{one.precision:8} {one.bytes:7,} bytes   {lost}")
    assert one.bytes <= shipped.bytes

# %% [markdown]
# ## How fast?
#
# Two questions hide in that word. **Latency**: how long does one who asks for one picture
# wait? **Throughput**: how many pictures a second, if there are many at once? Asking for many
# together spares work, so throughput rises with the *batch*, and so does the wait.
#
# Such times scatter: the machine does other things too. We take the median of several.

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
    each = 1000 * seconds[batch]
    print(f"{batch:5,} at once: {each:6.2f} ms, {1000 * batch / each:9,.0f} pictures a second")

# %%
from tenfold.report.figures import style

figure, ((axes,),) = style.new(2.6)
axes.loglog(batches, [batch / seconds[batch] for batch in batches], marker="o")
axes.set(xlabel="pictures at once", ylabel="pictures a second")
figure

# %% [markdown]
# ## A service
#
# Most programs that want an answer are not written in Python, and they send a picture as it
# comes: a PNG from a form, a photograph from a phone. `tenfold serve` takes it over HTTP, the
# protocol of the web, and on the same address it has a page where one draws a digit. We start
# it as one does from a terminal, on a port that is free, and ask how it is.

# %%
import re
import subprocess
import sys

import requests

command = [sys.executable, "-m", "tenfold", "serve", "model.onnx", "--port", "0"]
service = subprocess.Popen(
    command, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
)
address = re.search(r"http://\S+?(?=;)", service.stdout.readline()).group()
health = requests.get(f"{address}/health", timeout=10)
about = requests.get(f"{address}/model", timeout=10).json()
print(health.json(), "-", about["name"], "learnt from", about["dataset"])
assert health.ok

# %% [markdown]
# Now a client: any program that speaks HTTP. It sends a PNG and gets a digit, how sure the
# model is, and a *verdict*: when it is not sure enough, it says so. What "enough" means was
# chosen on validation pictures: of the answers above, 999 of 1,000 were right.

# %%
import io

from PIL import Image

picture = io.BytesIO()
Image.fromarray(np.uint8(vector["images"])[1]).save(picture, "PNG")
reply = requests.post(
    f"{address}/predict",
    data=picture.getvalue(),
    headers={"Content-Type": "image/png"},
    timeout=10,
)
answer = reply.json()
print(f"digit {answer['digit']}, {answer['confidence']:.1%}: {answer['verdict']}")
Image.open(picture).resize((112, 112), Image.Resampling.NEAREST)

# %% [markdown]
# A service is open to mistakes and to mischief. Whatever it is sent, it must give a plain
# answer and go on. Here is something that is no picture, and something far too large.

# %%
for what, content in {"no picture": b"hello", "too large": b"\0" * 3_000_000}.items():
    refused = requests.post(
        f"{address}/predict", data=content, headers={"Content-Type": "image/png"}, timeout=10
    )
    print(f"{what}: {refused.status_code}, {refused.json()['detail']}")
    assert 400 <= refused.status_code < 500
assert requests.get(f"{address}/health", timeout=10).ok
service.terminate()
assert service.wait(timeout=20) == 0

# %% [markdown]
# ## Try it
#
# 1. In a terminal, train a run and start `tenfold serve runs/quick-seed0`. Open the
#    address that it prints, and draw. What do you have to draw for it to be unsure?
# 2. How large a share of a single answer's time is the model, and how large is all the rest?
#    Time `requests.post` as we timed the batches.
# 3. Change that weight by a ten-thousandth instead of by 2. Does the gate still notice? Why is
#    it right not to?
#
# <details><summary>A solution of the third</summary>
# <pre><code>weights[last][0, 0] += 0.0001 - 2
# runs.write_tensors(damaged.folder / runs.WEIGHTS, weights)
# print(export.export(damaged, workspace / "nearly.onnx").gate)</code></pre>
# Float32 rounds differently in different programs. A change as small as that could come
# from rounding, and turns no answer but a near tie.
# </details>
#
# Next: [8 · Your own handwriting](08_own_handwriting.ipynb).
