"""Adapt the service to a user's handwriting: store drawings, fine-tune the model in seconds, and allow going back.

Learning works as in `tenfold train --from RUN --data FOLDER`: each drawing is classified by a model that never saw it,
and the loss of accuracy is measured on the validation pictures of the original dataset.
"""

import base64
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field, RootModel
from starlette.datastructures import State

from tenfold import files, frameworks, personal, predict, runs
from tenfold.data import catalog, folder
from tenfold.errors import TenfoldError
from tenfold.predict import Reader
from tenfold.progress import Progress
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.serve.drawings import Drawings
from tenfold.serve.intake import RefusedError
from tenfold.serve.schemas import problems

NEEDED = 10  # least number of drawings to learn from
MODELS = ".models"  # in the folder of drawings: one run folder per learned model
VERSIONS = "versions.json"  # learned models in use, by the hash of the weights they started from
LEARNT = re.compile(r"personal(-\d+)?")
LOCK = ".lock"
BUSY = "another service is learning from these drawings; wait until it has finished"
THREAD = "learning a handwriting"
PNG = "data:image/png;base64,"
log = logging.getLogger(__name__)


class _Change(BaseModel):
    before: Score
    after: Score


class _Version(BaseModel):
    """A learned model, as shown on the page."""

    name: str = Field(pattern=r"^[\w-]+$")
    own: _Change
    known: _Change | None
    seconds: float
    skipped: int
    dataset: str


class _OfOneBeginning(BaseModel):
    """The first format of `versions.json`."""

    base: str
    results: list[_Version]


class _Versions(RootModel[_OfOneBeginning | dict[str, list[_Version]]]):
    """A `versions.json`: by the hash of the original weights, the learned models, the newest last."""

    def by_beginning(self) -> dict[str, list[_Version]]:
        """Return the learned models, from either format."""
        return {self.root.base: self.root.results} if isinstance(self.root, _OfOneBeginning) else self.root


