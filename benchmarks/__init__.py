"""Measurements behind what README and EXPERIMENTS.md say; each prints where and on what it ran."""

from tenfold import runs


def provenance() -> str:
    """Return commit, machine and versions in one line, to stand above every figure."""
    here = runs.environment()
    versions = " ".join(f"{name} {version}" for name, version in here["versions"].items())
    return f"commit {here['commit']}; {here['processor']}, {here['cores']} cores; Python {here['python']}; {versions}"
