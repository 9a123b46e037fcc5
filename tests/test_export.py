import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hiding import hiding
from tenfold import evaluate, export, networks, runs, scores, statistics
from tenfold.data import catalog
from tenfold.data.split import gate_pictures
from tenfold.errors import TenfoldError, UsageError
from tenfold.frameworks import exported, pytorch
from tenfold.frameworks import onnx as onnx_graph
from tenfold.statistics import Threshold

pytestmark = pytest.mark.slow

LOGITS = arrays(np.float32, (8, 10), elements=st.floats(-20, 20, width=32))


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "given away"
    folder.mkdir()
    return folder / "model.onnx"


@pytest.fixture
def lenient(monkeypatch):
    """A single one of the small run's 1,000 validation pictures is 0.1 points; let it cost that."""
    monkeypatch.setattr(export, "MOST_LOST", 1.0)


def _refused(run, out, message, precision="float32", error=TenfoldError):
    with pytest.raises(error, match=message):
        export.export(run, out, precision)
    assert list(out.parent.iterdir()) == []


def _initializers(path):
    return {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}


def test_the_file_is_what_was_trained_and_says_so(run, out):
    (evaluated,) = evaluate.evaluate([run])
    result = export.export(run, out)
    model = exported.open_model(out)
    metadata = {key: getattr(model.metadata, key) for key in ("recipe_hash", "precision", "dataset", "network")}
    assert metadata == {
        "recipe_hash": run.recipe.hash,
        "precision": "float32",
        "dataset": "mnist",
        "network": "quick",
    }
    assert model.classes == tuple("0123456789")
    assert model.metadata.temperature == evaluated.score.temperature
    assert model.metadata.threshold == evaluated.score.threshold
    assert model.metadata.scores == [evaluated.score]
    assert "Yann LeCun" in model.metadata.licence
    assert "CC BY-SA" in model.metadata.licence
    gate = model.metadata.gate
    assert (gate.framework, gate.pictures) == ("pytorch", 10_000)
    assert 0 < gate.largest_logit_difference < 1e-4
    weights = 4 * networks.parameter_count(run.recipe.layers())
    assert weights < result.bytes == out.stat().st_size < weights + 17_000  # beside the graph and the metadata


def test_it_answers_as_the_framework_does(run, out, mnist):
    export.export(run, out)
    images = mnist.images[1:2_000]
    logits, probabilities = exported.open_model(out).answer(images)
    theirs = pytorch.logits(pytorch.build(run.recipe.layers(), run.weights()), images, "mnist")
    np.testing.assert_allclose(logits, theirs, atol=1e-4)
    temperature = evaluate.evaluate([run])[0].score.temperature
    np.testing.assert_allclose(probabilities, statistics.probabilities(theirs, temperature), atol=1e-4)


def test_the_framework_has_answered_when_training_ends(run):
    images = gate_pictures(catalog.MNIST)
    assert images.shape == (10_000, 28, 28)
    theirs = pytorch.logits(pytorch.build(run.recipe.layers(), run.weights()), images, "mnist")
    np.testing.assert_allclose(run.answers(), theirs, atol=1e-5)


def test_a_file_that_is_there_is_left_alone(run, out):
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"model\.onnx"):
        export.export(run, out)
    assert out.read_text() == "mine"


def test_the_same_run_gives_the_same_bytes(run, out, lenient):
    for precision in export.PRECISIONS:
        contents = []
        for name in ("one", "other"):
            export.export(run, out.with_name(f"{precision}-{name}"), precision)
            contents.append(out.with_name(f"{precision}-{name}").read_bytes())
        assert contents[0] == contents[1]


@given(LOGITS)
def test_rounding_passes_the_gate(reference):
    noise = np.random.default_rng(0).uniform(-4e-4, 4e-4, reference.shape).astype(np.float32)
    gate = export.compare(reference, reference + noise, "pytorch")
    assert gate.largest_logit_difference < export.NEAR_TIE
    assert gate.near_ties == ((reference + noise).argmax(1) != reference.argmax(1)).sum()


@given(LOGITS, st.integers(0, 7), st.integers(1, 9))
def test_one_other_prediction_does_not(reference, picture, shift):
    """A logit that is lifted by next to nothing above one that led by more than that."""
    reference[picture] = np.linspace(0, 0.009, 10)[np.roll(np.arange(10), shift)]
    other = reference.copy()
    other[picture, reference[picture].argmin()] = 0.0095
    with pytest.raises(TenfoldError, match="1 of 8 predictions differ"):
        export.compare(reference, other, "pytorch")


