"""Is this machine ready? What it has, which precision pays on it, what is missing and how to get it."""

import os
import shutil
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tenfold import frameworks, recipes, runs
from tenfold.data import catalog, download
from tenfold.errors import TenfoldError
from tenfold.frameworks import FRAMEWORKS

ROOM = 1_000_000_000  # bytes that should be free: a dataset, and runs for some days
EXTRAS = {
    "report": ("matplotlib", "jinja2"),
    "tune": ("optuna",),
    "postgres": ("psycopg",),
    "score": ("pyarrow", "fsspec"),
    "cluster": ("distributed",),
}


@dataclass(frozen=True)
class Finding:
    """Something looked at: what it is, how it is, and, where it could be better, what to do.

    Not `fine` is what stands in the way of the main job.
    """

    subject: str
    state: str
    advice: str | None = None
    fine: bool = True

    def document(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return asdict(self)


def examine(workspace: Path) -> list[Finding]:
    """Return what is found on this machine, with runs going to `workspace`. Fetches nothing and writes nothing."""
    here = runs.environment()
    return [
        Finding("program", f"Tenfold {here['versions']['tenfold']} on Python {here['python']}, {here['platform']}"),
        Finding("processor", f"{here['processor']}, {here['cores']} cores"),
        *map(_framework, FRAMEWORKS),
        *(_extra(name, packages) for name, packages in EXTRAS.items()),
        *map(_dataset, catalog.CATALOG),
        _folder("cache", download.cache_folder(catalog.MNIST).parent, "TENFOLD_CACHE"),
        _folder("runs", workspace, "--out"),
    ]


def _framework(name: str) -> Finding:
    """Return how a framework would train: its versions, device, threads, and precision for each named recipe."""
    try:
        framework = frameworks.load(name)
    except TenfoldError as error:
        return Finding(name, "cannot train here", str(error))
    device = framework.choose_device("auto")
    here = frameworks.environment(name, device)
    versions = [
        f"{package} {here['versions'][package]}" for package in FRAMEWORKS[name].packages if package in here["versions"]
    ]
    found = {name: make() for name, make in recipes.RECIPES.items()}
    alike = {(recipe.layers(), recipe.batch_size): recipe for recipe in found.values()}  # as strong and best are
    measured = {key: frameworks.choose_precision(recipe, framework, device) for key, recipe in alike.items()}
    precisions = [f"{name} in {measured[recipe.layers(), recipe.batch_size]}" for name, recipe in found.items()]
    return Finding(
        name, f"{', '.join(versions)} on {device}, {here['threads']} threads; trains {', '.join(precisions)}"
    )


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        return Finding(name, f"without {', '.join(missing)}", f"pip install 'tenfold[{name}]'")
    return Finding(name, "installed")


def _dataset(name: str) -> Finding:
    known = catalog.find(name)
    damaged = download.missing_files(known)
    if not damaged:
        return Finding(name, f"verified in {download.cache_folder(known)}")
    return Finding(name, f"not here: {', '.join(file.name for file in damaged)}", f"tenfold data {name}")


def _folder(subject: str, folder: Path, setting: str) -> Finding:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    state = f"{folder}, {free / 1e9:.1f} GB free"
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding(subject, f"{folder} cannot be written", f"choose another folder with {setting}", fine=False)
    if free < ROOM:
        return Finding(subject, state, f"make room, or choose another folder with {setting}", fine=False)
    return Finding(subject, state)
