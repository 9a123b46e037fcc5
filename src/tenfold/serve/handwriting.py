"""Own handwriting: drawings are kept, the model learns from them in seconds, and one can go back.

Every third drawing, chosen by its content, is held out: no model ever learns from it, and on these a model is judged
before and after. What it forgets meanwhile of its own dataset shows on that one's validation pictures.
"""

import base64
import binascii
import importlib.util
import ipaddress
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from tenfold import evaluate, files, predict, runs, statistics
from tenfold.data.split import Samples
from tenfold.errors import DataError, TenfoldError, UsageError
from tenfold.frameworks import FRAMEWORKS
from tenfold.predict import Reader
from tenfold.progress import Silent
from tenfold.runs import Run
from tenfold.serve.drawings import Drawing, Drawings, FullError
from tenfold.serve.intake import RefusedError

TO_LEARN, TO_JUDGE = 10, 5  # drawings that are needed at least
MODELS = ".models"  # in the folder of drawings: a run folder for each time that was learnt
VERSIONS = "versions.json"
PREFIX = "data:image/png;base64,"
log = logging.getLogger("tenfold.serve")


class Teacher(Silent):
    """Keeps the drawings, has models learn from them, and says with which one the service answers.

    As a `Progress` it is told how far the learning is.
    """

    def __init__(self, drawings: Drawings, base: Run | None, use: Callable[[Run], Reader]) -> None:
        """Begin with the model that learnt last, if it began with `base`, which is None for an exported model.

        `use` makes the service answer with a run, and returns its reader.
        """
        self.drawings, self._base, self._use = drawings, base, use
        self._models = drawings.folder / MODELS
        self._base_hash = runs.weights_hash(base.weights()) if base else None
        self._lock = Lock()
        self._lesson: dict[str, Any] | None = None  # its title and how much of it is done
        self._trouble: str | None = None
        self._results = self._kept()
        if self._results:
            use(self._run())

    def status(self) -> dict[str, Any]:
        """Return all that the page shows."""
        drawings = self.drawings.all()
        held_out = sum(drawing.held_out for drawing in drawings)
        last = self.drawings.last()
        return {
            "folder": str(self.drawings.folder),
            "counts": {name: sum(one.label == name for one in drawings) for name in self.drawings.classes},
            "to_learn": len(drawings) - held_out,
            "held_out": held_out,
            "last": {"id": last.path.stem, "label": last.label} if last else None,
            "why_not": self._why_not(len(drawings) - held_out, held_out),
            "learning": self._lesson,
            "trouble": self._trouble,
            "result": self._results[-1] if self._results else None,
        }

    def learn(self) -> None:
        """Begin to learn from the drawings, beside the service; `RefusedError` where that cannot be."""
        with self._lock:
            drawings = self.drawings.all()
            parts: tuple[list[Drawing], list[Drawing]] = ([], [])
            for drawing in drawings:
                parts[drawing.held_out].append(drawing)
            if reason := self._why_not(len(parts[False]), len(parts[True])):
                raise RefusedError(409, reason)
            self._lesson, self._trouble = {"title": "looking at the drawings", "share": 0.0}, None
        Thread(target=self._learn, args=parts, daemon=True).start()

    def back(self) -> None:
        """Answer with the model before; `RefusedError` where there is none."""
        with self._lock:
            if self._lesson:
                raise RefusedError(409, "it is learning; wait until it is done")
            if not self._results:
                raise RefusedError(409, "this is the model that it began with")
            self._results.pop()
            self._keep()
            self._use(self._run())

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Callable[[float], None]]:
        """Be told of a piece of the work."""

        def done(amount: float) -> None:
            self._lesson = {"title": title, "share": amount / total}

        done(0)
        yield done

    def _why_not(self, to_learn: int, held_out: int) -> str | None:
        if self._base is None:
            return "This model is an exported file, which cannot learn. Start the service with a run folder."
        package = FRAMEWORKS[self._base.recipe.framework].packages[0]
        if importlib.util.find_spec(package) is None:
            extra = FRAMEWORKS[self._base.recipe.framework].extra
            return f"Learning needs {package}, which is not installed: pip install 'tenfold[{extra}]'"
        if self._lesson:
            return "It is learning already."
        if to_learn < TO_LEARN or held_out < TO_JUDGE:
            return (
                f"{to_learn} drawings to learn from and {held_out} held out to judge by; "
                f"{TO_LEARN} and {TO_JUDGE} are needed. Two rounds of ten will do."
            )
        return None

    def _learn(self, known: list[Drawing], held_out: list[Drawing]) -> None:
        """Fine-tune, judge, and answer with what came of it; runs in a thread of its own."""
        try:
            assert self._base is not None  # noqa: S101  # else `learn` refused
            before = self._run()
            folder = runs.free_folder("personal", self._models)
            after = personal.learn(self._base, self.drawings.samples(known), folder, self)
            judged = self.drawings.samples(held_out)
            result = {
                "run": folder.name,
                "learnt_from": len(known),
                "dataset": self._base.recipe.dataset,
                "drawings": {"before": _score(before, judged), "after": _score(after, judged)},
                "validation": {"before": _validation(before), "after": _validation(after)},
                "seconds": after.environment["train_seconds"],
            }
            with self._lock:
                self._results.append(result)
                self._keep()
                self._use(after)
        except TenfoldError as error:
            self._trouble = str(error)
        except Exception:
            log.exception("learning from the drawings failed")
            self._trouble = "It failed; the log of the service says why."
        finally:
            self._lesson = None

    def _run(self) -> Run:
        """Return the run that answers now."""
        assert self._base is not None  # noqa: S101  # an exported model has no results
        return Run(self._models / self._results[-1]["run"]) if self._results else self._base

    def _kept(self) -> list[dict[str, Any]]:
        """Return the results of what was learnt before from the same base, the newest last."""
        try:
            kept = json.loads((self._models / VERSIONS).read_text())
        except FileNotFoundError:
            return []
        return kept["results"] if kept["base"] == self._base_hash else []

    def _keep(self) -> None:
        files.write_json(self._models / VERSIONS, {"base": self._base_hash, "results": self._results})


def _score(run: Run, samples: Samples) -> dict[str, Any]:
    correct = int((evaluate.predict(run, samples.images).argmax(1) == samples.labels).sum())
    total = len(samples)
    interval = list(statistics.wilson_interval(correct, total))
    return {"correct": correct, "total": total, "accuracy": correct / total, "interval": interval}


def _validation(run: Run) -> dict[str, Any]:
    return _score(run, evaluate.validation_pictures(run))
