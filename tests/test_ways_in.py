"""Every way to install Tenfold, and every verb in each.

The base install is made for real. For an extra, an environment that has everything hides the packages which that extra
does not bring: seven fresh environments take ten minutes. `.ci/run` checks the one that `make run` makes.
"""

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ways_in
from hiding import hiding
from tenfold import extras

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = PROJECT["optional-dependencies"]
USERS = [name for name in DECLARED if name not in ("all", "docs", "notebooks", "dev")]


def brought(extra: str) -> set[str]:
    """Return the names of the distributions that an extra of Tenfold brings, the base included."""
    seen: set[tuple[str, str]] = set()
    wanted = [(Requirement(f"tenfold[{extra}]"), "")]
    while wanted:
        requirement, asked_by = wanted.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": asked_by}):
            continue
        name = canonicalize_name(requirement.name)
        for one in ["", *requirement.extras]:
            if (name, one) not in seen:
                seen.add((name, one))
                wanted += [(Requirement(text), one) for text in distribution(name).requires or []]
    return {name for name, _ in seen}


@pytest.fixture
def problems(run, tmp_path):
    """`problems(names, ...)` is what is wrong with the verbs where these distributions are all that can be imported."""

    def find(names, *words):
        owners = {module: set(map(canonicalize_name, some)) for module, some in packages_distributions().items()}
        modules = {module for module, some in owners.items() if not some & names}
        (tmp_path / "sitecustomize.py").write_text(hiding(modules))
        installed = [extra for extra, needed in extras.EXTRAS.items() if not modules & set(needed)]
        command = [
            sys.executable,
            ways_in.__file__,
            "--run",
            str(run.folder),
            "--here",
            sys.executable,
            *installed,
            *words,
        ]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
        return done.stdout if done.returncode else ""

    return find


@pytest.mark.slow
@pytest.mark.parametrize("extra", USERS)
def test_each_extra_works_alone(extra, problems):
    """With the jobs that need it; the base install does all the others."""
    assert problems(brought(extra), "--about", extra) == ""


@pytest.mark.slow
@pytest.mark.parametrize("several", sorted({tuple(needs) for _, needs in ways_in.JOBS if len(needs) > 1}))
def test_jobs_that_need_several_extras_work(several, problems):
    assert problems(brought("all"), "--about", *several) == ""


@pytest.mark.slow
def test_the_base_install_works(run, tmp_path):
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True, symlinks=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", str(ROOT)]
    subprocess.run(install, check=True, capture_output=True)
    checked = subprocess.run(
        [python, ways_in.__file__, "--run", run.folder, "--here", python], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_extras_are_the_same_in_pyproject_the_hints_and_the_documentation():
    assert set(extras.EXTRAS) == set(USERS)
    for extra, modules in extras.EXTRAS.items():
        declared = {Requirement(text).name for text in DECLARED[extra]}
        assert set(modules.values()) <= declared, extra
    table = re.findall(r"^\| `(.+?)` \|", (ROOT / "docs" / "setup.md").read_text(), re.MULTILINE)
    assert set(table) == set(DECLARED)


def test_requirements_are_those_of_the_extras():
    """`requirements-run.txt` is what `train` and `report` bring, `requirements.txt` what `all` brings."""
    for file, extra in (("requirements-run.txt", "train,report"), ("requirements.txt", "all")):
        lines = (ROOT / file).read_text() + (ROOT / "requirements-run.txt").read_text()
        pinned = {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", lines, re.MULTILINE)}
        names = set().union(*map(brought, extra.split(",")))
        assert names - {"tenfold", "setuptools"} == pinned  # pip takes setuptools for a part of itself
