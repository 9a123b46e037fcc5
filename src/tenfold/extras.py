"""Optional packages: the extra that installs each, and a clear error if one is missing."""

from importlib.util import find_spec

from tenfold.errors import TenfoldError

# For each extra, the packages that Tenfold imports: module name to distribution name.
EXTRAS = {
    "train": {"torch": "torch", "sklearn": "scikit-learn"},
    "tensorflow": {"tensorflow": "tensorflow", "keras": "keras"},
    "report": {"matplotlib": "matplotlib", "jinja2": "jinja2"},
    "tune": {"optuna": "optuna"},
    "postgres": {"psycopg": "psycopg"},
    "serve": {
        "fastapi": "fastapi",
        "uvicorn": "uvicorn",
        "httptools": "httptools",
        "multipart": "python-multipart",
        "prometheus_client": "prometheus-client",
    },
    "score": {"pyarrow": "pyarrow", "fsspec": "fsspec"},
    "cluster": {"distributed": "distributed"},
    "tensorboard": {"tensorboardX": "tensorboardX"},
}


def hint(extra: str) -> str:
    """Return the command that installs an extra from the checkout; the package index has no release."""
    return f"pip install -e '.[{extra}]'"


def missing(extra: str, *modules: str) -> list[str]:
    """Return the distributions of an extra, or of some of its `modules`, that are not installed."""
    return [EXTRAS[extra][module] for module in modules or EXTRAS[extra] if find_spec(module) is None]


def require(extra: str, work: str, *modules: str) -> None:
    """Raise `TenfoldError` if an extra that `work` needs, or some of its `modules`, is not installed."""
    if names := missing(extra, *modules):
        raise TenfoldError(f"{work} needs {', '.join(names)}; in the checkout of Tenfold, run: {hint(extra)}")
