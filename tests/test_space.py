"""Search spaces: values, grids, neighbourhoods; spaces of every kind, from Hypothesis."""

import math

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold import recipes
from tenfold.errors import UsageError
from tenfold.tune import space_file
from tenfold.tune.sampler import suggested
from tenfold.tune.space import Parameter

optuna.logging.set_verbosity(optuna.logging.WARNING)
QUICK = recipes.quick()
NETWORKS = ["quick", "mlp", "standard"]
WIDTHS = st.sampled_from([{"choices": [8, 12, 24]}, {"low": 8, "high": 24, "step": 4}, {"low": 3, "high": 90}])


def _parameter(**settings):
    return space_file.parse({"learning_rate": settings}, QUICK).parameters[0]


@st.composite
def ranges(draw, low, high, integer=False, log=True):
    """A range of numbers between two bounds: plain, in steps or logarithmic, with or without points for a grid."""
    number = st.integers(low, high) if integer else st.floats(low, high).map(lambda value: float(f"{value:.6g}"))
    ends = sorted(draw(st.lists(number, min_size=2, max_size=2, unique=True)))
    kind = draw(st.sampled_from(["plain", "points", "step", *(["log"] if log and ends[0] > 0 else [])]))
    if kind == "step":
        step = draw(st.integers(1, 50)) if integer else draw(st.sampled_from([0.1, 0.05, 0.3, 0.007]))
        first = ends[0] if integer else round(ends[0], 3) or 0.001
        last = first + step * draw(st.integers(1, 9))
        return {"low": first, "high": last if integer else round(last, 3), "step": step}
    extra = {"plain": {}, "points": {"points": 5}, "log": {"log": True}}[kind]
    return {"low": ends[0], "high": ends[1]} | extra


@st.composite
def documents(draw):
    """A space as its file has it: shared fields, a network to choose, arguments for one network or for all."""
    network = draw(st.sampled_from([None, *NETWORKS]))
    chosen = [network] if network else draw(st.lists(st.sampled_from(NETWORKS), min_size=2, unique=True))
    fields = {
        "learning_rate": ranges(1e-4, 0.5),
        "weight_decay": ranges(0, 2),
        "batch_size": ranges(16, 500, integer=True) | st.just({"choices": [64, 100, 128]}),
        "schedule": st.just({"choices": ["one-cycle", "cosine"]}),
        "label_smoothing": st.just({"low": 0, "high": 0.3, "step": 0.1}),
    }
    for one in chosen:
        fields[f"{one}.width"] = WIDTHS
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, unique=True))
    document = {name: draw(fields[name]) for name in names}
    if network is None:
        document["network"] = {"choices": chosen}
    return document, network or "quick"


def _space(drawn):
    document, network = drawn
    return space_file.parse(document, recipes.override(QUICK, [f"network={network}"]))


spaces = documents().map(_space)


def _points(space, count=3):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [suggested(study.ask(), space) for _ in range(count)]


@given(spaces)
def test_a_space_is_what_its_document_says(space):
    assert space_file.parse(space.document, space.base) == space


@given(spaces)
def test_each_point_that_is_drawn_is_a_recipe_and_nothing_else_changes(space):
    drawn = {parameter.key.partition(".")[0] for parameter in space.parameters} | {"network_arguments"}
    for point in _points(space):
        recipe = space.recipe(point)
        kept = recipe.model_dump(exclude=drawn)
        assert kept == space.base.model_dump(exclude=drawn)
        for parameter in space.active(point):
            drawn_again = recipes.override(recipe, [f"{parameter.key}={parameter.exact(point[parameter.name])}"])
            assert drawn_again == recipe
            if values := parameter.values():
                assert parameter.exact(point[parameter.name]) in values
        assert {parameter.name for parameter in space.active(point)} == point.keys()


def test_the_neighbourhood_of_a_range_wider_than_a_float_holds():
    narrow = Parameter("rate", "learning_rate", low=1e-310, high=1.0, log=True).around(1e-3)
    assert narrow.low > 1e-50


