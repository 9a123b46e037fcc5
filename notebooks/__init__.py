"""The course: percent sources, and the notebooks that `make notebooks` makes of them."""
