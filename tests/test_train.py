import signal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenfold import crossval, files, recipes, runs, train
from tenfold.errors import DivergedError, InterruptError, TenfoldError, UsageError
from tenfold.frameworks import pytorch
from tenfold.runs import Run
from waiting import Spy, interrupted


def _same_result(one: Run, other: Run):
    assert (one.folder / runs.WEIGHTS).read_bytes() == (other.folder / runs.WEIGHTS).read_bytes()
    for a, b in zip(one.history, other.history, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_the_same_recipe_gives_the_same_bits(run, small, tmp_path):
    _same_result(run, train.train(small, tmp_path / "again"))


def test_history_has_twenty_lines_and_one_for_each_epoch(run, small):
    last = run.history[-1]
    steps, epoch = small.steps(2_000), small.steps_per_epoch(2_000)
    assert len(run.history) >= 20
    assert [line["step"] for line in run.history if "validation_loss" in line] == [epoch, steps]
    first_epoch = [line["train_loss"] for line in run.history if line["step"] <= epoch]
    assert first_epoch[-1] < first_epoch[0]
    longer = recipes.replace(small, epochs=30)
    assert train.history_steps(longer, 2_000) == set(range(epoch, 30 * epoch + 1, epoch))
    assert last["step"] == small.steps(2_000)
    assert 0.9 < last["validation_accuracy"] <= 1
    assert last["validation_accuracy"] * 1_000 == pytest.approx(round(last["validation_accuracy"] * 1_000))
    assert last["train_accuracy"] * 2_000 == pytest.approx(round(last["train_accuracy"] * 2_000))
    assert last["learning_rate"] < run.history[0]["learning_rate"]


def test_a_signal_leaves_a_checkpoint_and_resuming_ends_with_the_same_bits(run, small, tmp_path):
    folder = tmp_path / "interrupted"
    with pytest.raises(InterruptError, match=f"tenfold train --resume {folder}"):
        train.train(small, folder, progress=Spy(stop_after=1))  # comes while the first epoch is written down
    halfway = Run(folder)
    assert not halfway.finished
    _, numbers = halfway.checkpoint()
    assert small.steps_per_epoch(2_000) <= numbers["step"] < small.steps(2_000)
    _same_result(run, train.resume(folder))
    assert halfway.checkpoint() is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_inside_an_epoch(run, small, tmp_path):
    """In the third step of the first epoch, which is not scored on validation pictures."""
    folder = tmp_path / "interrupted"
    with pytest.raises(InterruptError, match="after step 3 of 32"), interrupted(3):
        train.train(small, folder)
    history = Run(folder).history
    assert max(line["step"] for line in history) <= 3
    assert not any("validation_loss" in line for line in history)
    _same_result(run, train.resume(folder))


def test_lines_of_epochs_that_no_checkpoint_has_are_written_again(run, small, tmp_path):
    """A kill may come between an epoch's line and its checkpoint."""
    folder = tmp_path / "killed"
    with pytest.raises(InterruptError):
        train.train(small, folder, progress=Spy(stop_after=1))
    ahead = next(line for line in run.history if line["step"] > Run(folder).checkpoint()[1]["step"])
    files.append_line(folder / runs.HISTORY, ahead)
    _same_result(run, train.resume(folder))


def test_a_long_epoch_has_checkpoints_on_the_way(small):
    assert list(train.checkpoint_steps(recipes.replace(small, batch_size=2, epochs=2), 24_000)) == [10_000, 20_000]
    assert not train.checkpoint_steps(
        recipes.replace(small, batch_size=2, epochs=20), 20_000
    )  # its ends are near enough
    many = recipes.replace(small, batch_size=2, epochs=200)  # a validation after five epochs is not
    assert list(train.checkpoint_steps(many, 6_000))[:2] == [10_000, 20_000]


def test_many_short_epochs_are_not_validated_each(tiny, tmp_path):
    short = recipes.replace(tiny, train_size=20, batch_size=20, epochs=100)
    history = train.train(short, tmp_path / "short").history
    assert [line["epoch"] for line in history] == [*range(1, 101)]
    assert [line["epoch"] for line in history if "validation_loss" in line] == [*range(3, 100, 3), 100]


def test_resuming_what_never_began_or_is_finished(run, small, tmp_path):
    (tmp_path / "begun").mkdir()
    begun = runs.create(small, run.environment, tmp_path / "begun")
    _same_result(run, train.resume(begun.folder))
    before = (run.folder / runs.WEIGHTS).stat().st_mtime_ns
    train.resume(run.folder)
    assert (run.folder / runs.WEIGHTS).stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="not a run folder"):
        train.resume(tmp_path / "nowhere")


def test_resuming_elsewhere_says_that_bits_may_differ(run, small, tmp_path):
    (tmp_path / "begun").mkdir()
    begun = runs.create(small, run.environment | {"processor": "Another"}, tmp_path / "begun")
    spy = Spy()
    train.resume(begun.folder, spy)
    assert "processor differs" in spy.lines[0]


def test_a_loss_that_is_no_number_stops_with_the_last_good_checkpoint(small, tmp_path):
    """Each step multiplies the weights by as much as -9 in the end; the first epoch's checkpoint stands."""
    folder = tmp_path / "diverges"
    with pytest.raises(DivergedError):
        train.train(recipes.override(small, ["learning_rate=1", "weight_decay=10", "warmup=0.9", "epochs=6"]), folder)
    tensors, numbers = Run(folder).checkpoint()
    assert numbers["step"] == Run(folder).history[-1]["step"] > 0
    assert numbers["step"] % small.steps_per_epoch(2_000) == 0
    assert all(np.isfinite(value).all() for value in tensors.values())