@given(spaces)
def test_around_a_recipe_is_narrower_and_has_it_inside(space):
    (point,) = _points(space, 1)
    winner = space.recipe(point)
    try:
        near = space.around(recipes.replace(winner, seed=3))
    except UsageError:
        narrowable = [p for p in space.active(point) if p.key != "network"]
        assert all(p.around(p.exact(point[p.name])) is None for p in narrowable)
        return
    assert near.base == winner
    assert space_file.parse(near.document, near.base) == near  # and so it can be asked and kept
    before = {parameter.name: parameter for parameter in space.parameters}
    for parameter in near.parameters:
        old, value = before[parameter.name], before[parameter.name].exact(point[parameter.name])
        assert near.recipe({p.name: before[p.name].exact(point[p.name]) for p in near.parameters}) == winner
        if parameter.choices:
            assert set(parameter.choices) <= set(old.choices)
            assert value in parameter.choices
            continue
        assert old.low <= parameter.low <= value <= parameter.high <= old.high
        if parameter.step is not None:
            assert value in parameter.values()
            assert set(parameter.values()) <= set(old.values())
        size = math.log if old.log else float
        wide, narrow = (size(p.high) - size(p.low) for p in (old, parameter))
        step = max(parameter.step or 0, 1 if parameter.integer else 0)
        rounded = 2 * math.log(1 + 0.6 / old.low) if old.log and old.integer else 2 * step
        assert narrow <= wide / 4 + rounded + 2e-3 * (1 if old.log else old.high)


def test_steps_are_those_that_are_written():
    values = _parameter(low=0.1, high=0.7, step=0.1).values()
    assert values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # sums of floats have 0.30000000000000004 and stop at 0.6
    assert _parameter(low=0.2, high=0.3, step=0.1).values() == (0.2, 0.3)
    assert _parameter(low=0.1, high=0.7, step=0.1).exact(0.1 + 0.1 + 0.1) == 0.3


def test_a_grid_has_both_ends_and_equal_distances():
    assert _parameter(low=0.1, high=0.5, points=5).grid() == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert _parameter(low=0.001, high=1, log=True, points=4).grid() == (0.001, 0.01, 0.1, 1)
    assert _parameter(low=0.01, high=0.08, log=True, points=4).grid() == (0.01, 0.02, 0.04, 0.08)
    whole = space_file.parse({"batch_size": {"low": 10, "high": 13, "points": 9}}, QUICK).parameters[0]
    assert whole.grid() == (10, 11, 12, 13)  # there are no more


@given(ranges(1e-3, 5))
def test_a_grid_stays_in_its_range(settings):
    parameter = _parameter(**settings)
    if parameter.points or parameter.step:
        values = parameter.grid()
        assert values[0] == parameter.low
        assert values[-1] == parameter.high
        assert list(values) == sorted(set(values))


@pytest.mark.parametrize(
    "table",
    [
        {"learning_rate": {"low": 1e-9, "high": 1, "step": 1e-9}},
        {"mlp.width": {"low": 1, "high": 10**6}},
        {axis: {"low": 0.001, "high": 0.9, "points": 100} for axis in ("learning_rate", "warmup", "label_smoothing")},
    ],
)
def test_a_space_of_very_many_points_is_not_listed(table):
    space = space_file.parse(table, recipes.override(QUICK, ["network=mlp"]))
    with pytest.raises(UsageError):
        space.grid()
    assert len(table) > 1 or space.parameters[0].values() is space.every_point() is None


def test_each_network_has_its_own_points():
    document = {
        "network": {"choices": ["quick", "mlp"]},
        "batch_size": {"choices": [64, 128]},
        "quick.width": {"choices": [8, 16, 24]},
        "mlp.depth": {"choices": [1, 2]},
        "standard.width": {"choices": [32]},
    }
    space = space_file.parse(document, QUICK)
    points = space.grid()
    assert points == space.every_point()
    assert len(points) == 2 * 3 + 2 * 2
    assert {frozenset(point) for point in points} == {
        frozenset({"network", "batch_size", "quick.width"}),
        frozenset({"network", "batch_size", "mlp.depth"}),
    }
    made = {space.recipe(point).hash for point in points}
    assert len(made) == len(points)
    assert space.recipe({"network": "mlp", "batch_size": 64, "mlp.depth": 2}).network_arguments == {"depth": 2}


def test_around_a_run_its_network_is_fixed():
    document = {
        "network": {"choices": ["quick", "mlp"]},
        "quick.width": {"low": 8, "high": 24, "step": 4},
        "mlp.width": {"choices": [64, 128]},
    }
    run = recipes.override(QUICK, ["network=mlp", "network.width=64", "seed=9", "epochs=2"])
    near = space_file.parse(document, QUICK).around(recipes.replace(run, initial_weights="0" * 64))
    assert near.document == {"mlp.width": {"choices": [64, 128]}}
    assert near.base == recipes.replace(run, seed=0)  # begun anew: neither the run's weights nor its seed
    without = space_file.parse({"quick.width": {"choices": [8, 16]}}, QUICK).around(QUICK)  # 16 is the default
    assert without.parameters[0].choices == (8, 16)
    with pytest.raises(UsageError, match="narrowed"):
        space_file.parse({"schedule": {"choices": ["cosine", "one-cycle"]}}, QUICK).around(QUICK)
