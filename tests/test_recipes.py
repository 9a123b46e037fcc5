import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold import recipes
from tenfold.data import catalog
from tenfold.errors import UsageError
from tenfold.suited import suited


def test_texts_become_the_declared_types():
    changed = recipes.override(
        recipes.quick(),
        ["learning_rate=3e-3", "batch_size=64", "train_size=none", "network.width=24", "schedule=cosine"],
    )
    assert (changed.learning_rate, changed.batch_size, changed.train_size) == (0.003, 64, None)
    assert changed.network_arguments == recipes.quick().network_arguments | {"width": 24}
    assert changed.schedule == "cosine"
    assert recipes.quick().learning_rate != 0.003  # a recipe is a value


def test_another_network_drops_the_arguments_of_the_old_one():
    wide = recipes.override(recipes.quick(), ["network.width=24"])
    assert recipes.override(wide, ["network=mlp", "network.depth=2"]).network_arguments == {"depth": 2}
    assert recipes.replace(wide, network="mlp").network_arguments == {}
    assert recipes.replace(wide, network="mlp", network_arguments={"depth": 2}).network_arguments == {"depth": 2}
    assert recipes.replace(wide, network="quick").network_arguments == wide.network_arguments
    assert recipes.override(wide, ["network=quick"]).network_arguments == wide.network_arguments


@pytest.mark.parametrize(
    "assignment",
    [
        *("learning_rat=1", "network.widht=1", "network.heads=1", "network=mpl", "dataset=mnits", "epochs"),
        *("network_arguments=3", "epochs=0", "epochs=many", "batch_size=0", "batch_size=1.5", "learning_rate=nan"),
        *("learning_rate=inf", "learning_rate=-1", "label_smoothing=1", "precision=float64", "network.width=wide"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_key(assignment):
    with pytest.raises(UsageError, match=assignment.partition("=")[0].partition(".")[0]):
        recipes.override(recipes.quick(), [assignment])


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_recipes_survive_json_and_keep_their_hash(name):
    recipe = recipes.find(name)
    again = recipes.parse(json.loads(json.dumps(recipe.model_dump())))
    assert again == recipe
    assert again.hash == recipe.hash
    assert recipes.replace(recipe, seed=1).hash != recipe.hash
    assert recipes.replace(recipe, seed=1).family == recipe.family
    assert recipes.replace(recipe, epochs=0.1).family != recipe.family
    assert len(recipe.hash) == 64


@given(st.integers(1, 500), st.floats(0, 0.9), st.sampled_from(["one-cycle", "cosine"]))
def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(steps, warmup, schedule):
    recipe = recipes.replace(recipes.quick(), warmup=warmup, schedule=schedule, learning_rate=0.1)
    rates = recipe.learning_rates(steps)
    assert rates.shape == (steps,)
    assert np.all((rates > 0) & (rates <= 0.1 + 1e-12))
    peak = int(rates.argmax())
    assert np.all(np.diff(rates[: peak + 1]) >= 0)
    assert np.all(np.diff(rates[peak:]) <= 0)
    assert abs(peak + 0.5 - warmup * steps) <= 1  # one of the two steps around it


@pytest.mark.parametrize(
    ("name", "network", "epochs"),
    [
        ("quick", "quick", 0.775),
        ("instant", "quick", 0.8),
        ("standard", "fullres", 5),
        ("strong", "residual", 7.5),
        ("best", "residual", 15),
    ],
)
def test_clothes_are_mirrored_and_not_turned_by_a_larger_network(name, network, epochs):
    recipe = recipes.find(name)
    assert suited(recipe, catalog.MNIST) == recipe
    clothes = suited(recipe, catalog.FASHION_MNIST)
    upright = {"flip": True, "rotation": 0, "scale": 0, "shear": 0} if recipe.augments else {}
    changed = {"network": network, "epochs": epochs, "hardest": 1} | upright
    assert clothes == recipes.replace(recipe, dataset="fashion-mnist", **changed)
    asked = suited(recipe, catalog.FASHION_MNIST, ["flip=false", "rotation=5", "epochs=3"])
    assert (asked.flip, asked.rotation, asked.shear, asked.epochs) == (False, 5, 0, 3)
    small = suited(recipe, catalog.FASHION_MNIST, ["network=standard", "network.width=4"])
    assert (small.network, small.network_arguments) == ("standard", {"width": 4})


def test_a_network_of_given_arguments_is_kept_for_clothes():
    narrow = recipes.override(recipes.strong(), ["network.width=8"])
    kept = suited(narrow, catalog.FASHION_MNIST)
    assert (kept.network, kept.network_arguments, kept.flip) == ("fullres", {"width": 8}, True)


@pytest.mark.parametrize(("pictures", "validation"), [(10, 2), (200, 40), (24_999, 4_999), (25_000, 5_000)])
def test_of_few_pictures_a_fifth_is_set_aside_and_there_are_as_many_steps(pictures, validation, monkeypatch):
    labels = dataclasses.replace(catalog.MNIST.train_labels, size=pictures + 8)
    few = dataclasses.replace(catalog.MNIST, name="few", train_labels=labels)
    monkeypatch.setitem(catalog.CATALOG, "few", few)
    quick = suited(recipes.quick(), few)
    assert quick.validation_size == validation
    assert quick.steps(pictures - validation) == 167
    assert quick.hardest == 1  # the labels of other datasets may be wrong
    standard = suited(recipes.standard(), few)
    usual = recipes.standard().steps(pictures - validation)
    assert standard.steps(pictures - validation) == max(1_000, usual)
    asked = suited(recipes.quick(), few, ["epochs=2", "validation_size=4", "batch_size=32"])
    assert (asked.epochs, asked.validation_size, asked.batch_size) == (2, 4, 32)  # what is asked for stays

    assert quick.augments == (pictures < 24_999)  # where each is seen many times
    assert standard.rotation == recipes.standard().rotation
    assert not asked.augments
    assert not suited(recipes.quick(), few, ["rotation=0"]).augments
    assert suited(recipes.quick(), few, ["shift=3"]).rotation == 0
    monkeypatch.setitem(catalog.CATALOG, "few", dataclasses.replace(few, plain=True))
    assert not suited(recipes.quick(), catalog.find("few")).augments
