"""Very many pictures: streaming, resumable, each answered exactly once; on this machine or on a cluster.

In the order of its story: `sources` finds the files, `plan` cuts them into shards, `reading` reads a shard, `shard`
answers it, `machine` and `cluster` have that done by many, `job` keeps the folder and goes on where it stopped,
`summary` says what came of it: `tenfold.score.job.score(...)`.
"""

from importlib.util import find_spec

from tenfold.errors import TenfoldError


def require_libraries(cluster: bool = False) -> None:
    """Raise `TenfoldError` naming the extra where what reads and writes, or with `cluster` Dask, is not installed."""
    for name in ("pyarrow", "fsspec"):
        if find_spec(name) is None:
            raise TenfoldError(f"scoring needs {name}, which is not installed: pip install 'tenfold[score]'")
    if cluster and find_spec("distributed") is None:
        raise TenfoldError("a cluster needs Dask, which is not installed: pip install 'tenfold[cluster]'")