def test_what_fails_before_its_first_epoch_ends_leaves_nothing_behind(small, tmp_path, monkeypatch):
    """So the next training of that name has the folder; what else is in it stays."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    diverging = recipes.override(small, ["learning_rate=10", "weight_decay=10", "epochs=1"])
    for out in (None, tmp_path / "named", tmp_path / "mine"):
        with pytest.raises(DivergedError):
            train.train(diverging, out)
    with pytest.raises(DivergedError):
        crossval.crossval(diverging, 2)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "runs", "notes.txt"]
    assert train.train(recipes.replace(small, epochs=0.1)).name == "quick-seed0"
    spy = Spy()
    again = train.train(recipes.replace(small, epochs=0.1), progress=spy)
    assert again.name == "quick-seed0-2"
    assert any(str(again.folder) in line for line in spy.lines)


def test_two_trainings_do_not_share_a_folder(small, run, tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    with runs.locked(folder), pytest.raises(TenfoldError, match="another process is training into"):
        train.train(small, folder)
    assert not (folder / runs.RECIPE).exists()
    with pytest.raises(UsageError, match="already holds a run"):
        train.train(small, run.folder)
    with runs.locked(run.folder), pytest.raises(TenfoldError, match="another process"):
        train.resume(run.folder)


def test_seeds_go_into_folders_of_their_own(small, tmp_path):
    trained = train.train_seeds(recipes.replace(small, epochs=0.5, seed=5), 2, tmp_path / "seeds")
    assert [run.folder.name for run in trained] == ["seed5", "seed6"]
    assert [run.recipe.seed for run in trained] == [5, 6]


@pytest.mark.slow
def test_fine_tuning_begins_with_the_runs_weights(run, small, tmp_path):
    """One step of next to nothing leaves them where they were; a real one, stopped and resumed, is better than they."""
    weights = run.weights()
    still = recipes.replace(
        train.fine_tuning(run), learning_rate=1e-12, muon=0, averaging=0, weight_decay=0, epochs=0.01
    )
    unmoved = train.train(still, tmp_path / "unmoved", initial=weights)
    assert unmoved.recipe.initial_weights == runs.weights_hash(weights)
    for name, value in unmoved.weights().items():
        if not name.startswith("norm") or name.endswith(("weight", "bias")):  # statistics are measured as pictures pass
            np.testing.assert_allclose(value, weights[name], atol=1e-6)

    recipe = train.fine_tuning(run)
    assert recipe.learning_rate == pytest.approx(small.learning_rate / 10)
    assert recipe.muon == pytest.approx(small.muon / 10)
    whole = train.train(recipe, tmp_path / "whole", initial=weights)
    with pytest.raises(InterruptError), interrupted(3):
        train.train(recipe, tmp_path / "stopped", initial=weights)
    (tmp_path / "begun").mkdir()
    begun = recipes.replace(recipe, initial_weights=runs.weights_hash(weights))
    runs.create(begun, run.environment, tmp_path / "begun", weights)  # killed before its first checkpoint
    for name in ("stopped", "begun"):
        _same_result(whole, train.resume(tmp_path / name))
    assert whole.history[-1]["train_loss"] < run.history[-1]["train_loss"]
    after_an_epoch = [next(line for line in one.history if "validation_loss" in line) for one in (whole, run)]
    assert after_an_epoch[0]["validation_accuracy"] > after_an_epoch[1]["validation_accuracy"]


def test_fine_tuning_another_network(run, tmp_path):
    wider = recipes.override(train.fine_tuning(run), ["network.width=24"])
    with pytest.raises(UsageError, match=r"weights are of another network: conv1\.weight is 16×1×6×6, not 24×1×6×6"):
        train.train(wider, tmp_path / "wider", initial=run.weights())
    assert not (tmp_path / "wider").exists()


def test_a_range_test_finds_the_loss_at_each_learning_rate(small):
    rates, losses = train.range_test(small, highest=1, points=8)
    steps = np.geomspace(1e-4, 1, small.steps_per_epoch(small.train_size))
    assert len(rates) == len(losses) == 8
    assert np.isin(rates, steps).all()
    assert rates[-1] == 1
    assert losses[0] == pytest.approx(np.log(10), rel=0.1)  # with so small a step it has learnt nothing yet
    assert losses.min() < 0.6 * losses[0]
    assert losses.argmin() not in (0, 7)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(4, 70), st.integers(2, 40))
def test_any_number_of_pictures_trains_in_batches_of_any_size(small, mnist, pictures, batch_size):
    """Also where one picture is left for the last batch."""
    recipe = recipes.replace(small, batch_size=batch_size, epochs=1)
    *_, state = pytorch.train(recipe, mnist.take(np.arange(pictures)))
    assert np.isfinite(state.loss_sum)
    assert state.pictures in (pictures, pictures - 1)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_too_few_pictures_are_refused_and_leave_nothing(small, size, tmp_path):
    with pytest.raises(UsageError):
        train.train(recipes.replace(small, train_size=size), tmp_path / "run")
    assert not (tmp_path / "run").exists()
