"""Files that Tenfold reads back, crafted by a stranger: each is read, or refused in one plain line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper
from safetensors.numpy import save

from tenfold import architectures, crossval, export, life, networks, recipes, runs, train
from tenfold.cli import crossval as cli_crossval
from tenfold.cli import tune as cli_tune
from tenfold.data import catalog
from tenfold.data.split import openings
from tenfold.errors import DivergedError, TenfoldError
from tenfold.frameworks import State, exported, flattened, onnx
from tenfold.runs import Run
from tenfold.score import job, plan
from tenfold.scores import Score
from tenfold.serve import handwriting
from tenfold.serve.drawings import Drawings
from tenfold.tune import study
from tenfold.tune.cache import Cache
from tenfold.tune.study import Result, Trial
from test_exported import METADATA
from test_networks import lively_weights

WHOLE = [b"", b"null", b"5", b'"x"', b"[]", b"{}", b"[{}]", b'{"cut": ', b'"\xff"', b"NaN", b"[" * 9_000, b"\x80\x04"]
VALUES = [
    "null",
    "-1",
    "3.5",
    "5",
    "1e999",
    "NaN",
    "9" * 30,
    '"x\\u001b[31m"',
    "[null]",
    "{}",
    "true",
    "[" * 300 + "]" * 300,
]
CONFUSION = tuple((9,) * 10 for _ in range(10))
EPOCH = {"epoch": 1.0, "step": 9, "learning_rate": 0.1, "train_loss": 0.5, "train_accuracy": 0.9, "seconds": 2.0}


def crafted(document: object) -> Iterator[bytes]:
    """Yield what is no such document: others, and this one with each of its values, however deep, left out or another.

    Of a long list it is the first member that changes; a recipe or an environment within is tried where it is a file.
    """
    yield from WHOLE
    marked = "<here>"

    def variants(value: object) -> Iterator[object]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield {name: kept for name, kept in value.items() if name != key}
                inside = [marked] if key in ("recipe", "recipes", "environment") else variants(inner)
                yield from ({**value, key: changed} for changed in inside)
        elif isinstance(value, list) and value:
            yield from ([changed, *value[1:]] for changed in variants(value[0]))
        yield marked

    for variant in variants(document):
        text = json.dumps(variant)
        yield from (text.replace(json.dumps(marked), value, 1).encode() for value in VALUES if marked in text)
        yield text.encode()


def refused(ask, *arguments: object) -> str | None:
    """Return the line by which something is refused, None where it is not."""
    try:
        ask(*arguments)
    except TenfoldError as error:
        return str(error)
    return None


THRESHOLD = {"confidence": 0.9, "answered": 90, "correct": 90, "total": 100, "level": 0.95}
SCORE = Score(split="validation", confusion=CONFUSION, temperature=1.5, threshold=THRESHOLD)
PLAIN = {name: value for name, value in SCORE.document().items() if name in Score.model_fields}
ENVIRONMENT = {"python": "3", "platform": "l", "processor": "p", "cores": 2, "versions": {"a": "1"}, "commit": None}
ENVIRONMENT |= {"framework": "pytorch", "device": "cpu", "threads": 1, "precision": "float32", "train_seconds": 1.5}


@pytest.fixture(scope="module")
def recipe():
    return recipes.override(recipes.quick(), ["network=mlp", "network.width=4", "network.depth=2"])


@pytest.fixture
def run(recipe, tmp_path):
    """A run folder that holds every file, small."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    documents = {"recipe.json": recipe.model_dump(), "environment.json": ENVIRONMENT, "scores.json": [PLAIN]}
    documents["history.jsonl"] = EPOCH | {"validation_loss": 0.1, "validation_accuracy": 0.9}
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    runs.write_tensors(folder / runs.WEIGHTS, lively_weights(recipe.layers()))
    return Run(folder)


def _through_all(path: Path, use: Callable[[], object]) -> None:
    """Use a file as it is, and then crafted in every way."""
    use()
    whole = path.read_bytes()
    lines = set()
    for content in crafted(json.loads(whole)):
        path.write_bytes(content)
        lines.add(refused(use))
    path.write_bytes(whole)
    assert len(lines) > 8
    for line in lines - {None}:
        assert line.count("\n") < 2, line


