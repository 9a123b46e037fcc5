"""The searches: the trials, the parameters that matter, and the differences that are more than noise."""

from collections import defaultdict
from collections.abc import Sequence

from tenfold import extras
from tenfold.report.figures import tuning
from tenfold.report.figures.style import number
from tenfold.report.material import Material
from tenfold.report.page import Picture, Section, Table, as_svg
from tenfold.tune.study import Result, ranked

LISTED = 5
SEARCHES = (
    "A search trains many variants of a recipe, its trials, and ranks them by accuracy on validation. The best of "
    "many trials owes a part of its lead to luck: trials that differ by less than the spread over seeds are tied. "
    "Take the values that the best trials have in common, and let the final with fresh seeds decide."
)


def searches(material: Material) -> Section | None:
    """Draw the best search of each space, and the searches of one space side by side."""
    if not material.studies:
        return None
    by_space: dict[str, list[Result]] = defaultdict(list)
    for result in material.studies:
        question = result.question
        by_space[f"{question.space.base.family} {question.space.document} {question.repeats} {question.folds}"].append(
            result
        )
    texts = [SEARCHES, *(text for result in material.studies for text in _words(result))]
    tables, pictures = [_overview(material.studies)], []
    for members in by_space.values():
        if complete := [result for result in members if ranked(result.trials)]:
            best = max(complete, key=_best)
            pictures += [*_comparison(complete), *_details(best)]
            tables.append(_leaders(best))
    if missing := extras.missing("tune"):
        texts.append(f"Some figures are left out: they need {', '.join(missing)}, {extras.hint('tune')}.")
    return Section("searches", "Hyperparameters", texts=texts, tables=tables, pictures=pictures)


def _comparison(members: Sequence[Result]) -> list[Picture]:
    """Draw several searches of one space: the race between them, and the trials of a grid beside random ones."""
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for member in members:
        by_kind[_kind(member)].append(member)
    pictures = []
    if len(members) > 1:
        pictures.append(as_svg(tuning.race(by_kind), "Searches of one space, at equal trials and at equal seconds"))
    numeric = {
        parameter.name
        for parameter in members[0].question.space.parameters
        if not any(isinstance(choice, str) for choice in parameter.choices)
    }
    shares = max(members, key=lambda member: len(member.importances)).importances
    names = sorted(numeric & shares.keys(), key=lambda name: -shares[name])
    if {"grid", "random"} <= by_kind.keys() and len(names) > 1:
        both = {kind: by_kind[kind][0] for kind in ("grid", "random")}
        figure = tuning.layout(both, names[0], names[-1])
        pictures.append(as_svg(figure, "The trials of a grid, and as many of a random search"))
    return pictures


def _details(result: Result) -> list[Picture]:
    """Draw one search: its leaders beside the noise of seeds, its history, and the effect of each parameter."""
    noise = result.final["models"][0]["sd"] if result.final else None
    figure = tuning.leaderboard(result, noise)
    pictures = [as_svg(figure, f"{result.name}: the best trials, and the noise of seeds")]
    if not extras.missing("tune") and len(ranked(result.trials)) > 1:
        from tenfold.report.figures import optuna_plots

        figures = {"accuracy, trial by trial": optuna_plots.history}
        if result.importances:
            figures["the share of each parameter in what sets the good trials apart from all (PED-ANOVA)"] = (
                optuna_plots.importances
            )
        figures["accuracy against each parameter"] = optuna_plots.slices
        figures["each trial a line"] = optuna_plots.parallel_coordinates
        pictures += [as_svg(draw(result), f"{result.name}: {caption}") for caption, draw in figures.items()]
    return pictures


def _overview(studies: Sequence[Result]) -> Table:
    """List the studies: the kind of search, and the outcome of their trials."""
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
    """Name the failed trials and the result of the final."""
    words = [f"{result.name}, trial {t.number} failed: {t.reason}." for t in result.trials if t.state == "failed"]
    if result.final:
        models, comparison = result.final["models"], result.final.get("comparison")
        verdict = "."
        if comparison:
            verdict += f" The first is {comparison['verdict']} (paired t-test, p = {comparison['p_value']:.2g})."
        words.append(
            f"{result.name}, the best again with {len(models[0]['runs'])} fresh seeds: "
            + "; ".join(f"trial {m['trial']} {m['mean']:.2%} ± {m['sd']:.2%}" for m in models)
            + verdict
        )
    return words


def _leaders(result: Result) -> Table:
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.point))
    rows = [
        [str(t.number), f"{t.accuracy:.2%}", f"{t.seconds:.1f}", *(number(t.point.get(name)) for name in names)]
        for t in ranked(result.trials)[:LISTED]
    ]
    return Table([f"{result.name}: trial", "validation", "seconds", *names], rows)


def _kind(result: Result) -> str:
    question = result.question
    return question.search if question.prune == "none" else f"{question.search} + {question.prune}"


def _best(result: Result) -> float:
    return next((trial.accuracy or 0.0 for trial in ranked(result.trials)), 0.0)
