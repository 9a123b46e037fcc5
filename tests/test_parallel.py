"""Two real processes, started by torchrun, train what one trains; what happens when one of them ends."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold import processes, recipes, runs, train
from tenfold.errors import UsageError
from tenfold.frameworks.pytorch.parallel import Group
from tenfold.recipes import Recipe
from tenfold.runs import Run
from waiting import running

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
COUNT, BATCH = 1_908, 127  # no batch can be halved, and the last has three pictures: too few to share

# The command line, that also writes down what each process has after each epoch.
PROGRAM = """
import hashlib
from tenfold import __main__, processes
from tenfold.frameworks import pytorch
train = pytorch.train
def watched(*words):
    for state in train(*words):
        content = b"".join(state.tensors[name].tobytes() for name in sorted(state.tensors))
        with open(f"rank{processes.rank()}", "a") as file:
            print(state.step, state.loss_sum, state.correct, hashlib.sha256(content).hexdigest(), file=file)
        yield state
pytorch.train = watched
__main__.main()
"""


@given(st.integers(0, 1_000), st.integers(1, 300), st.integers(1, 9))
def test_shares_are_the_batch_in_parts_of_two_pictures_at_least(start, count, size):
    batch = slice(start, start + count)
    shares = [Group(rank, size).part(batch) for rank in range(size)]
    if count < 2 * size:
        assert shares == [batch] * size
    else:
        assert [at for share in shares for at in range(start + count)[share]] == list(range(start, start + count))
        sizes = [share.stop - share.start for share in shares]
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= 2


@pytest.fixture
def as_one_of_two(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert (processes.size(), processes.rank()) == (2, 0)


@pytest.mark.usefixtures("as_one_of_two")
def test_what_processes_cannot_share_is_refused(small, tmp_path, monkeypatch, cli):
    with pytest.raises(UsageError, match="leave --seeds out"):
        train.train_seeds(small, 2, tmp_path / "run")
    with pytest.raises(UsageError, match="batch_size=3 is too small for 2 processes"):
        train.train(recipes.replace(small, batch_size=3), tmp_path / "run")
    for framework, device, told in (("tensorflow", "cpu", "trains with pytorch"), ("pytorch", "cuda", "--device cpu")):
        has = {"parallel": None} if framework == "pytorch" else {}
        monkeypatch.setattr(
            train.frameworks,
            "load",
            lambda name, has=has, device=device: SimpleNamespace(choose_device=lambda _: device, **has),
        )
        with pytest.raises(UsageError, match=told):
            train.train(recipes.replace(small, framework=framework), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    refused = cli("evaluate", "run")
    assert refused.returncode == 2
    assert "only `train` runs under torchrun" in refused.stderr


def _words(recipe: Recipe):
    fields = {**recipe.model_dump(), **{f"network.{k}": v for k, v in recipe.network_arguments.items()}}
    return [word for k, v in fields.items() if k not in recipes.NOT_TO_SET for word in ("--set", f"{k}={v}")]


@contextmanager
def _started(folder, *words):
    """Two processes that train into a folder in another one, in which each writes down what it has."""
    program = folder.parent / "program.py"
    program.write_text(PROGRAM)
    command = [*TORCHRUN, str(program), "train", *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with running(command, cwd=folder.parent, env=environment, text=True, **pipes) as process:
        yield process


def _trained(folder, *words):
    with _started(folder, *words) as process:
        said = process.stderr.read()
    assert process.returncode == 0, said
    return Run(folder)


@pytest.fixture(scope="module")
def shared(small, tmp_path_factory):
    """A recipe with all that a long one has, trained by two processes that nobody disturbs, and where they wrote."""
    recipe = recipes.replace(small, train_size=COUNT, batch_size=BATCH, epochs=12, network_arguments={"dropout": 0.1})
    folder = tmp_path_factory.mktemp("shared") / "run"
    return recipe, _trained(folder, *_words(recipe), "--out", str(folder))


def _agree(folder):
    """Return what both processes wrote down, which is the same."""
    first, second = ((folder.parent / f"rank{rank}").read_text() for rank in (0, 1))
    assert first == second
    return [line.split() for line in first.splitlines()]


@pytest.mark.slow
def test_without_batch_norm_two_processes_take_the_very_steps_of_one(small, tmp_path):
    """Only the order in which numbers are added differs."""
    changes = {"network": "lenet5", "network_arguments": {}, "learning_rate": 0.002, "muon": 0, "epochs": 3}
    recipe = recipes.replace(small, train_size=COUNT, batch_size=BATCH, **changes)
    run = _trained(tmp_path / "run", *_words(recipe), "--out", str(tmp_path / "run"))
    alone = train.train(recipe, tmp_path / "alone")
    _agree(run.folder)
    for ours, theirs in zip(run.history, alone.history, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
        assert ours["train_accuracy"] == pytest.approx(theirs["train_accuracy"], abs=2 / COUNT)
    weights = alone.weights()
    for name, value in run.weights().items():
        np.testing.assert_allclose(value, weights[name], atol=5e-3)


@pytest.mark.slow
def test_two_processes_train_as_one_and_hold_the_same_weights(shared, tmp_path):
    """Batch norm's statistics are of half a batch and the dropout is another: the losses are within 5%."""
    recipe, run = shared
    alone = train.train(recipe, tmp_path / "alone")
    for ours, theirs in zip(run.history, alone.history, strict=True):
        assert ours.keys() == theirs.keys()
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=0.05)
    assert run.history[-1]["validation_accuracy"] == pytest.approx(alone.history[-1]["validation_accuracy"], abs=0.02)
    written = _agree(run.folder)
    assert [int(step) for step, *_ in written] == [line["step"] for line in run.history]
    assert [int(correct) for _, _, correct, _ in written] == [
        round(line["train_accuracy"] * COUNT) for line in run.history
    ]
    assert (run.environment["processes"], run.environment["threads"]) == (2, 1)
    assert "processes" not in alone.environment
    assert {path.name for path in run.folder.iterdir()} >= {path.name for path in alone.folder.iterdir()}
    assert [entry["split"] for entry in run.scores] == ["validation"]  # as the command does, once


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rank", "number"), [(1, signal.SIGKILL), (0, signal.SIGKILL), (None, signal.SIGTERM), (1, signal.SIGTERM)]
)
def test_when_one_ends_all_end_and_go_on_with_the_same_bits(shared, tmp_path, rank, number):
    """Without a rank it is torchrun that gets the signal, and passes it on."""
    recipe, whole = shared
    folder = tmp_path / "run"
    with _started(folder, *_words(recipe), "--out", str(folder)) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("epoch 2.00"):
                torchrun = psutil.Process(process.pid)
                of_rank = {one.environ().get("RANK"): one for one in torchrun.children()}
                (torchrun if rank is None else of_rank[str(rank)]).send_signal(number)
    assert process.returncode
    (told, *_) = [line for line in said if line.startswith("tenfold: ")]
    if number == signal.SIGKILL:
        assert "another of the processes that train together has ended" in told
    else:
        assert f"go on with: tenfold train --resume {folder}" in told
    halfway = Run(folder)
    assert not halfway.finished
    assert halfway.checkpoint()
    run = _trained(folder, "--resume", str(folder))
    assert (folder / runs.WEIGHTS).read_bytes() == (whole.folder / runs.WEIGHTS).read_bytes()
    for ours, theirs in zip(run.history, whole.history, strict=True):
        assert ours | {"seconds": 0} == theirs | {"seconds": 0}
    assert run.environment["processes"] == 2


@pytest.mark.slow
def test_of_a_finished_run_nobody_waits_for_orders(shared):
    _, run = shared
    before = (run.folder / runs.WEIGHTS).stat().st_mtime_ns
    assert _trained(run.folder, "--resume", str(run.folder)).finished
    assert (run.folder / runs.WEIGHTS).stat().st_mtime_ns == before