@pytest.mark.parametrize("name", ["recipe.json", "environment.json", "history.jsonl", "scores.json"])
def test_files_of_a_run(run, name):
    def use() -> None:
        opened = Run(run.folder)
        assert opened.recipe.steps(2_000) >= 1
        networks.summarise(opened.recipe.layers())
        assert all(line["seconds"] >= 0 for line in opened.history)
        json.dumps([opened.environment, [one.document() for one in opened.scores]], allow_nan=False)
        export.metadata(opened, opened.scores)

    _through_all(run.folder / name, use)
    (run.folder / name).write_text('{"cut": ')
    assert name in str(refused(use))


def test_a_life(recipe, tmp_path):
    score = PLAIN | {"name": "ridge", "train_seconds": 1, "predict_seconds": 1, "bytes": 9, "published": ""}
    document = {"dataset": "mnist", "device": "cpu", "minutes": 1, "baseline_names": ["ridge"], "report": True}
    path = tmp_path / "life-1.json"
    path.write_text(json.dumps(document | {"recipes": [recipe.model_dump()], "baselines": [score], "chosen": "x"}))
    _through_all(path, lambda: [one.title for one in life.read(path).baselines or []])


def test_a_study(asked, tmp_path):
    trials = [Trial(0, {"learning_rate": 0.1}, "complete", 0.97, 0.5, [0.9, 0.97])]
    model = {"trial": 0, "point": {"learning_rate": 0.1}, "recipe": asked().space.base.model_dump(), "runs": ["a"]}
    model |= {"accuracies": [0.9, 0.9], "mean": 0.9, "sd": 0.1, "interval": [0.8, 1.0], "train_seconds": 1.0}
    difference = {"mean": 0.1, "interval": [0.0, 0.2], "p_value": 0.5, "n": 2, "verdict": "tied"}
    final = {"models": [model, model], "comparison": difference}
    Result(tmp_path, asked(), trials, {"learning_rate": 1.0}, final).write()
    _through_all(tmp_path / study.FILE, lambda: cli_tune.text(study.load(tmp_path)))


def test_a_cross_validation(recipe, tmp_path):
    document = {"recipe": recipe.model_dump(), "folds": 2, "seed": 0, "environment": ENVIRONMENT, "scores": [PLAIN]}
    (tmp_path / crossval.CROSSVAL).write_text(json.dumps(document | {"fold_accuracies": [0.1], "seconds": 9.0}))
    labels = np.arange(SCORE.total) % 10
    arrays = {"probabilities": np.full((len(labels), 10), 0.1), "labels": labels, "fold": labels % 2}
    path = tmp_path / crossval.PROBABILITIES
    runs.write_tensors(path, arrays)
    _through_all(tmp_path / crossval.CROSSVAL, lambda: cli_crossval.text(crossval.load(tmp_path)))
    for harm in (np.full_like(labels, 10), labels[:5], labels.astype(np.int32), -labels):
        runs.write_tensors(path, arrays | {"labels": harm})
        assert crossval.PROBABILITIES in str(refused(crossval.load, tmp_path))


def test_a_job_of_scoring_and_its_plan(tmp_path):
    document = {"asked": {"model": "x"}, "name": "x", "shards": 1, "pictures": 5, "unknown": 0, "versions": {"a": "1"}}
    (tmp_path / job.JOB).write_text(json.dumps(document))
    _through_all(tmp_path / job.JOB, lambda: job._require_own(tmp_path, {"model": "x"}))
    line = tmp_path / "line"
    line.write_text(json.dumps(plan.Shard("idx", ("a",), 5, 0, 5, count=5).document()))
    _through_all(line, lambda: plan.parse(line.read_bytes()))


@pytest.mark.parametrize("kind", [lambda one: {"a hash": [one]}, lambda one: {"base": "a hash", "results": [one]}])
def test_the_versions_of_a_handwriting(run, tmp_path, kind):
    change = {"before": PLAIN, "after": PLAIN}
    result = {"name": "personal", "own": change, "known": change, "seconds": 1.0, "skipped": 0, "dataset": "MNIST"}
    path = tmp_path / handwriting.MODELS / handwriting.VERSIONS
    path.parent.mkdir()
    path.write_text(json.dumps(kind(result)))
    drawings, state = Drawings(tmp_path, catalog.MNIST.classes), SimpleNamespace(reader=None)
    _through_all(path, lambda: json.dumps(handwriting.Teacher(drawings, run, state).status()))


