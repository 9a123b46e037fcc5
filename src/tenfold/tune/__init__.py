"""Hyperparameter search: grid, random and Bayesian, with pruning, on many processes and machines.

In the order of its story: `space` and `space_file` say what is searched, `study` what is asked and what came of it,
`storage` where that is kept and `locks` who may write, `memo` what was paid for, `drawing` which trial is next,
`worker` trains it, `finalists` judge the best two on fresh seeds, `search` is the whole:
`tenfold.tune.search.tune(...)`.
"""
