"""The searches: what they tried, what mattered, which differences are real."""

from collections import defaultdict
from itertools import accumulate

from tenfold.report.figures import hyperparameters, layout, search, tuning
from tenfold.report.material import Material
from tenfold.report.page import Picture, Section, Table, drawing
from tenfold.tune import study
from tenfold.tune.study import Result

LISTED = 5


def searches(material: Material) -> Section | None:
    """Draw how each search went, and searches of the same space side by side."""
    if not material.studies:
        return None
    pictures: list[Picture] = []
    tables = [_overview(material.studies)]
    for members in _alike(material.studies).values():
        best = max(members, key=_best)
        pictures += [*_together(members), *_closely(best)]
        tables.append(_leaders(best))
    texts = [text for result in material.studies for text in _words(result)]
    return Section("searches", "Hyperparameters", texts=texts, tables=tables, pictures=pictures)


def _alike(studies: list[Result]) -> dict[str, list[Result]]:
    """Return the studies that search the same space around the same recipe, whatever their way and their seeds."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in studies:
        question = result.question
        groups[f"{question.space.base.family} {question.space.document} {question.repeats} {question.folds}"].append(
            result
        )
    return groups


def _together(members: list[Result]) -> list[Picture]:
    """Draw the searches of one space: best so far, over seeds where there are several, and where points fell."""
    kinds: dict[str, list[Result]] = defaultdict(list)
    for member in members:
        kinds[_kind(member)].append(member)
    if len(kinds) > 1 and all(len(some) > 1 for some in kinds.values()):
        figure = search.race({kind: [figure_trials(one) for one in some] for kind, some in kinds.items()})
        pictures = [drawing(figure, "Searches of one space, several seeds each, at equal trials and equal seconds")]
    else:
        names = {_kind(one) if len(kinds) == len(members) else one.name: figure_trials(one) for one in members}
        pictures = [drawing(search.progress(names), "The best so far, against trials and against seconds of training")]
    shares = max(members, key=lambda member: len(member.importances)).importances
    if {"grid", "random"} <= kinds.keys() and len(shares) > 1:
        important, *_, unimportant = sorted(shares, key=lambda name: -shares[name])
        both = {kind: figure_trials(kinds[kind][0]) for kind in ("grid", "random")}
        figure = layout.layout(both, important, unimportant, _logarithmic(members[0]))
        pictures.append(drawing(figure, "Where a grid and chance put the same number of trials"))
    return pictures


def _closely(result: Result) -> list[Picture]:
    """Draw one search: the leaders and the noise of a seed, what mattered, and how accuracy depends on it."""
    trials = figure_trials(result)
    logarithmic = _logarithmic(result)
    noise = result.final["models"][0]["sd"] if result.final else None
    pictures = [drawing(tuning.leaderboard(trials, noise), f"{result.name}: the best trials, and the noise of a seed")]
    if result.importances:
        figure = tuning.importances(result.importances)
        pictures.append(drawing(figure, f"{result.name}: what sets the good trials apart (PED-ANOVA)"))
    figure = hyperparameters.slices(trials, logarithmic)
    pictures.append(drawing(figure, f"{result.name}: accuracy against each parameter"))
    figure = hyperparameters.parallel_coordinates(trials, logarithmic)
    pictures.append(drawing(figure, f"{result.name}: each trial a line"))
    return pictures


def _overview(studies: list[Result]) -> Table:
    """List the studies: how they searched, what came of their trials."""
    states = ("complete", "pruned", "failed")
    rows = [
        [
            result.name,
            _kind(result),
            str(len(result.question.space.parameters)),
            *(str(sum(trial.state == state for trial in result.trials)) for state in states),
            f"{_best(result):.2%}",
            f"{sum(trial.seconds for trial in result.trials):.0f}",
        ]
        for result in studies
    ]
    return Table(["study", "search", "parameters", *states, "best, validation", "seconds of training"], rows)


def _words(result: Result) -> list[str]:
    """Say which trials failed, and how the final ended."""
    words = [f"{result.name}, trial {t.number} failed: {t.reason}." for t in result.trials if t.state == "failed"]
    if result.final:
        models = result.final["models"]
        words.append(
            f"{result.name}, the best again with {len(models[0]['runs'])} fresh seeds: "
            + "; ".join(f"trial {m['trial']} {m['mean']:.2%} ± {m['sd']:.2%}" for m in models)
            + _verdict(result)
        )
    return words


def _verdict(result: Result) -> str:
    comparison = (result.final or {}).get("comparison")
    if comparison is None:
        return "."
    return f". The first is {comparison['verdict']} (paired t-test, p = {comparison['p_value']:.2g})."


def _leaders(result: Result) -> Table:
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.point))
    rows = [
        [str(t.number), f"{t.accuracy:.2%}", f"{t.seconds:.1f}", *(_short(t.point.get(name)) for name in names)]
        for t in study.ranked(result.trials)[:LISTED]
    ]
    return Table([f"{result.name}: trial", "validation", "seconds", *names], rows)


def _logarithmic(result: Result) -> set[str]:
    return {parameter.name for parameter in result.question.space.parameters if parameter.log}


def _kind(result: Result) -> str:
    question = result.question
    return question.search if question.prune == "none" else f"{question.search} + {question.prune}"


def _best(result: Result) -> float:
    best = study.ranked(result.trials)
    return best[0].accuracy or 0 if best else 0


def figure_trials(result: Result) -> list[tuning.Trial]:
    """Return the trials as figures take them; the clock is the training that one machine would have done by then."""
    finished = [trial for trial in result.trials if trial.finished]
    clock = accumulate(trial.seconds for trial in finished)
    return [
        tuning.Trial(
            trial.number,
            dict(trial.point),
            trial.accuracy if trial.state != "failed" else None,
            trial.state,
            seconds,
        )
        for trial, seconds in zip(finished, clock, strict=True)
    ]


def _short(value: object) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
