"""The search space: parameters, each a range or choices, and a recipe for all other values."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tenfold import architectures, recipes
from tenfold.errors import UsageError
from tenfold.recipes import NETWORK_PREFIX, Recipe

Value = int | float | str
Point = dict[str, Value]  # sampled values by parameter name

MOST_POINTS = 100_000  # largest space that is kept as a list


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: `name` as in the file, `key` as in `--set`, for one `network` or for all.

    It has either `choices` or a range that includes both ends: uniform or, with `log`, uniform in the logarithm, and in
    steps of `step` from `low`. `points` is the number of values that a grid takes of a range without steps.
    """

    name: str
    key: str
    network: str | None = None
    integer: bool = False
    choices: tuple[Value, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    step: float | None = None
    points: int | None = None

    @property
    def setting(self) -> dict[str, Any]:
        """The table of this parameter in the file."""
        if self.choices:
            return {"choices": list(self.choices)}
        settings = {key: getattr(self, key) for key in ("low", "high", "log", "step", "points")}
        return {key: value for key, value in settings.items() if value is not None and value is not False}

    def values(self) -> tuple[Value, ...] | None:
        """Return all values; None for a range without steps, or with more than `MOST_POINTS`."""
        if self.choices:
            return self.choices
        if self.step is None and not self.integer:
            return None
        low, high, step = decimal(self.low), decimal(self.high), decimal(self.step or 1)
        count = int((high - low) / step) + 1
        if count > MOST_POINTS:
            return None
        return tuple(self._typed(float(low + at * step)) for at in range(count))

    def exact(self, value: Value) -> Value:
        """Return a sampled value as in `values`: 0.3 instead of the sampler's 0.30000000000000004."""
        if self.step is None or self.integer:
            return value
        low, step = decimal(self.low), decimal(self.step)
        return float(low + round((decimal(value) - low) / step) * step)

    def grid(self) -> tuple[Value, ...]:
        """Return the values that a grid takes; raise `UsageError` if the range has neither step nor points."""
        if self.points is None:
            if (values := self.values()) is None:
                raise UsageError(f"a grid needs a list of values of {self.name}: give it points or a step")
            return values
        ends = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        between = [ends[0] + (ends[1] - ends[0]) * at / (self.points - 1) for at in range(1, self.points - 1)]
        inner = [float(f"{math.exp(value) if self.log else value:.4g}") for value in between]
        within = [min(max(value, self.low), self.high) for value in (self.low, *inner, self.high)]
        return tuple(dict.fromkeys(self._typed(value) for value in within))

    def around(self, value: Value) -> "Parameter | None":
        """Return this parameter narrowed around a value: to a quarter of its range, or to the neighbouring choices.

        Returns None if only one value is left. A value outside the range widens it first.
        """
        if self.choices:
            if any(isinstance(choice, str) for choice in self.choices):
                return None
            ordered = sorted({*self.choices, value})
            at = ordered.index(value)
            choices = tuple(ordered[max(0, at - 1) : at + 2])
            return replace(self, choices=choices) if len(choices) > 1 else None
        centre = float(value)
        if self.step and (values := self.values()) and centre in values:
            at, away = values.index(centre), max(1, len(values) // 8)
            near = [float(step) for step in values[max(0, at - away) : at + away + 1]]
            return replace(self, low=self._typed(near[0]), high=self._typed(near[-1]))
        low, high = min(self.low, centre), max(self.high, centre)
        if self.log:
            if low <= 0:
                return None  # a logarithmic range cannot include this value
            factor = math.exp((math.log(high) - math.log(low)) / 8)  # high / low may overflow
            ends = centre / factor, centre * factor
        else:
            reach = max((high - low) / 8, 1 if self.integer else 0)
            ends = centre - reach, centre + reach
        below, above = (float(f"{end:.4g}") for end in ends)
        near_low = self._typed(min(max(below, low), centre))
        near_high = self._typed(max(min(above, high), centre))
        return replace(self, low=near_low, high=near_high, step=None) if near_low < near_high else None

    def _typed(self, value: float) -> float:
        return round(value) if self.integer else value


@dataclass(frozen=True)
class Space:
    """The sampled parameters, and a recipe for all other values."""

    base: Recipe
    parameters: tuple[Parameter, ...]

    @property
    def document(self) -> dict[str, dict[str, Any]]:
        """The space as a plain value, for `parse` to read."""
        return {parameter.name: parameter.setting for parameter in self.parameters}

    def active(self, point: Point) -> Iterator[Parameter]:
        """Yield the parameters for the network of `point`; the caller may add values to `point` in between."""
        for parameter in self.parameters:
            if parameter.network in (None, point.get("network", self.base.network)):
                yield parameter

    def recipe(self, point: Point) -> Recipe:
        """Return the recipe of a point; raise `UsageError` if it is invalid."""
        return recipes.override(self.base, [f"{p.key}={p.exact(point[p.name])}" for p in self.active(point)])

    def grid(self) -> list[Point]:
        """Return all points of the grid; raise `UsageError` for too many, or for a range without step or points."""
        points = self._product({parameter.name: parameter.grid() for parameter in self.parameters})
        if points is None:
            raise UsageError(
                f"the grid must have at most {MOST_POINTS:,} points; take fewer values, or another --search"
            )
        return points

    def every_point(self) -> list[Point] | None:
        """Return all points; None if a range has no steps, or for more than `MOST_POINTS`."""
        values = {parameter.name: parameter.values() for parameter in self.parameters}
        known = {name: some for name, some in values.items() if some is not None}
        return self._product(known) if len(known) == len(values) else None

    def around(self, recipe: Recipe) -> "Space":
        """Return the space narrowed around a recipe, whose network and other values are fixed."""
        fixed = recipes.replace(recipe, seed=self.base.seed, initial_weights=None, extra=None, extra_repeats=1)
        narrowed = [
            parameter.around(_value(fixed, parameter.key))
            for parameter in self.parameters
            if parameter.key != "network" and parameter.network in (None, recipe.network)
        ]
        kept = tuple(parameter for parameter in narrowed if parameter)
        if not kept:
            raise UsageError("the space has no parameter that can be narrowed around this run")
        return Space(fixed, kept)

    def _product(self, values: dict[str, tuple[Value, ...]]) -> list[Point] | None:
        """Return the points of these values, each network with its own parameters; None for more than `MOST_POINTS`."""
        heads: list[Point] = [{"network": v} for v in values["network"]] if "network" in values else [{}]
        points: list[Point] = []
        for head in heads:
            names = [parameter.name for parameter in self.active(head) if parameter.name != "network"]
            if len(points) + math.prod(len(values[name]) for name in names) > MOST_POINTS:
                return None
            combinations = itertools.product(*(values[name] for name in names))
            points += [head | dict(zip(names, some, strict=True)) for some in combinations]
        return points


def decimal(value: Value) -> Decimal:
    """Return a number as a decimal, so that 0.1 + 2 x 0.1 is 0.3."""
    return Decimal(str(value))


def _value(recipe: Recipe, key: str) -> Value:
    name = key.removeprefix(NETWORK_PREFIX)
    if name == key:
        value: Value = getattr(recipe, key)
        return value
    default: Value = architectures.arguments(recipe.network)[name].default
    return recipe.network_arguments.get(name, default)