@pytest.mark.parametrize("spoil", [lambda x: 1.1 * x, lambda x: x + 0.02, lambda x: np.where(x > 2, np.nan, x)])
def test_other_logits_do_not_even_where_the_predictions_are_the_same(run, spoil):
    answers = run.answers()
    with pytest.raises(TenfoldError, match=r"is not what pytorch trained: .* logits by up to"):
        export.compare(answers, spoil(answers), "pytorch")


def test_weights_that_were_changed_after_the_training_do_not_pass(run, out):
    weights = run.weights()
    weights["dense2.bias"][3] += 0.5
    runs.write_tensors(run.folder / runs.WEIGHTS, weights)
    _refused(run, out, "is not what pytorch trained")


def test_a_file_that_is_not_what_was_measured_is_not_written(run, out, monkeypatch):
    """Whatever goes wrong between the graph and the disk: here the weights, there the temperature."""
    pack = exported.pack

    def spoilt(graph, *words, **named):
        bias = next(one for one in graph.graph.initializer if one.name == "dense2.bias")
        value = onnx.numpy_helper.to_array(bias) + np.float32([0.5, *[0] * 9])
        bias.CopyFrom(onnx.numpy_helper.from_array(value, bias.name))
        return pack(graph, *words, **named)

    monkeypatch.setattr(exported, "pack", spoilt)
    _refused(run, out, "is not what pytorch trained")

    def other_temperature(*words, **named):
        model = pack(*words, **named)
        constant = next(one for one in model.graph.initializer if one.name == "temperature")
        constant.CopyFrom(onnx.numpy_helper.from_array(np.float32(7), constant.name))
        return model

    monkeypatch.setattr(exported, "pack", other_temperature)
    _refused(run, out, "probabilities")


def test_a_run_of_before_answers_were_kept_asks_its_framework(run, out):
    (run.folder / runs.ANSWERS).unlink()
    assert export.export(run, out).gate.pictures == 10_000


WITHOUT_PYTORCH = f"""
{hiding(["torch", "sklearn"])}
sys.argv = ["tenfold", "export", *sys.argv[1:]]
from tenfold.__main__ import main
main()
"""


def test_no_framework_is_needed_but_where_its_answers_are_missing(run, out):
    def call(*words):
        command = [sys.executable, "-c", WITHOUT_PYTORCH, str(run.folder), "--out", str(out), *words]
        return subprocess.run(command, capture_output=True, text=True)

    result = call()
    assert result.returncode == 0, result.stderr
    assert "pytorch on 10,000 pictures" in result.stdout
    out.unlink()
    (run.folder / runs.ANSWERS).unlink()
    result = call()
    assert result.returncode == 1
    assert "has no answers.safetensors" in result.stderr
    assert "pip install -e '.[train]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(out.parent.iterdir()) == []


def test_answers_to_something_else_are_refused(run, out):
    runs.write_tensors(run.folder / runs.ANSWERS, {"logits": run.answers()[:100]})
    _refused(run, out, r"answers\.safetensors")
    (run.folder / runs.ANSWERS).write_bytes(b"\x80\x04.")
    _refused(run, out, r"answers\.safetensors is not a safetensors file: it is a pickle")


def test_weights_of_another_network_are_refused_with_the_layer(run, out):
    weights = run.weights()
    weights["conv2.weight"] = weights["conv2.weight"][:, :3]
    runs.write_tensors(run.folder / runs.WEIGHTS, weights)
    _refused(run, out, r"another network: conv2\.weight is 32×3×3×3, not 32×16×3×3", error=UsageError)


def test_float16_is_half_the_size(run, out, lenient):
    full = export.export(run, out.with_name("full.onnx"))
    result = export.export(run, out, "float16")
    weights = {name: value for name, value in _initializers(out).items() if "." in name}
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float16)}
    assert full.bytes - result.bytes == pytest.approx(full.bytes / 2, rel=0.2)
    assert 0 < result.cost.largest_logit_difference < 0.1
    assert exported.open_model(out).metadata.cost.pictures == 1_000