class Teacher(Progress):
    """Train models on the drawings, choose the model of the service, and record the progress."""

    def __init__(self, drawings: Drawings, base: Run | None, state: State) -> None:
        """Teach `base`, or None for an exported model. A model learned in an earlier service is used at once.

        `state.reader` is the model of the service.
        """
        self.drawings, self._base, self._state = drawings, base, state
        self._began: Reader = state.reader  # it can be more than `base`: of a committee, only the first run learns
        self._models = drawings.folder / MODELS
        self._base_hash = runs.weights_hash(base.weights()) if base else ""
        self._lock = Lock()
        self._learning: dict[str, Any] | None = None  # current task and its progress
        self._trouble: str | None = None
        self._results = self._kept().get(self._base_hash, []) if base else []
        state.reader = self._reader(self._results)
        if self._models.is_dir():
            with suppress(TenfoldError), files.only_one(self._models / LOCK, BUSY):
                self._sweep()

    def status(self) -> dict[str, Any]:
        """Return everything that the page shows."""
        drawings, last = self.drawings.all(), self.drawings.last()
        return {
            "folder": str(self.drawings.folder),
            "counts": {name: sum(path.parent.name == name for path in drawings) for name in self.drawings.classes},
            "last": {"id": last.stem, "label": last.parent.name} if last else None,
            "why_not": self._why_not(len(drawings)),
            "learning": self._learning,
            "trouble": self._trouble,
            "result": self._results[-1] if self._results else None,
        }

    def learn(self) -> None:
        """Start to learn from the drawings in the background; raise `RefusedError` if that is impossible."""
        with self._lock:
            reason = "the model is already learning" if self._learning else self._why_not(len(self.drawings.all()))
            if reason or self._base is None:
                raise RefusedError(409, reason or "")
            self._learning, self._trouble = {"title": "getting ready", "share": 0.0}, None
        Thread(target=self._learn, args=(self._base,), name=THREAD, daemon=True).start()

    def back(self) -> None:
        """Return to the previous model; raise `RefusedError` if there is none."""
        with self._lock:
            if self._learning:
                raise RefusedError(409, "the model is learning; wait until it has finished")
            if not self._results:
                raise RefusedError(409, "this is the original model")
            with files.only_one(self._models / LOCK, BUSY):
                self._use(self._results[:-1])

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Record the progress of a task for the page."""

        def done(amount: float) -> None:
            self._learning = {"title": title, "share": min(1.0, amount / max(total, 1))}

        done(0)
        yield done

    def _why_not(self, count: int) -> str | None:
        if self._base is None:
            return "This model is an exported file, which cannot learn. Start the service with a run folder."
        try:
            frameworks.require_installed(self._base.recipe.framework)
        except TenfoldError as error:
            return str(error)
        if count < NEEDED:
            return f"{count} of at least {NEEDED} drawings; two or three per class are better."
        return None

    def _learn(self, base: Run) -> None:
        """Fine-tune, evaluate and use the new model, in its own thread."""
        try:
            dataset = catalog.find(base.recipe.dataset)
            files.make_folder(self._models)
            with files.only_one(self._models / LOCK, BUSY):
                drawings, skipped = folder.read(self.drawings.folder, like=dataset, progress=self)
                learnt = personal.personalise(base, drawings, runs.free_folder("personal", self._models), progress=self)
                result = learnt.document() | {"skipped": len(skipped), "dataset": dataset.title}
                self._use([*self._results, result])
        except TenfoldError as error:
            self._trouble = str(error)
        except Exception:
            log.exception("learning from drawings failed")
            self._trouble = "Learning failed; the log of the service has the reason."
        finally:
            self._learning = None

    def _reader(self, results: list[dict[str, Any]]) -> Reader:
        """Open and return the newest learned model, or return the original one."""
        return predict.open_reader(self._models / results[-1]["name"], threads=1) if results else self._began

    def _use(self, results: list[dict[str, Any]]) -> None:
        """Replace the learned models of this service, keep those of other services, and answer accordingly.

        Nothing changes if the model cannot be opened or the disk cannot be written. The caller holds the lock.
        """
        reader, kept = self._reader(results), self._kept()
        own = {result["name"] for result in self._results}
        others = [result for result in kept.get(self._base_hash, []) if result["name"] not in own]
        files.write_json(self._models / VERSIONS, kept | {self._base_hash: others + results})
        self._results, self._state.reader = results, reader

    def _kept(self) -> dict[str, list[dict[str, Any]]]:
        """Return the learned models that still exist, by original weights, the newest last."""
        path = self._models / VERSIONS
        if not path.is_file():
            return {}
        kept = files.read_json(path, _Versions, "move it away to start with the original model")
        return {
            base: [it.model_dump(mode="json") for it in results if (self._models / it.name / runs.RECIPE).is_file()]
            for base, results in kept.by_beginning().items()
        }

    def _sweep(self) -> None:
        """Delete unused models, left by killed learning or by going back. The caller holds the lock."""
        used = {result["name"] for results in self._kept().values() for result in results}
        for path in self._models.iterdir():
            if LEARNT.fullmatch(path.name) and path.name not in used:
                shutil.rmtree(path, ignore_errors=True)


class NewDrawing(BaseModel):
    """A drawing from the page, to be stored."""

    label: str = Field(max_length=20, description="the class that the drawing shows")
    picture: str = Field(max_length=400_000, description="a PNG as a data: URL")

    def content(self) -> bytes:
        """Return the bytes of the PNG; raise `RefusedError` for anything else."""
        try:
            return base64.b64decode(self.picture.removeprefix(PNG), validate=True)
        except ValueError:  # not ASCII, or not base64
            raise RefusedError(422, f"picture: must be base64 after {PNG}") from None


def enable(app: FastAPI, store: Path, base: Run | None) -> None:
    """Let a service store drawings in the folder `store` and learn from them."""
    app.state.handwriting = True
    app.include_router(router(Teacher(Drawings(store, app.state.reader.model.classes), base, app.state)))


def router(teacher: Teacher) -> APIRouter:
    """Return the paths for the user's handwriting."""
    paths = APIRouter(prefix="/handwriting", tags=["handwriting"], responses=problems(400, 403, 408, 413, 421, 503))

    @paths.get("")
    def status() -> dict[str, Any]:
        """Return the number of drawings, the state of learning, and the learned models."""
        return teacher.status()

    @paths.post("", status_code=201, responses=problems(409, 415, 422, 507))
    def keep(drawing: NewDrawing) -> dict[str, str]:
        """Store a drawing."""
        kept = teacher.drawings.add(drawing.label, drawing.content())
        return {"id": kept.stem, "label": kept.parent.name}

    @paths.delete("/{name}", responses=problems(404, 422, 507))
    def delete(name: Annotated[str, "name of a stored drawing"]) -> dict[str, Any]:
        """Delete a drawing."""
        if not teacher.drawings.remove(name):
            raise RefusedError(404, "this drawing does not exist")
        return teacher.status()

    @paths.post("/learn", status_code=202, responses=problems(409))
    def learn() -> dict[str, Any]:
        """Start to learn from the drawings; GET /handwriting returns the progress."""
        teacher.learn()
        return teacher.status()

    @paths.post("/back", responses=problems(409, 507))
    def back() -> dict[str, Any]:
        """Return to the previous model."""
        teacher.back()
        return teacher.status()

    return paths
