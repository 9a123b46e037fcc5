"""The state of this machine, and advice on what is missing."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tenfold import extras, frameworks, recipes, runs
from tenfold.data import catalog, download
from tenfold.errors import TenfoldError
from tenfold.frameworks import FRAMEWORKS

ROOM = 1_000_000_000  # bytes that should be free: enough for a dataset and the runs of several days
PATIENCE = 5.0  # seconds to wait for the driver of the GPU


@dataclass(frozen=True)
class Finding:
    """One aspect of the machine: subject, state and, if something is missing, advice.

    `fine` is False for a problem that must be fixed before Tenfold can work.
    """

    subject: str
    state: str
    advice: str | None = None
    fine: bool = True


def examine(workspace: Path, probe: bool = False) -> list[Finding]:
    """Return the state of this machine, for runs in `workspace`, without downloading anything.

    No framework is imported unless `probe` is set. Then each also reports its device, its threads and its precision for
    the named recipes, which takes seconds, and remembers the precisions for later trainings.
    """
    here = runs.environment()
    return [
        Finding("program", f"Tenfold {here['versions']['tenfold']} on Python {here['python']}, {here['platform']}"),
        Finding("processor", f"{here['processor']}, {here['cores']} cores"),
        Finding("threads", _threads()),
        Finding("gpu", _gpu()),
        *(_framework(name, probe) for name in FRAMEWORKS),
        *(_extra(name) for name in extras.EXTRAS if name not in FRAMEWORKS),
        *map(_dataset, catalog.CATALOG),
        _folder("cache", download.cache_folder(catalog.MNIST).parent, "TENFOLD_CACHE"),
        _folder("runs", workspace, "--out"),
    ]


def _threads() -> str:
    count = os.environ.get("OMP_NUM_THREADS", "one per core")
    if policy := os.environ.get("OMP_WAIT_POLICY"):
        return f"{count}; waiting ones follow OMP_WAIT_POLICY={policy}"
    return f"{count}; a waiting one sleeps after {os.environ['GOMP_SPINCOUNT']} spins (GOMP_SPINCOUNT)"


def _gpu() -> str:
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return "Apple's (mps)"
    try:
        command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    except (OSError, subprocess.SubprocessError):
        return "none found"
    return "; ".join(found.splitlines()) or "none found"


def _framework(name: str, probe: bool) -> Finding:
    """Return the versions of a framework, and with `probe` also its device, threads and precision per named recipe."""
    try:
        frameworks.require_installed(name)
        versions = runs.versions(FRAMEWORKS[name].packages)
        state = ", ".join(f"{package} {version}" for package, version in versions.items())
        if not probe:
            return Finding(name, state)
        named = {title: recipes.replace(make(), framework=name) for title, make in recipes.RECIPES.items()}
        here = {title: frameworks.environment(recipe, "auto") for title, recipe in named.items()}
    except TenfoldError as error:
        return Finding(name, "cannot train here" if name == "pytorch" else "not usable here (optional)", str(error))
    one, *_ = here.values()
    trains = ", ".join(f"{title} in {machine['precision']}" for title, machine in here.items())
    return Finding(name, f"{state} on {one['device']}, {one['threads']} threads; trains {trains}")


def _extra(name: str) -> Finding:
    if missing := extras.missing(name):
        return Finding(name, f"without {', '.join(missing)}", extras.hint(name))
    return Finding(name, "installed")


def _dataset(name: str) -> Finding:
    known = catalog.find(name)
    damaged = download.missing_files(known)
    if not damaged:
        return Finding(name, f"verified in {download.cache_folder(known)}")
    some = f"missing or damaged: {', '.join(file.name for file in damaged)}"
    return Finding(name, "not here yet" if len(damaged) == len(known.files) else some, f"tenfold data {name}")


def _folder(subject: str, folder: Path, setting: str) -> Finding:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    state = f"{folder}, {free / 1e9:.1f} GB free"
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Finding(subject, f"{folder} cannot be written", f"choose another folder with {setting}", fine=False)
    if free < ROOM:
        return Finding(subject, state, f"free some space, or choose another folder with {setting}", fine=False)
    return Finding(subject, state)
