"""Spaces as TOML files: those that come with Tenfold, and what is refused in one's own."""

import pytest

from tenfold import architectures, recipes
from tenfold.errors import UsageError
from tenfold.tune import space_file

QUICK = recipes.quick()
BASES = ["quick", "standard", "mlp"]
GOOD = {"low": 0.01, "high": 0.1}


def _base(network):
    return recipes.override(QUICK, [f"network={network}"])


@pytest.mark.parametrize("network", architectures.NETWORKS)
@pytest.mark.parametrize("file", sorted(space_file.SPACES.iterdir()), ids=lambda path: path.stem)
def test_the_spaces_that_come_along_are_for_every_network(file, network):
    space = space_file.load(file, _base(network))
    assert {parameter.network for parameter in space.parameters} <= {None, network}
    assert any(parameter.key == "learning_rate" for parameter in space.parameters)
    if network in BASES:
        assert f"{network}.width" in space.document


@pytest.mark.parametrize("network", BASES)
def test_the_grid_that_comes_along_has_36_points(network):
    space = space_file.load(space_file.default("grid"), _base(network))
    points = space.grid()
    assert len(points) == len({space.recipe(point).hash for point in points}) == 36


def test_the_default_space_is_for_those_who_do_not_know_their_grid():
    assert space_file.default("tpe") == space_file.default("random") != space_file.default("grid")
    space = space_file.load(space_file.default("tpe"), QUICK)
    assert {"quick.width", "quick.depth", "quick.kernel", "quick.dropout"} <= space.document.keys()
    assert all(_holds(parameter) for parameter in space.parameters)


def _holds(parameter):
    """Return True if the search can choose the value that the recipe has."""
    key = parameter.key.removeprefix("network.")
    value = getattr(QUICK, key, None)
    value = architectures.arguments("quick")[key].default if value is None else value
    return value in parameter.choices or parameter.low <= value <= parameter.high


def test_a_file_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        """
        [network]
        choices = ["quick", "mlp"]
        [network.width]       # both have one
        choices = [16, 32]
        [quick.learning_rate]
        low = 0.01
        high = 0.1
        log = true
        [mlp]                 # a table in a table
        depth = { low = 1, high = 3 }
        [standard.width]      # of a network that cannot be drawn
        choices = [8]
        """
    )
    parameters = {parameter.name: parameter for parameter in space_file.load(path, QUICK).parameters}
    assert list(parameters) == ["network", "network.width", "quick.learning_rate", "mlp.depth"]
    assert [p.network for p in parameters.values()] == [None, None, "quick", "mlp"]
    assert [p.key for p in parameters.values()] == ["network", "network.width", "learning_rate", "network.depth"]
    assert [p.integer for p in parameters.values()] == [False, True, False, True]
    assert (parameters["quick.learning_rate"].log, parameters["mlp.depth"].log) == (True, False)


NOTHING = [{}, {"mlp.width": {"choices": [64, 128]}}]  # the second is of another network
WRONG_KEYS = [
    *({"learning_rat": GOOD}, {"quick.widht": {"choices": [8]}}, {"qiuck.width": {"choices": [8]}}),
    *({"network": {"choices": ["quick", "mpl"]}}, {"quick.network": {"choices": ["quick", "mlp"]}}),
    {"network.kernel": {"choices": [3, 5]}, "network": {"choices": ["quick", "mlp"]}},
    *({"seed": {"low": 0, "high": 9}}, {"quick.seed": {"choices": [1, 2]}}),
    *({"validation_size": {"choices": [1000, 2000]}}, {"dataset": {"choices": ["mnist", "fashion-mnist"]}}),
    {"quick.learning_rate": GOOD, "learning_rate": GOOD},
]
WRONG_RANGES = [
    *(0.1, {"low": 0.1}, {"low": 0.1, "high": 0.1}, {"low": True, "high": 2}, {"low": 0.1, "high": float("inf")}),
    *({"low": float("nan"), "high": 1}, {"low": 0.1, "high": 11}, {"low": 0, "high": 0.1, "log": True}),
    *(GOOD | {"log": True, "step": 0.01}, GOOD | {"log": "no"}, GOOD | {"step": 0.01, "points": 3}),
    *(GOOD | {"points": 1}, GOOD | {"step": 0.04}, GOOD | {"step": 0}, GOOD | {"lo": 1}, GOOD | {"choices": [0.1]}),
]
WRONG_VALUES = [
    *({"learning_rate": {"choices": []}}, {"batch_size": {"choices": [64, 64.0]}}),
    *({"batch_size": {"choices": [64, [128]]}}, {"schedule": {"choices": ["cosine", "linear"]}}),
    {"batch_size": {"low": 16.5, "high": 32}},
]


@pytest.mark.parametrize(
    "document", [*NOTHING, *WRONG_KEYS, *({"learning_rate": one} for one in WRONG_RANGES), *WRONG_VALUES], ids=str
)
def test_a_space_that_makes_no_sense_is_refused(document):
    """And the parameter is named."""
    key = next(iter(document), "") if document not in NOTHING else "empty"
    with pytest.raises(UsageError, match=key.replace(".", "|")):
        space_file.parse(document, QUICK)


@pytest.mark.parametrize("content", [b"[seed]\nlow = 1\nhigh = 2\n", b"learning_rate = [0.1", b"\xff\xfe", None])
def test_the_message_names_the_file(tmp_path, content):
    path = tmp_path / "space.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"space\.toml"):
        space_file.load(path, QUICK)
