"""What several tests share: real pictures, a small run, the command line as users run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tenfold import recipes, runs, train
from tenfold.data import catalog
from tenfold.data.split import Samples, development
from tenfold.recipes import Recipe
from tenfold.runs import Run

FASHION_FILES = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def mnist() -> Samples:
    """The 60,000 development pictures, fetched on the first use."""
    return development(catalog.MNIST)


@pytest.fixture(scope="session")
def small() -> Recipe:
    """A recipe that trains in a fraction of a second, on few pictures, with all that a long one has."""
    return recipes.override(
        recipes.quick(),
        ["train_size=2000", "validation_size=1000", "epochs=2", "averaging=0.9", "rotation=5", "precision=float32"],
    )


@pytest.fixture(scope="session")
def trained_once(small: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train.train(small, tmp_path_factory.mktemp("workspace") / "small")


@pytest.fixture
def run(trained_once: Run, tmp_path: Path) -> Run:
    """A finished small run, a test's own copy in an empty workspace."""
    folder = tmp_path / "workspace" / "small"
    folder.mkdir(parents=True)
    for file in trained_once.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return Run(folder)


@pytest.fixture
def sibling(run: Run) -> Callable[..., Run]:
    """`sibling("name", seed=1)` is a run beside `run` with its weights and, as far as can be seen, another recipe."""

    def copy(name: str, **fields: object) -> Run:
        folder = run.folder.with_name(name)
        folder.mkdir()
        for file in run.folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / runs.RECIPE).write_text(recipes.replace(run.recipe, **fields).model_dump_json())
        return Run(folder)

    return copy


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`cli("train", "--seed", "3")` runs the command line in an empty folder and returns what came of it."""

    def call(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tenfold", *map(str, words)],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return call


@pytest.fixture
def fashion_files() -> Path:
    """The folder of Fashion-MNIST's files as Debian installs them; in CI they must be there."""
    if not FASHION_FILES.is_dir() and "CI" not in os.environ:
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    return FASHION_FILES
