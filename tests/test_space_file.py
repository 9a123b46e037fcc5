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
    """Whether a parameter of quick's can be what the recipe has: a search should be able to come back to it."""
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


@pytest.mark.parametrize(
    ("document", "fact"),
    [
        ({}, "empty"),
        ({"mlp.width": {"choices": [64, 128]}}, "empty"),  # of another network
        ({"learning_rat": GOOD}, "'learning_rate'"),
        ({"quick.widht": {"choices": [8]}}, "'quick.widht'"),
        ({"qiuck.width": {"choices": [8]}}, "'quick'"),
        ({"network": {"choices": ["quick", "mpl"]}}, "'mlp'"),
        ({"network": {"choices": ["quick", "mlp"]}, "network.kernel": {"choices": [3, 5]}}, "'network.kernel'"),
        ({"quick.network": {"choices": ["quick", "mlp"]}}, "'quick.network'"),
        ({"seed": {"low": 0, "high": 9}}, "seed"),
        ({"quick.seed": {"choices": [1, 2]}}, "seed"),
        ({"validation_size": {"choices": [1000, 2000]}}, "validation_size"),
        ({"dataset": {"choices": ["mnist", "fashion-mnist"]}}, "dataset"),
        ({"learning_rate": 0.1}, "table"),
        ({"learning_rate": {"low": 0.1}}, "low below its high"),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, "low below its high"),
        ({"learning_rate": {"low": True, "high": 2}}, "numbers"),
        ({"learning_rate": {"low": 0.1, "high": float("inf")}}, "numbers"),
        ({"learning_rate": {"low": float("nan"), "high": 1}}, "numbers"),
        ({"learning_rate": {"low": 0.1, "high": 11}}, "less than or equal to 10"),
        ({"weight_decay": {"low": 0, "high": 0.1, "log": True}}, "above 0"),
        ({"learning_rate": GOOD | {"log": True, "step": 0.01}}, "no step"),
        ({"learning_rate": GOOD | {"log": "no"}}, "true or false"),
        ({"learning_rate": GOOD | {"step": 0.01, "points": 3}}, "points"),
        ({"learning_rate": GOOD | {"points": 1}}, "points"),
        ({"learning_rate": GOOD | {"step": 0.04}}, "0.04"),
        ({"learning_rate": GOOD | {"step": 0}}, "steps of 0 "),
        ({"learning_rate": GOOD | {"lo": 1}}, "'low'"),
        ({"learning_rate": GOOD | {"choices": [0.1]}}, "exclude low, high"),
        ({"learning_rate": {"choices": []}}, "list of values"),
        ({"batch_size": {"choices": [64, 64.0]}}, "the same"),
        ({"batch_size": {"choices": [64, [128]]}}, "valid integer"),
        ({"schedule": {"choices": ["cosine", "linear"]}}, "schedule=linear"),
        ({"batch_size": {"low": 16.5, "high": 32}}, "whole number"),
        ({"quick.width": {"low": 0, "high": 8}}, "impossible network"),
        ({"learning_rate": GOOD, "quick.learning_rate": GOOD}, "quick.learning_rate"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(document, fact):
    with pytest.raises(UsageError, match=fact):
        space_file.parse(document, QUICK)


def test_two_networks_may_each_have_their_own_range_of_one_field():
    document = {
        "network": {"choices": ["quick", "mlp"]},
        "quick.learning_rate": GOOD,
        "mlp.learning_rate": {"low": 0.001, "high": 0.01},
    }
    space = space_file.parse(document, QUICK)
    assert space.recipe({"network": "mlp", "mlp.learning_rate": 0.005}).learning_rate == 0.005
    with pytest.raises(UsageError, match="both set learning_rate"):
        space_file.parse(document | {"learning_rate": GOOD}, QUICK)


@pytest.mark.parametrize("content", [b"[seed]\nlow = 1\nhigh = 2\n", b"learning_rate = [0.1", b"\xff\xfe", None])
def test_the_message_names_the_file(tmp_path, content):
    path = tmp_path / "space.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"space\.toml"):
        space_file.load(path, QUICK)
