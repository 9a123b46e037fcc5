"""Classification of large collections: streaming, resumable, each picture exactly once; in parallel, or on a cluster.

Read in this order: `sources` finds the files, `plan` cuts them into shards, `reading` reads a shard, `shard` answers
it, `job` keeps the folder and submits the shards, `summary` counts: `tenfold.score.job.score(...)`.
"""

from tenfold import extras


def require_libraries(cluster: bool = False) -> None:
    """Raise `TenfoldError` if an optional package that scoring needs, or with `cluster` Dask, is not installed."""
    extras.require("score", "scoring")
    if cluster:
        extras.require("cluster", "a cluster")