def test_int8_is_measured_on_validation_pictures_and_calibrated_on_others(run, out, lenient, monkeypatch):
    seen = []
    quantised = onnx_graph.quantised
    monkeypatch.setattr(onnx_graph, "quantised", lambda graph, images: seen.append(images) or quantised(graph, images))
    result = export.export(run, out, "int8")
    assert len(seen[0]) == 1_000
    validation = evaluate.validation_pictures(run)
    pictures = {image.tobytes() for image in validation.images}
    assert not any(image.tobytes() in pictures for image in seen[0])

    model = exported.open_model(out)
    correct = int((model.answer(validation.images)[0].argmax(1) == validation.labels).sum())
    (score,) = model.metadata.scores
    assert score.correct == correct
    float32 = evaluate.evaluate([run])[0].score.accuracy
    assert model.metadata.cost.points_lost == pytest.approx(100 * (float32 - correct / 1_000))
    assert model.metadata.test_vector.tolerance == result.cost.largest_logit_difference > 1e-3


def test_a_precision_that_costs_too_much_is_refused_with_the_figure(run, out, monkeypatch):
    def coarse(graph, images):
        spoilt = onnx.ModelProto()
        spoilt.CopyFrom(graph)
        for one in spoilt.graph.initializer:
            if one.name.endswith("weight"):
                value = onnx.numpy_helper.to_array(one)
                one.CopyFrom(onnx.numpy_helper.from_array(np.sign(value) * np.abs(value).mean(), one.name))
        return spoilt

    monkeypatch.setattr(onnx_graph, "quantised", coarse)
    _refused(run, out, r"int8 costs \d+\.\d\d points: \d+ of 1,000 validation pictures right, not 9\d\d", "int8")


def test_the_cost_is_counted_in_points():
    labels = np.zeros(10_000, np.int64)
    before = np.tile(np.float32([1, 0]), (10_000, 1))
    after = before.copy()
    after[:5] = [0, 1]
    assert export.cost_of(before, after, labels, "int8").points_lost == 0.05
    after[5] = [0, 1]
    with pytest.raises(
        TenfoldError, match=r"costs 0\.06 points: 9,994 of 10,000 validation pictures right, not 10,000"
    ):
        export.cost_of(before, after, labels, "int8")
    assert export.cost_of(after, before, labels, "int8").points_lost == pytest.approx(-0.06)


def test_a_run_with_no_validation_pictures(run, sibling, out):
    everything = sibling("everything", validation_size=0, train_size=None)
    _refused(everything, out, "cost of int8", "int8", UsageError)
    result = export.export(everything, out)
    assert (result.temperature, result.threshold, result.scores) == (None, None, [])
    logits, probabilities = exported.open_model(out).answer(gate_pictures(catalog.MNIST)[:50])
    np.testing.assert_allclose(probabilities, statistics.probabilities(logits), atol=1e-6)


def test_scores_on_the_test_set_are_those_of_float32_alone(run, out, lenient):
    """As `evaluate --test` left them: export opens no test set."""
    logits, labels = np.eye(10, dtype=np.float32), np.arange(10)
    run.save_score(scores.of_logits("test", logits, labels, 1.0))
    result = export.export(run, out)
    assert [score.split for score in result.scores] == ["validation", "test"]
    assert result.scores[1].total == 10
    half = export.export(run, out.with_name("half.onnx"), "float16")
    assert [score.split for score in half.scores] == ["validation"]
    assert not (run.folder.parent / "test-ledger.jsonl").exists()


def test_a_model_says_how_it_answered_validation_pictures(run):
    """The reference of drift; of runs that were scored on nothing, it is not known."""
    entry = evaluate.validate(run).score
    told = export.metadata(run, [entry])["reference"]
    assert told["shares"]["3"] == entry.matrix[:, 3].sum() / entry.total
    assert sum(told["shares"].values()) == pytest.approx(1)
    assert told["confidence"] == entry.calibrated.confidence
    assert (told["ink"], told["unsure"]) == (catalog.MNIST.mean, 1 - entry.threshold.answered / 1_000)
    threshold = Threshold(confidence=0.9, answered=900, correct=900, total=1_000)
    some_sure = export.metadata(run, [entry.model_copy(update={"threshold": threshold})])["reference"]
    assert some_sure["unsure"] == pytest.approx(0.1)
    nothing = export.metadata(run, [])["reference"]
    assert nothing == {"shares": None, "ink": catalog.MNIST.mean, "confidence": None, "unsure": None}
