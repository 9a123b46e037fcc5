"""Hyperparameter search: grid, random and Bayesian, with pruning, on all cores or a Dask cluster.

In the order of its story: `space` and `space_file` say what is searched, `study` what is asked and what came of it,
`storage` where that is kept, `cache` which trainings are known, `sampler` which trial is next, `trial` trains it,
`finalists` judge the best two on fresh seeds, `search` is the whole: `tenfold.tune.search.tune(...)`.
"""
