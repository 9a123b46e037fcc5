"""Hyperparameter search: grid, random and TPE, with pruning, on all cores or a Dask cluster.

Read in this order: `space` and `space_file` hold the search space, `study` the question and its results, `storage`
stores them, `cache` remembers earlier trainings, `sampler` chooses the next trial, `trial` trains it, `finalists`
compares the best two on fresh seeds, and `search` runs the whole: `tenfold.tune.search.tune(...)`.
"""