def test_lines_that_are_passed_over(tmp_path):
    """Of the ledger and of trainings that were paid for: a line that was cut short takes no effect."""
    ledger, trained = tmp_path / "ledger", tmp_path / "trained.jsonl"
    opening = {"when": "now", "who": "me", "dataset": "mnist", "runs": [{"run": "a", "recipe": "b", "commit": None}]}
    training = {"identity": "a", "checks": [0.5], "planned": 1, "accuracy": 0.5, "seconds": 1.0}
    for path, document in ((ledger, opening), (trained, training)):
        path.write_bytes(b"\n".join([*crafted(document), json.dumps(document).encode(), b""]))
    lines = openings(ledger)
    assert opening in lines
    json.dumps(sorted(str(line["when"]) for line in lines))
    assert Cache(tmp_path).find("a").accuracy == 0.5


def test_the_metadata_of_an_exported_model(recipe, mnist, tmp_path):
    graph = onnx.graph(recipe.layers(), lively_weights(recipe.layers()), catalog.MNIST)
    reference = {"shares": dict.fromkeys(catalog.MNIST.classes, 0.1), "ink": 33.0, "confidence": 0.9, "unsure": 0.1}
    says = METADATA | {"threshold": THRESHOLD, "reference": reference, "scores": [PLAIN]}
    says |= {"gate": {"framework": "pytorch", "pictures": 9, "near_ties": 0, "largest_logit_difference": 0.1}}
    model = exported.pack(graph, 1.5, mnist.images[:1], 1e-3, says)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert exported.opened(model, tmp_path).metadata.temperature == 1.5
    lines = set()
    for key in texts.keys() - exported.TEXTS:
        for content in crafted(json.loads(texts[key])):
            del model.metadata_props[:]
            helper.set_model_props(model, texts | {key: content.decode(errors="replace")})
            lines.add(refused(exported._metadata, model, tmp_path))
    assert len(lines) > 20
    assert all("\n" not in line for line in lines - {None})
    for temperature in ("0", "-1", "1e-30", "true"):
        helper.set_model_props(model, texts | {"temperature": temperature})
        assert "temperature" in str(refused(exported.opened, model, tmp_path))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("dense1.weight", np.zeros((784, 4))),
        ("dense1.weight", np.full((784, 4), np.nan, np.float32)),
        ("dense1.weight", np.zeros((4, 784), np.float32)),
        ("dense1.weight", np.zeros((784, 4), np.float16)),
        ("dense1.weight", np.zeros((784, 4), np.int64)),
        ("other", np.zeros(3, np.float32)),
    ],
)
def test_weights(run, name, array):
    runs.write_tensors(run.folder / runs.WEIGHTS, run.weights() | {name: array})
    assert name in str(refused(run.weights))


def test_a_variance_below_zero(recipe, tmp_path):
    layers = architectures.quick(10)
    weights = lively_weights(layers)
    assert refused(networks.check_weights, layers, weights, "here") is None
    for name in weights:
        if name.endswith("variance"):
            assert name in str(refused(networks.check_weights, layers, weights | {name: -weights[name]}, "here"))


def test_a_checkpoint(recipe, run):
    (run.folder / runs.WEIGHTS).unlink()
    path = run.folder / runs.CHECKPOINT
    tensors = train.beginning(recipe, lively_weights(recipe.layers())).tensors
    numbers = {"step": 3, "loss_sum": 0.5, "correct": 3, "pictures": 9, "seconds": 0.5}
    for content in crafted(numbers):
        path.write_bytes(save(tensors, {"tenfold": content.decode(errors="replace")}))
        refused(Run(run.folder).checkpoint)
    for step, harm in (
        (10**6, {}),
        (3, {"weights/dense1.bias": np.zeros(9, np.float32)}),
        (3, {"weights/other": np.zeros(9, np.float32)}),
    ):
        runs.write_tensors(path, tensors | harm, numbers | {"step": step})
        assert "checkpoint" in str(refused(train.resume, run.folder))


def test_a_validation_loss_that_is_no_number(recipe, few):
    """The weights are finite, and what they make of a picture is not."""
    weights = {name: 1e30 * array for name, array in lively_weights(recipe.layers()).items()}
    state = State(1, flattened({"weights": weights}), 1.0, 1, 100, 1.0)
    with pytest.raises(DivergedError, match="validation loss"):
        train._history_line(state, 1.0, 0.1, recipe, few, "cpu")
    with pytest.raises(DivergedError):
        onnx.answer(recipe, weights, few.images)
