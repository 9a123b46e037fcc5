"""Very many pictures: streaming, resumable, each answered exactly once; on this machine or on a cluster.

In the order of its story: `sources` finds the files, `plan` cuts them into shards, `reading` reads a shard, `shard`
answers it, `job` keeps the folder, has many shards answered at once and resumes where it stopped, `summary` says what
came of it: `tenfold.score.job.score(...)`.
"""

from tenfold import extras


def require_libraries(cluster: bool = False) -> None:
    """Raise `TenfoldError` if an optional package that scoring needs, or with `cluster` Dask, is not installed."""
    extras.require("score", "scoring")
    if cluster:
        extras.require("cluster", "a cluster")
