"""Own handwriting: drawings are kept, the model learns from them in seconds, and the user can go back.

It learns as `tenfold train --from RUN --data FOLDER` does: each drawing is classified by a model that never saw it, and
the loss of accuracy is measured on the validation pictures of the dataset of the first training.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field

from tenfold import files, frameworks, personal, predict, runs
from tenfold.data import catalog, folder
from tenfold.errors import TenfoldError
from tenfold.progress import Progress
from tenfold.runs import Run
from tenfold.scores import Score
from tenfold.serve.drawings import Drawings
from tenfold.serve.intake import RefusedError, refused

NEEDED = 10  # drawings, at least, to learn from
MODELS = ".models"  # in the folder of drawings: a run folder for each time that was learnt
VERSIONS = "versions.json"
THREAD = "learning a hand"
PNG = "data:image/png;base64,"
log = logging.getLogger(__name__)


class _Change(BaseModel):
    before: Score
    after: Score


class _Version(BaseModel):
    """A result of learning, as the page shows it."""

    name: str = Field(pattern=r"^[\w-]+$")
    own: _Change
    known: _Change | None
    seconds: float
    skipped: int
    dataset: str


class _Versions(BaseModel):
    """A `versions.json`: the hash of the weights that learning began with, and what came of it, the newest last."""

    base: str | None
    results: list[_Version]


class Teacher(Progress):
    """Trains models on the drawings, chooses the one that the service answers with, and keeps the progress."""

    def __init__(self, drawings: Drawings, base: Run | None, use: Callable[[Run | None], object]) -> None:
        """Teach `base`, None for an exported model; a model that it learnt in an earlier service is used at once.

        `use` makes the service answer with a run, or with its first model for None.
        """
        self.drawings, self._base, self._use = drawings, base, use
        self._models = drawings.folder / MODELS
        self._base_hash = runs.weights_hash(base.weights()) if base else None
        self._lock = Lock()
        self._learning: dict[str, Any] | None = None  # what it does, and how much of that is done
        self._trouble: str | None = None
        self._results = self._kept()
        if base and self._results:
            use(self._current())

    def status(self) -> dict[str, Any]:
        """Return all that the page shows."""
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
        """Begin to learn from the drawings, beside the service; `RefusedError` where that cannot be."""
        with self._lock:
            reason = "it is learning already" if self._learning else self._why_not(len(self.drawings.all()))
            if reason or self._base is None:
                raise RefusedError(409, reason or "")
            self._learning, self._trouble = {"title": "getting ready", "share": 0.0}, None
        Thread(target=self._learn, args=(self._base,), name=THREAD, daemon=True).start()

    def back(self) -> None:
        """Answer with the model before; `RefusedError` where there is none."""
        with self._lock:
            if self._learning:
                raise RefusedError(409, "it is learning; wait until that is done")
            if not self._results or self._base is None:
                raise RefusedError(409, "this is the model that it began with")
            self._results.pop()
            self._keep()
            self._use(self._current())

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Keep the progress of a task for the page."""

        def done(amount: float) -> None:
            self._learning = {"title": title, "share": min(1.0, amount / max(total, 1))}

        done(0)
        yield done

    def _why_not(self, count: int) -> str | None:
        if self._base is None:
            return "This model is an exported file, which cannot learn: start the service with a run folder."
        try:
            frameworks.require_installed(self._base.recipe.framework)
        except TenfoldError as error:
            return str(error)
        if count < NEEDED:
            return f"{count} of the {NEEDED} drawings that it needs at least; two or three of each class are better."
        return None

    def _learn(self, base: Run) -> None:
        """Fine-tune, evaluate, and use the new model; runs in a thread of its own."""
        try:
            dataset = catalog.find(base.recipe.dataset)
            drawings, skipped = folder.read(self.drawings.folder, like=dataset, progress=self)
            learnt = personal.personalise(base, drawings, runs.free_folder("personal", self._models), progress=self)
            result = learnt.document() | {"skipped": len(skipped), "dataset": dataset.title}
            with self._lock:
                self._results.append(result)
                self._keep()
                self._use(learnt.run)
        except TenfoldError as error:
            self._trouble = str(error)
        except Exception:
            log.exception("learning from drawings failed")
            self._trouble = "Learning failed; the log of the service says why."
        finally:
            self._learning = None

    def _current(self) -> Run | None:
        return Run(self._models / self._results[-1]["name"]) if self._results else None

    def _kept(self) -> list[dict[str, Any]]:
        """Return the results of learning that began with the same weights, the newest last."""
        path = self._models / VERSIONS
        if not path.is_file():
            return []
        kept = files.read_json(path, _Versions, "move it away to begin with the model as it was")
        results = kept.results if kept.base == self._base_hash else []
        there = [result for result in results if (self._models / result.name / runs.RECIPE).is_file()]
        return [result.model_dump(mode="json") for result in there]

    def _keep(self) -> None:
        files.write_json(self._models / VERSIONS, {"base": self._base_hash, "results": self._results})


class NewDrawing(BaseModel):
    """A drawing from the page, to be kept."""

    label: str = Field(max_length=20, description="the class that the drawing shows")
    picture: str = Field(max_length=400_000, description="a PNG as a data: URL")

    def content(self) -> bytes:
        """Return the bytes of the PNG; `RefusedError` where it is none."""
        try:
            return base64.b64decode(self.picture.removeprefix(PNG), validate=True)
        except binascii.Error:
            raise RefusedError(422, f"picture: it must be base64 after {PNG}") from None


def enable(app: FastAPI, store: Path, base: Run | None) -> None:
    """Let a service keep drawings in the folder `store` and its model learn from them."""
    began = app.state.reader  # it may answer as more than `base`: of a committee only the first learns

    def use(run: Run | None) -> None:
        app.state.reader = predict.open_reader(run.folder, threads=1) if run else began

    app.state.handwriting = True
    app.include_router(router(Teacher(Drawings(store, app.state.reader.model.classes), base, use)))


def router(teacher: Teacher) -> APIRouter:
    """Return the paths of own handwriting."""
    paths = APIRouter(prefix="/handwriting", tags=["handwriting"])

    @paths.get("")
    def status() -> dict[str, Any]:
        """Say how many drawings there are, whether it can learn, and what came of it."""
        return teacher.status()

    @paths.post("", status_code=201)
    def keep(drawing: NewDrawing) -> dict[str, str]:
        """Keep a drawing."""
        try:
            kept = teacher.drawings.add(drawing.label, drawing.content())
        except RefusedError:
            raise
        except TenfoldError as error:
            raise refused(error) from None
        return {"id": kept.stem, "label": kept.parent.name}

    @paths.delete("/{name}")
    def delete(name: Annotated[str, "of a drawing that was kept here"]) -> dict[str, Any]:
        """Delete a drawing."""
        if not teacher.drawings.remove(name):
            raise RefusedError(404, "there is no such drawing")
        return teacher.status()

    @paths.post("/learn", status_code=202)
    def learn() -> dict[str, Any]:
        """Begin to learn from the drawings; GET /handwriting says how far it is."""
        teacher.learn()
        return teacher.status()

    @paths.post("/back")
    def back() -> dict[str, Any]:
        """Answer with the model before."""
        teacher.back()
        return teacher.status()

    return paths
