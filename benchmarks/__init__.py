"""Measurements for the documentation and EXPERIMENTS.md. Each prints its commit, machine and versions."""

from tenfold import runs
from tenfold.frameworks import FRAMEWORKS


def provenance(*frameworks: str) -> str:
    """Return commit, machine and versions in one line, to stand above every figure; PyTorch's if none is named."""
    here = runs.environment(package for name in frameworks or ("pytorch",) for package in FRAMEWORKS[name].packages)
    versions = " ".join(f"{name} {version}" for name, version in here["versions"].items())
    return f"commit {here['commit']}; {here['processor']}, {here['cores']} cores; Python {here['python']}; {versions}"
