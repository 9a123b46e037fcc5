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


def test_the_network_is_drawn_before_what_depends_on_it():
    document = {"mlp.depth": {"choices": [1, 2]}, "learning_rate": GOOD, "network": {"choices": ["quick", "mlp"]}}
    assert space_file.parse(document, QUICK).parameters[0].name == "network"


def test_whole_numbers_may_be_written_with_a_point():
    (parameter,) = space_file.parse({"quick.width": {"low": 8.0, "high": 12.0, "points": 3.0}}, QUICK).parameters
    assert parameter.grid() == (8, 10, 12)
    assert all(isinstance(value, int) for value in parameter.grid())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "the space is empty"),
        ({"mlp.width": {"choices": [64, 128]}}, "the space is empty"),  # of another network
        ({"learning_rat": GOOD}, "did you mean 'learning_rate'"),
        ({"quick.widht": {"choices": [8]}}, "unknown parameter 'quick.widht'"),
        ({"network.depht": {"choices": [8]}}, "did you mean 'network.depth'"),
        ({"qiuck.width": {"choices": [8]}}, "did you mean 'quick'"),
        ({"network": {"choices": ["quick", "mpl"]}}, "did you mean 'mlp'"),
        ({"network": {"choices": [1, 2]}}, "unknown network '1'"),
        ({"network": {"choices": ["quick", "mlp"]}, "network.kernel": {"choices": [3, 5]}}, "'network.kernel'"),
        ({"quick.network": {"choices": ["quick", "mlp"]}}, "unknown parameter 'quick.network'"),
        ({"seed": {"low": 0, "high": 9}}, "seed is no hyperparameter"),
        ({"quick.seed": {"choices": [1, 2]}}, "seed is no hyperparameter"),
        ({"validation_size": {"choices": [1000, 2000]}}, "validation_size is no hyperparameter"),
        ({"train_size": {"choices": [1000, 2000]}}, "train_size is no hyperparameter"),
        ({"dataset": {"choices": ["mnist", "fashion-mnist"]}}, "dataset is no hyperparameter"),
        ({"initial_weights": {"choices": ["0" * 64]}}, "unknown parameter"),
        ({"learning_rate": 0.1}, "learning_rate is not a table"),
        ({"learning_rate": {}}, "needs a low below its high"),
        ({"learning_rate": {"low": 0.1}}, "needs a low below its high"),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, "needs a low below its high"),
        ({"learning_rate": {"low": 0.2, "high": 0.1}}, "needs a low below its high"),
        ({"learning_rate": {"low": "a", "high": 0.1}}, "are numbers"),
        ({"learning_rate": {"low": True, "high": 2}}, "are numbers"),
        ({"learning_rate": {"low": 0.1, "high": float("inf")}}, "are numbers"),
        ({"learning_rate": {"low": float("nan"), "high": 1}}, "are numbers"),
        ({"learning_rate": {"low": 0.0, "high": 0.1}}, "learning_rate=0.0: input should be greater than 0"),
        ({"learning_rate": {"low": 0.1, "high": 11}}, "less than or equal to 10"),
        ({"weight_decay": {"low": 0, "high": 0.1, "log": True}}, "begins above 0"),
        ({"learning_rate": GOOD | {"log": True, "step": 0.01}}, "and has no step"),
        ({"learning_rate": GOOD | {"log": "no"}}, "log is true or false"),
        (
            {"learning_rate": GOOD | {"step": 0.01, "points": 3}},
            "points is a whole number from 2 up, where there is no",
        ),
        ({"learning_rate": GOOD | {"points": 1}}, "points is a whole number from 2 up"),
        ({"learning_rate": GOOD | {"points": 2.5}}, "points is a whole number from 2 up"),
        ({"learning_rate": GOOD | {"step": 0.04}}, "no steps of 0.04 lead from 0.01 to 0.1"),
        ({"learning_rate": GOOD | {"step": 0}}, "no steps of 0 lead"),
        ({"learning_rate": GOOD | {"step": 1}}, "no steps of 1 lead"),
        ({"learning_rate": GOOD | {"lo": 1}}, "did you mean 'low'"),
        ({"learning_rate": GOOD | {"choices": [0.1]}}, "exclude low, high"),
        ({"learning_rate": {"choices": []}}, "choices are a list of values"),
        ({"learning_rate": {"choices": 0.1}}, "choices are a list of values"),
        ({"batch_size": {"choices": [64, 64]}}, "two of its values are the same"),
        ({"batch_size": {"choices": [64, 64.0]}}, "two of its values are the same"),
        ({"batch_size": {"choices": [64, [128]]}}, "valid integer"),
        ({"schedule": {"choices": ["cosine", "linear"]}}, "schedule=linear"),
        ({"schedule": {"low": 1, "high": 2}}, "schedule=1"),
        ({"batch_size": {"low": 16.5, "high": 32}}, "is a whole number, and so are its low, high and step"),
        ({"batch_size": {"low": 16, "high": 32, "step": 0.5}}, "is a whole number, and so are its low"),
        ({"quick.width": {"low": 0, "high": 8}}, "impossible network"),
        ({"quick.depth": {"choices": [1, 2]}}, "depth of 2 or more"),
        ({"learning_rate": GOOD, "quick.learning_rate": GOOD}, "learning_rate and quick.learning_rate both set"),
        ({"network.width": {"choices": [8]}, "quick.width": {"choices": [9]}}, "both set network.width"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(document, message):
    with pytest.raises(UsageError, match=message):
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


def test_the_message_names_the_file(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text("[seed]\nlow = 1\nhigh = 2\n")
    with pytest.raises(UsageError, match=r"space\.toml: seed is no hyperparameter"):
        space_file.load(path, QUICK)
    path.write_text("learning_rate = [0.1")
    with pytest.raises(UsageError, match=r"space\.toml is not TOML"):
        space_file.load(path, QUICK)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"space\.toml is not TOML"):
        space_file.load(path, QUICK)
    with pytest.raises(UsageError, match=f"those that come with Tenfold lie in {space_file.SPACES}"):
        space_file.load(tmp_path / "missing.toml", QUICK)
