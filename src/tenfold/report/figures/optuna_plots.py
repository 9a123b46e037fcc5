"""Searches as Optuna draws them, in our style: history, importances, slices, parallel coordinates.

Optuna draws with pyplot, whose figures and settings are global: `_in_our_style` closes the figure and restores them.
All but the history need a complete trial.
"""

import warnings
from collections.abc import Callable
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna.visualization import matplotlib as plots

from tenfold.report.figures import style
from tenfold.report.figures.style import headline, number
from tenfold.tune.space import Parameter
from tenfold.tune.study import Result, ranked

COLUMNS = 3  # of slices
NAMED = 4  # parameters in a headline
THICK = 5  # of the best trials' lines
SHADES = LinearSegmentedColormap.from_list("tenfold-shades", ["#c8d3da", "#56B4E9", "#0072B2", "#00263e"])


def history(result: Result) -> Figure:
    """Draw the accuracy of each complete trial, and the best so far; without one, an empty figure that says so."""
    if not ranked(result.trials):
        figure, _ = style.new(1, subplot_kw={"frame_on": False, "xticks": [], "yticks": []})
        headline(figure, "No trial is complete")
        return figure
    figure = _in_our_style(plots.plot_optimization_history, result, 3.2)
    (axis,) = figure.axes
    axis.collections[0].set(color=style.COLOURS[0], sizes=[14], label="a trial")
    axis.lines[0].set(color=style.COLOURS[4], alpha=1, drawstyle="steps-post", label="best so far")
    axis.legend(loc="lower right", fontsize=8)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.accuracy_axis(axis, *_limits(result))
    axis.set(xlabel="trial", ylabel=style.ACCURACY)
    headline(figure, f"{_counts(result)}{_below(result)}")
    return figure


def importances(result: Result) -> Figure:
    """Draw the share of each parameter in what sets the good trials apart (PED-ANOVA); there must be such shares."""
    figure = _in_our_style(plots.plot_param_importances, result, 0.95 + 0.26 * len(result.importances))
    (axis,) = figure.axes
    axis.legend().remove()
    for bar in axis.patches:
        bar.set_color(style.COLOURS[0])
    for text in axis.texts:
        text.set(text=f"\N{NO-BREAK SPACE}{text.get_text()}", fontsize=8)
    axis.set(xlabel="share of what the accuracy of the trials depends on", ylabel="")
    (name, share), *others = sorted(result.importances.items(), key=lambda pair: -pair[1])
    more = f", more than {others[0][0]} with {others[0][1]:.0%}" if others else ""
    headline(figure, f"{name} matters most: {share:.0%}{more}")
    return figure


