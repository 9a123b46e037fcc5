"""Networks as tuples of layers: what they are, before any framework runs them.

A network is made by a function of its hyperparameters (`quick(width=16)`). From the tuple alone follow the shapes,
the parameters with their names, the multiply-adds and the initial weights, the same for every framework.
"""

from tenfold.networks.known import NETWORKS, arguments, build, deep, keras_example, lenet5, mlp, quick, standard, tiny
from tenfold.networks.layers import (
    INPUT,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    MaxPool,
    Network,
    Norm,
    Relu,
    Shape,
    Summary,
    multiply_adds,
    parameter_count,
    summarise,
    training_multiply_adds,
)
from tenfold.networks.weights import check_weights, initial_weights, weight_shapes

__all__ = [
    "INPUT",
    "NETWORKS",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalPool",
    "Layer",
    "MaxPool",
    "Network",
    "Norm",
    "Relu",
    "Shape",
    "Summary",
    "arguments",
    "build",
    "check_weights",
    "deep",
    "initial_weights",
    "keras_example",
    "lenet5",
    "mlp",
    "multiply_adds",
    "parameter_count",
    "quick",
    "standard",
    "summarise",
    "tiny",
    "training_multiply_adds",
    "weight_shapes",
]
