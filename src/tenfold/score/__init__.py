"""Classify large collections: streaming and resumable, each picture exactly once, in parallel or on a cluster.

Read in this order: `sources` finds the files, `plan` divides them into shards, `reading` reads a shard, `shard` answers
it, `job` manages the folder and submits the shards, `summary` counts: `tenfold.score.job.score(...)`.
"""