def slices(result: Result) -> Figure:
    """Draw the accuracy of complete trials against each parameter: later trials are darker, the best is a star."""
    best = ranked(result.trials)[0]
    choices = {parameter.name for parameter in result.question.space.parameters if parameter.choices}
    figure = _in_our_style(plots.plot_slice, result, 0.0)
    *axes, bar = figure.axes
    columns = min(COLUMNS, len(axes))
    grid = figure.add_gridspec(-(-len(axes) // columns), columns)
    figure.set_size_inches(style.WIDTH, 0.9 + 1.95 * grid.nrows)
    for at, axis in enumerate(axes):
        row, column = divmod(at, columns)
        axis.set_subplotspec(grid[row, column])
        axis.set_ylabel(style.ACCURACY if column == 0 else "", fontsize=8)
        axis.tick_params(labelleft=column == 0)
        axis.collections[0].set(cmap=SHADES, sizes=[16])
        name = axis.get_xlabel()
        if name in best.point:
            value = repr(best.point[name]) if name in choices else best.point[name]  # Optuna draws choices as texts
            axis.plot([value], [best.accuracy or 0.0], "*", color=style.COLOURS[4], markersize=9)
        if axis.get_xscale() == "log":
            style.logarithmic_ticks(axis.xaxis)
        labels = [label.get_text() for label in axis.get_xticklabels()]
        if any(label.startswith("'") for label in labels):
            axis.set_xticks(axis.get_xticks(), [label.strip("'") for label in labels])
        style.accuracy_axis(axis, *_limits(result))
    bar.set_ylabel("trial")
    names = sorted(best.point, key=lambda name: -result.importances.get(name, 0.0))[:NAMED]
    values = ", ".join(f"{name} {number(best.point[name])}" for name in names)
    headline(figure, f"Best is {_best(result)}: {values}{_below(result)}")
    return figure


def parallel_coordinates(result: Result) -> Figure:
    """Draw each complete trial as a line across its accuracy and its values: the better, the darker; the best thick."""
    lowest, highest = _limits(result)

    def level(trial: FrozenTrial) -> float:
        return float(style.height(np.array(max(trial.value or 0.0, lowest))))

    figure = _in_our_style(plots.plot_parallel_coordinate, result, 4.2, target=level, target_name="accuracy")
    axis, bar, *scales = figure.axes
    lines = cast(LineCollection, axis.collections[0])
    levels = np.asarray(lines.get_array())
    order = levels.argsort(kind="stable")  # the best on top
    lines.set(segments=[lines.get_segments()[at] for at in order], array=levels[order], cmap=SHADES)
    lines.set_linewidth([0.9] * (len(order) - THICK) + [2.2] * THICK)
    ticks = style.accuracy_ticks(lowest, highest)
    for line in (axis.yaxis, bar.yaxis):
        line.set_ticks(style.height(np.array(ticks)), labels=[style.percent(tick) for tick in ticks])
    axis.grid(visible=False)
    for scale in scales:
        scale.grid(visible=False)
        scale.spines["left"].set_visible(False)
        scale.spines["right"].set_visible(True)
        if scale.get_yscale() == "log":
            style.logarithmic_ticks(scale.yaxis)
        for label in scale.get_yticklabels():
            label.set(path_effects=[withStroke(linewidth=2.5, foreground="white")], fontsize=7)
    best = ranked(result.trials)
    thick = min(THICK, len(best))
    accuracies = f"{best[thick - 1].accuracy:.2%} to {best[0].accuracy:.2%}"
    headline(figure, f"Thick lines: the best {thick} of {len(best)} complete trials, {accuracies}{_below(result)}")
    return figure


def _in_our_style(plot: Callable[..., Any], result: Result, inches: float, **keywords: Any) -> Figure:
    """Return the figure that a function of Optuna draws, in our style and `inches` high."""
    backend, level = mpl.get_backend(auto_select=False), optuna.logging.get_verbosity()
    settings = style.RC | {"figure.constrained_layout.use": True}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its figures are experimental, it says
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        plt.switch_backend("agg")  # no window opens
        try:
            axes = np.ravel(plot(_study(result), **keywords))
            figure = style.adopt(axes[0].figure)
            plt.close(figure)
        finally:
            plt.switch_backend(backend or mpl.rcParamsDefault["backend"])  # the default: choose by need
            optuna.logging.set_verbosity(level)
    figure.set_size_inches(style.WIDTH, inches)
    figure.set_layout_engine("constrained")
    for axis in figure.axes:
        axis.set_title("", loc="left")
        axis.set_facecolor("white")
        axis.spines[:].set_color(style.MUTED)
        axis.tick_params(color=style.MUTED, labelcolor=style.INK, labelsize=8)
        axis.grid(visible=True, color=style.GRID)
        for label in (axis.xaxis.label, axis.yaxis.label):
            label.set(color=style.INK, fontsize=9)
    return figure


def _study(result: Result) -> optuna.Study:
    """Return the complete trials of a search, under their numbers, as a study of Optuna in memory."""
    distributions = {parameter.name: _distribution(parameter) for parameter in result.question.space.parameters}
    complete = {trial.number: trial for trial in ranked(result.trials)}
    study = optuna.create_study(direction="maximize")
    for at in range(max(complete) + 1):
        if trial := complete.get(at):
            own = {name: distributions[name] for name in trial.point}
            study.add_trial(create_trial(value=trial.accuracy, params=trial.point, distributions=own))
        else:
            study.add_trial(create_trial(state=TrialState.FAIL))
    return study


def _distribution(parameter: Parameter) -> BaseDistribution:
    if parameter.choices:
        return CategoricalDistribution(parameter.choices)
    if parameter.integer:
        return IntDistribution(int(parameter.low), int(parameter.high), parameter.log, int(parameter.step or 1))
    return FloatDistribution(parameter.low, parameter.high, parameter.log, parameter.step)


def _limits(result: Result) -> tuple[float, float]:
    """Return the lowest and the highest accuracy of complete trials that an axis shows."""
    accuracies = np.array([trial.accuracy for trial in ranked(result.trials)])
    return style.lowest_shown(accuracies), float(accuracies.max())


def _below(result: Result) -> str:
    lowest, _ = _limits(result)
    below = sum((trial.accuracy or 0.0) < lowest for trial in ranked(result.trials))
    return f"; {below} below the axis" if below else ""


def _counts(result: Result) -> str:
    """Count the trials by state, and name the best."""
    best, states = ranked(result.trials), [trial.state for trial in result.trials]
    others = [f"{states.count(state)} {state}" for state in ("pruned", "failed") if state in states]
    counts = ", ".join([f"{len(best)} complete trial{'s' * (len(best) > 1)}", *others])
    return f"{counts}; best is {_best(result)}"


def _best(result: Result) -> str:
    """Name the best trial and those that tie with it."""
    best, *others = ranked(result.trials)
    ties = [str(trial.number) for trial in others if trial.accuracy == best.accuracy]
    tied = f", tied with {style.listed(ties)}" if ties else ""
    return f"trial {best.number} with {best.accuracy:.2%}{tied}"
