import json
import re
import subprocess
import sys
from argparse import Namespace

import numpy as np
import pytest
from benchmarks import inference
from PIL import Image

from tenfold import export, recipes, train
from tenfold.data import catalog
from tenfold.data.split import gate_pictures
from tenfold.frameworks import pytorch


def _python(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=inference.ROOT).stdout


def test_no_engine_is_there_before_memory_is_measured():
    names = "torch", "keras", "tensorflow", "onnx", "onnxruntime", "matplotlib"
    assert _python(f"import sys, benchmarks.inference; print({{*{names}}} & {{*sys.modules}})") == "set()\n"


@pytest.mark.slow
def test_the_peak_is_of_this_process_alone():
    ours = np.ones(40_000_000)  # 320 MB that a child must not count as its own
    theirs = float(_python("from benchmarks import inference; print(inference._peak())"))
    assert 10 < theirs < ours.nbytes / 1e6 < inference._peak()


@pytest.mark.slow
def test_every_engine_is_measured_on_the_same_answers(tmp_path, monkeypatch, capsys):
    """Of a model that is trained to its end, which is sure enough for the coarse products of 8 bits."""
    run = train.train(recipes.quick(), tmp_path / "quick")
    numbers, picture = tmp_path / "numbers.json", tmp_path / "figure.png"
    words = ["--pictures", "40", "--batches", "1", "4", "--threads", "1", "--rounds", "1"]
    words += ["--json", str(numbers), "--figure", str(picture), str(run.folder)]
    monkeypatch.setattr(sys, "argv", ["inference", *words])
    inference.main()
    document = json.loads(numbers.read_text())
    assert "torch 2" in document["provenance"]
    assert [row["engine"] for row in document["rows"]] == list(inference.ENGINES)
    for row in document["rows"]:
        assert (row["run"], row["threads"], row["otherwise"]) == ("quick", 1, 0)
        assert list(row["microseconds"]) == ["1", "4"]
        assert min(row["microseconds"].values()) > 0
        assert 0 < row["ready"] <= row["peak"]
    printed = capsys.readouterr().out
    assert all(len(re.findall(f"^{engine} ", printed, re.MULTILINE)) == 2 for engine in inference.ENGINES)  # two tables
    assert re.search(r"float32 \d{2},\d{3} bytes", printed)
    assert "asked of quick" in printed
    with Image.open(picture) as drawn:
        assert drawn.width > 1_000


def test_what_was_asked_of_quick_stands_beside_what_it_reached():
    onnx = [
        {"engine": "ONNX Runtime, float32", "microseconds": cost} for cost in ({1: 90.0, 50: 8.0}, {1: 80.0, 50: 10.0})
    ]
    other = {"engine": "PyTorch", "microseconds": {1: 1.0, 50: 1.0}}
    told = inference.goals([other, *onnx], 81_000)
    assert told.startswith(
        "asked of quick, float32: 125,000 a second (at least 60,000), 0.0800 ms (at most 0.15), 81,000"
    )


def test_one_process_answers_what_pytorch_does(run, tmp_path):
    images = gate_pictures(catalog.find(run.recipe.dataset))[:300]
    np.save(tmp_path / inference.PICTURES, images)
    export.export(run, tmp_path / "float32.onnx")
    answer = inference.measure_one("ONNX Runtime, float32", run, tmp_path, 1, [1, 150])
    module = pytorch.build(run.recipe.layers(), run.weights())
    assert answer["predictions"] == pytorch.logits(module, images, run.recipe.dataset).argmax(1).tolist()
    assert list(answer["microseconds"]) == [1, 150]


def _answer(predictions):
    return {"predictions": predictions, "ready": 1.0, "peak": 2.0, "microseconds": {"1": 1.0}}


@pytest.mark.slow
def test_an_engine_that_predicts_something_else_ends_the_measurement(run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "MOST_LOST", 1.0)

    def in_own_process(engine, *_):
        return _answer([7, 2, 1, 1 if engine.startswith("TensorFlow") else 0])

    monkeypatch.setattr(inference, "_in_own_process", in_own_process)
    words = Namespace(pictures=4, threads=[1], batches=[1], rounds=1)
    with pytest.raises(AssertionError, match="TensorFlow, compiled predicts 1 of 4 otherwise"):
        inference.measure(run, tmp_path, words)


@pytest.mark.slow
def test_a_precision_that_costs_too_much_is_left_out(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "MOST_LOST", -100.0)
    monkeypatch.setattr(inference, "_in_own_process", lambda *_: _answer([7, 2, 1, 0]))
    words = Namespace(pictures=4, threads=[1, 2], batches=[1], rounds=3)
    rows = inference.measure(run, tmp_path, words)
    engines = list(inference.ENGINES)[:4]
    assert [(row["engine"], row["threads"]) for row in rows] == [(e, t) for e in engines for t in (1, 2)]
    assert "small is not measured in int8: " in capsys.readouterr().out
