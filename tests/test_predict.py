import dataclasses
import json

import numpy as np
import pytest
from benchmarks import ship
from PIL import Image

from tenfold import evaluate, export, predict, runs, scores, statistics
from tenfold.cli import predict as cli_predict
from tenfold.data import catalog
from tenfold.frameworks import onnx
from tenfold.handwriting.picture import Reading
from tenfold.statistics import Threshold


@pytest.fixture
def pictures(mnist, tmp_path):
    """Five digits as files, black on white and six times as large, with their labels; beside them one that is cut."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for at in range(5):
        image = Image.fromarray(255 - np.pad(mnist.images[at], 6)).resize((240, 240))
        image.save(folder / f"{at}.png")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:200])
    return [folder / f"{at}.png" for at in range(5)], mnist.labels[:5]


def test_an_answer_is_what_the_model_says(reader, mnist):
    images = mnist.images[:200]
    answers = reader.answer(images)
    _, probabilities = reader.model.answer(images)
    assert [answer.label for answer in answers] == [str(digit) for digit in probabilities.argmax(1)]
    assert np.mean([int(answer.label) == label for answer, label in zip(answers, mnist.labels, strict=False)]) > 0.8
    for answer, row in zip(answers, probabilities, strict=True):
        assert answer.confidence == pytest.approx(row.max(), abs=1e-6)
        assert list(answer.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-6)
        assert answer.top[0] == (answer.label, answer.confidence)
        assert [share for _, share in answer.top] == pytest.approx(sorted(row.tolist())[:-4:-1], abs=1e-6)


def test_sure_are_answers_from_the_threshold_on(reader, mnist):
    """Arrays say what answers say: of millions, nobody makes an `Answer` each."""
    images = np.concatenate([mnist.images[:300], np.full((1, 28, 28), 9, np.uint8)])
    strict = dataclasses.replace(
        reader, threshold=Threshold(float(np.median(reader.judge(images).confidence)), 1, 1, 1)
    )
    judged, answers = strict.judge(images), strict.answer(images)
    for at, answer in enumerate(answers[:300]):
        assert (answer.label, answer.verdict) == (str(judged.classes[at]), "sure" if judged.sure[at] else "unsure")
        assert answer.confidence == round(float(judged.confidence[at]), 6)
        assert judged.sure[at] == (judged.confidence[at] >= strict.threshold.confidence)
    assert (judged.inked[300], answers[300].label) == (False, None)
    assert 0 < judged.sure.sum() < 300
    again = predict.unpacked(reader.model.proto.SerializeToString(), "elsewhere", threads=1)
    assert again.answer(images) == reader.answer(images)


def test_without_a_threshold_nothing_is_sure(reader, mnist):
    """A thousand validation pictures, some answered wrong, cannot show 99.9%."""
    bare = dataclasses.replace(reader, threshold=None)
    assert {answer.verdict for answer in bare.answer(mnist.images[:100])} == {"unsure"}
    assert reader.threshold.level < statistics.SURE
    assert {answer.verdict for answer in reader.answer(mnist.images[:100])} == {"likely", "unsure"}


@pytest.mark.parametrize("grey", [0, 7, 255])
def test_no_digit_is_found_on_an_even_ground(reader, mnist, grey):
    images = np.stack([np.full((28, 28), grey, np.uint8), mnist.images[0]])
    blank, digit = reader.answer(images)
    assert blank == predict.Answer("no digit found")
    assert digit.label is not None
    assert reader.answer(images[:0]) == []


def test_pictures_that_are_ready_are_those_that_would_be_prepared_to_the_same(reader, mnist):
    greys = np.concatenate([mnist.images[:60], 255 - mnist.images[60:90], np.roll(mnist.images[90:120], 3, axis=2)])
    greys = np.concatenate([greys, np.full((2, 28, 28), [[[0]], [[255]]], np.uint8)])
    images, ready = reader.ready(greys)
    assert ready[:90].mean() > 0.95
    assert not ready[90:].any()
    for grey, image in zip(greys[ready], images[ready], strict=True):
        assert np.array_equal(reader.prepare(grey).image, image)
    images, ready = reader.ready(greys, plain=True)
    assert ready.all()
    assert np.array_equal(images, np.stack([reader.prepare(grey, plain=True).image for grey in greys]))


def test_readings_without_a_digit_keep_their_verdict_and_place(reader, mnist):
    first, second = (Reading(image, "digit") for image in mnist.images[:2])
    answers = reader.read([Reading(None, "several digits"), first, Reading(None, "no digit found"), second])
    assert [answer.verdict for answer in answers[::2]] == ["several digits", "no digit found"]
    assert [answers[1], answers[3]] == reader.answer(mnist.images[:2])
    assert [reader.document(answers[0])[key] for key in ("label", "confidence", "probabilities")] == [None] * 3


def test_a_run_and_its_export_answer_alike(run, mnist, tmp_path):
    evaluate.evaluate([run])
    export.export(run, tmp_path / "model.onnx")
    from_run, from_file = predict.open_reader(run.folder), predict.open_reader(tmp_path / "model.onnx")
    assert from_run.answer(mnist.images[:100]) == from_file.answer(mnist.images[:100])
    assert (from_run.source, from_file.source) == ("small", "model.onnx")
    same = set(from_run.description) - {"gate", "sha256", "test_vector"}
    assert {key: from_run.description[key] for key in same} == {key: from_file.description[key] for key in same}
    assert (from_run.description["gate"], from_file.description["gate"]["pictures"]) == (None, 10_000)


def test_the_threshold_of_the_scores_is_taken(run):
    evaluate.evaluate([run])
    (score,) = run.scores
    chosen = Threshold(confidence=0.875, answered=4_000, correct=3_999, total=5_000)
    run.save_score(score.model_copy(update={"threshold": chosen}))
    reader = predict.open_reader(run.folder)
    assert (reader.threshold, reader.description["threshold"]) == (chosen, dataclasses.asdict(chosen))


def test_a_run_that_was_never_scored_is_left_as_it_is(run):
    before = {file.name for file in run.folder.iterdir()}
    reader = predict.open_reader(run.folder)
    assert {file.name for file in run.folder.iterdir()} == before
    assert reader.model.metadata.temperature == evaluate.evaluate([run])[0].score.temperature


def test_maps_are_those_of_the_layers(run, mnist):
    layers = run.recipe.layers()
    reader = predict.open_reader(run.folder)
    maps = dict(reader.maps(mnist.images[0]))
    names = [name for name in onnx.inner_layers(layers) if name in maps]
    assert names == list(maps)
    assert names == ["relu1", "relu2"]
    expected = onnx.layer_outputs(layers, run.weights(), catalog.MNIST, mnist.images[:1], names)
    for name in names:
        np.testing.assert_allclose(maps[name], expected[name][0], atol=1e-5)
    np.testing.assert_array_equal(
        reader.model.answer(mnist.images[:1])[0], predict.open_reader(run.folder).model.answer(mnist.images[:1])[0]
    )


def test_files_are_read_and_a_bad_one_stops_nobody(reader, pictures, tmp_path):
    paths, labels = pictures
    paths = [*paths[:2], paths[0].with_name("cut.png"), tmp_path / "none.png", tmp_path, *paths[2:]]
    results = predict.read_files(reader, paths)
    assert [result.path for result in results] == paths
    assert [result.error is None for result in results] == [True] * 2 + [False] * 3 + [True] * 3
    read = [result for result in results if result.error is None]
    assert sum(result.text == str(label) for result, label in zip(read, labels, strict=True)) >= 4
    assert results[0].document(reader, line=False)["digit"] == read[0].text
    json.dumps([result.document(reader, line=False) for result in results], allow_nan=False)


def test_what_learnt_from_pictures_as_they_are_gets_them_so(reader, mnist):
    """Clothes are not ink on paper: the contract would find no digit in them, or make one of them."""
    metadata = reader.model.metadata.model_copy(update={"plain": True})
    clothes = dataclasses.replace(reader, model=dataclasses.replace(reader.model, metadata=metadata))
    grey = 255 - np.kron(mnist.images[0], np.ones((4, 4), np.uint8))  # the contract would turn it to white on black
    np.testing.assert_array_equal(clothes.prepare(grey).image, 255 - mnist.images[0])
    np.testing.assert_array_equal(clothes.prepare(grey, steps=True).steps[-1][1], 255 - mnist.images[0])
    assert reader.prepare(grey).image.mean() < 128
    assert reader.description["plain"] is False


def test_a_row_of_digits(reader, mnist, tmp_path):
    row = np.hstack([np.pad(255 - mnist.images[at], 8, constant_values=255) for at in range(4)])
    Image.fromarray(row).resize((row.shape[1] * 4, row.shape[0] * 4)).save(tmp_path / "row.png")
    (result,) = predict.read_files(reader, [tmp_path / "row.png"], line=True)
    assert len(result.text) == len(result.boxes) == 4
    lefts = [box[0] for box in result.boxes]
    assert lefts == sorted(lefts)
    document = result.document(reader, line=True)
    assert document["text"] == result.text
    assert [digit["box"] for digit in document["digits"]] == list(result.boxes)
    assert [digit["digit"] for digit in document["digits"]] == list(result.text)


def test_a_model_of_letters_speaks_of_characters(letters, reader, mnist, tmp_path):
    """Its documents have a label and no digit."""
    Image.fromarray(mnist.images[0]).save(tmp_path / "one.png")
    Image.new("L", (90, 90), 255).save(tmp_path / "none.png")
    paths = [tmp_path / "one.png", tmp_path / "none.png"]
    one, none = (result.document(letters, line=False) for result in predict.read_files(letters, paths))
    (digit,) = (result.document(reader, line=False) for result in predict.read_files(reader, paths[:1]))
    assert digit["label"] == digit["digit"] == str("ABCDEFGHIJ".index(one["label"]))
    assert (none["verdict"], none["label"]) == ("no character found", None)
    assert "digit" not in one | none
    titles = [title for title, _ in letters.prepare(255 - np.pad(mnist.images[0], 30), steps=True).steps]
    assert not [title for title in titles if "digit" in title]
    text = cli_predict.text(letters, predict.read_files(letters, paths), line=False)
    assert "character" in text
    assert "digit" not in text


def test_explaining_gives_the_steps_and_the_answer(reader, pictures):
    (first, *_), _ = pictures
    shown, answer = predict.explain(reader, first)
    assert shown[-1][1].shape == (28, 28)
    assert (answer,) == predict.read_files(reader, [first])[0].answers


def _shipped():
    folders = (predict.SHIPPED, predict.COMMITTEE)
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_without_a_model_the_bundled_committee_answers(monkeypatch, tmp_path, mnist):
    """Nothing is trained, no picture is read, nothing is written."""
    before = _shipped()
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "cache"))
    reader = predict.open_reader()
    digits = [answer.label for answer in reader.answer(mnist.images[:500])]
    validation, test = json.loads((predict.COMMITTEE / runs.SCORES).read_text())
    assert (reader.source, reader.description["recipe_hash"]) == (predict.BUNDLED, predict.default_run().recipe.hash)
    assert reader.description["threshold"].items() >= validation["threshold"].items()
    assert reader.model.metadata.temperature == pytest.approx(validation["temperature"])
    assert [entry["correct"] for entry in reader.description["scores"]] == [validation["correct"], test["correct"]]
    assert not (tmp_path / "cache").exists()
    assert _shipped() == before
    assert np.mean([digit == str(label) for digit, label in zip(digits, mnist.labels, strict=False)]) > 0.97


@pytest.mark.slow
def test_the_bundled_model_is_as_good_as_its_scores_say():
    members = predict.committee_members()
    assert len(members) == len({run.recipe.seed for run in members}) == 4
    assert sum(len(content) for content in _shipped().values()) < 4_000_000
    found = [evaluate.validate(run) for run in members]
    told, _ = scores.read(predict.COMMITTEE / runs.SCORES, classes=10)
    together = evaluate.committee(found)
    kept = [run.score("validation") for run in members]
    for entry, before in zip([together, *(one.score for one in found)], [told, *kept], strict=True):
        assert entry.total == before.total == 5_000
        assert abs(entry.correct - before.correct) <= 2  # near-ties, on another processor
    assert told.accuracy > 0.995
    answers = predict.open_reader().answer(evaluate.validation_pictures(members[0]).images)
    sure = np.array([answer.verdict == "sure" for answer in answers])
    right = np.array([answer.label == str(label) for answer, label in zip(answers, found[0].labels, strict=True)])
    assert right[sure].mean() > 0.998
    assert sure.mean() > 0.8


def test_the_bundled_model_is_what_would_be_put_there_again():
    for run in predict.committee_members():
        ship.require_shippable(run)


@pytest.mark.slow
def test_the_verb(cli, run, pictures, tmp_path):
    paths, _ = pictures
    text = cli("predict", run.folder, *paths)
    assert text.returncode == 0, text.stderr
    assert len([line for line in text.stdout.splitlines() if ".png" in line]) == 5
    bad = cli("predict", run.folder, paths[0].with_name("cut.png"), *paths, "--json", "--explain", "drawn")
    assert bad.returncode == 3
    documents = json.loads(bad.stdout)
    assert "error" in documents[0]
    assert [document["file"] for document in documents[1:]] == [str(path) for path in paths]
    assert len(list((tmp_path / "drawn").iterdir())) == 5
    row = cli("predict", run.folder, "--line", paths[0], "--json")
    assert len(json.loads(row.stdout)[0]["digits"]) == 1
    assert paths[0].name in cli("predict", run.folder, "--line", paths[0]).stdout
    assert cli("predict", run.folder).returncode == 2
