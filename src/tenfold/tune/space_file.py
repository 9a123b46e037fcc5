"""A space of hyperparameters as a TOML file.

Each table has the name of the value it sets, as in `--set`: `[learning_rate]`, `[network.width]`. With the name of a
network, it is only for that network: `[quick.width]`, `[mlp.learning_rate]`. All other values stay as in the recipe.
"""

import itertools
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenfold import architectures, recipes
from tenfold.errors import UsageError, unknown
from tenfold.recipes import NETWORK_PREFIX, Recipe
from tenfold.tune.space import MOST_POINTS, Parameter, Space, decimal

SPACES = Path(__file__).parent / "spaces"  # the bundled spaces
# Trials that differ in these fields cannot be compared; a seed is not a hyperparameter.
NOT_SEARCHED = ("dataset", "framework", "precision", "seed", "split_seed", "train_size", "validation_size")


def default(search: str) -> Path:
    """Return the file of the default space for a search."""
    return SPACES / ("grid.toml" if search == "grid" else "default.toml")


def load(path: Path, base: Recipe) -> Space:
    """Return the space that a TOML file describes; raise `UsageError` for a missing or invalid file."""
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; the bundled spaces are in {SPACES}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    try:
        return parse(document, base)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def parse(document: dict[str, Any], base: Recipe) -> Space:
    """Return the space of a document; raise `UsageError` if it is empty or contradictory, or has unknown names."""
    tables = dict(_tables(document))
    choices = tables.get("network", {}).get("choices")
    possible = [str(choice) for choice in choices] if isinstance(choices, list) else [base.network]
    parameters = [_parameter(name, table, base, possible) for name, table in tables.items()]
    parameters = [p for p in parameters if p.network is None or p.network in possible]
    if not parameters:
        raise UsageError("the space is empty: it has no parameter")
    for one, other in itertools.combinations(parameters, 2):
        if one.key == other.key and (one.network is None or other.network is None or one.network == other.network):
            raise UsageError(f"{one.name} and {other.name} both set {one.key}")
    parameters.sort(key=lambda parameter: parameter.key != "network")  # the other parameters depend on it
    return Space(base, tuple(parameters))


def _tables(document: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in document.items():
        name = prefix + key
        if not isinstance(value, dict):
            raise UsageError(f"{name} is not a table; write [{name}] and under it low and high, or choices")
        inner = {k: v for k, v in value.items() if isinstance(v, dict)}
        if len(inner) < len(value) or not value:
            yield name, {k: v for k, v in value.items() if k not in inner}
        yield from _tables(inner, f"{name}.")


def _parameter(name: str, table: dict[str, Any], base: Recipe, possible: list[str]) -> Parameter:
    """Return one parameter, checked by itself and against every network that it applies to."""
    network, key = _target(name, possible)
    for setting in table:
        if setting not in ("choices", "low", "high", "log", "step", "points"):
            raise unknown(f"setting of {name}", setting, ("choices", "low", "high", "log", "step", "points"))
    users = possible if network is None else [network]
    settled = [recipes.override(base, [f"network={user}"]) for user in users] if key != "network" else [base]
    integer = _is_whole(settled[0], key)
    parameter = Parameter(name, key, network, integer, **_checked(name, table, integer))
    ends = parameter.choices or (parameter.low, parameter.high)
    for recipe in settled:  # raises for values out of range
        if len({recipes.override(recipe, [f"{key}={value}"]).hash for value in ends}) < len(ends):
            raise UsageError(f"{name}: two values are the same")
    return parameter


def _target(name: str, possible: list[str]) -> tuple[str | None, str]:
    """Return the network that a name is for, or None, and the key that it sets."""
    network, dot, rest = name.rpartition(".")
    key = name
    if dot and network != "network":
        if network not in architectures.NETWORKS:
            raise unknown("network", network, architectures.NETWORKS)
        key = NETWORK_PREFIX + rest if rest in architectures.arguments(network) else rest
        known = [one for one in recipes.known_keys(network) if one != "network"]
    else:
        network = ""
        shared = [set(recipes.known_keys(one)) for one in possible]
        known = sorted(set.intersection(*shared))
    if key in NOT_SEARCHED:
        raise UsageError(f"{key} cannot be searched: trials that differ in it are not comparable; set it with --set")
    if key not in known:
        raise unknown("parameter", name, [k for k in known if k not in NOT_SEARCHED])
    return network or None, key


def _checked(name: str, table: dict[str, Any], integer: bool) -> dict[str, Any]:
    """Return the settings of a parameter; raise `UsageError` for invalid ones."""
    if "choices" in table:
        choices = table["choices"]
        if len(table) > 1 or not isinstance(choices, list) or not choices:
            raise UsageError(f"{name}: choices must be a list of values, without low, high, log, step or points")
        return {"choices": tuple(choices)}
    low, high, step, points = (table.get(key) for key in ("low", "high", "step", "points"))
    log = table.get("log", False)
    numbers = [value for key, value in table.items() if key != "log"]
    if any(isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v) for v in numbers):
        raise UsageError(f"{name}: low, high, step and points must be numbers")
    if low is None or high is None or not low < high:
        raise UsageError(f"{name}: low must be below high; to fix a value, use --set")
    if integer and any(v != int(v) for v in (low, high, step or 1)):
        raise UsageError(f"{name} must be a whole number, so low, high and step must be too")
    if not isinstance(log, bool) or (log and (low <= 0 or step is not None)):
        raise UsageError(f"{name}: log must be true or false; a logarithmic range must start above 0 and have no step")
    if step is not None and (step <= 0 or (decimal(high) - decimal(low)) % decimal(step)):
        raise UsageError(f"{name}: steps of {step} from {low} do not reach {high}")
    if points is not None and (step is not None or not 2 <= points <= MOST_POINTS or points != int(points)):
        raise UsageError(f"{name}: points must be a whole number from 2 to {MOST_POINTS:,}, and exclude step")
    return table | ({"points": int(points)} if points else {})


def _is_whole(recipe: Recipe, key: str) -> bool:
    if key.startswith(NETWORK_PREFIX):
        annotation = architectures.arguments(recipe.network)[key.removeprefix(NETWORK_PREFIX)].annotation
    else:
        annotation = Recipe.model_fields[key].annotation
    return annotation in (int, int | None)
