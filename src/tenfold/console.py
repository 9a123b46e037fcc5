"""Results as text: aligned tables that read the same on a terminal, in a log and in the README."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tenfold import baselines, evaluate
from tenfold.crossval import DOUBTFUL, CrossValidation
from tenfold.data import catalog
from tenfold.data.catalog import Dataset
from tenfold.data.split import Samples
from tenfold.evaluate import Evaluation
from tenfold.export import Export
from tenfold.lifecycle import Life
from tenfold.personal import Personal
from tenfold.tune.study import Result, ranked

BEST = 5  # trials that are shown
WIDEST = 20  # classes whose confusion matrix is shown
MOST_DOUBTFUL = 10  # labels that are shown; the file has all


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows under a header, columns aligned: the first to the left, the others to the right."""
    lines = [list(header), *map(list, rows)]
    first, *others = (max(map(len, column)) for column in zip(*lines, strict=True))
    return "\n".join(
        "  ".join([line[0].ljust(first), *(c.rjust(w) for c, w in zip(line[1:], others, strict=True))]).rstrip()
        for line in lines
    )


def dataset(known: Dataset, samples: Samples, counts: Mapping[str, Sequence[int]]) -> str:
    """Return a dataset's description; `counts` are pictures a class, by part."""
    lines = [
        f"{known.title} ({known.name})",
        f"by {known.credit}; licence: {known.licence}",
        f"{len(samples):,} development pictures of 28×28 pixels, {len(known.classes)} classes; "
        f"pixel mean {samples.images.mean():.2f}, deviation {samples.images.std():.2f} (of 255)",
        f"sources: {', '.join(known.sources) or 'a folder of pictures'}",
        "the test set is sealed; `tenfold evaluate --test` opens it",
        "",
        table(
            ["class", *counts],
            [
                *([name, *(f"{part[at]:,}" for part in counts.values())] for at, name in enumerate(known.classes)),
                ["all", *(f"{sum(part):,}" for part in counts.values())],
            ],
        ),
        "",
        table(["file", "bytes", "SHA-256"], [[f.name, f"{f.size:,}", f.sha256] for f in known.files]),
    ]
    return "\n".join(lines)


def baseline_scores(entries: Iterable[dict[str, Any]]) -> str:
    """Return the comparison of classical models."""
    return table(
        ["model", "validation", "95% interval", "fit s", "predict s", "MB", "published (test)"],
        [
            [
                baselines.BASELINES[entry["name"]].title,
                _percent(entry),
                _interval(entry),
                f"{entry['train_seconds']:.1f}",
                f"{entry['predict_seconds']:.1f}",
                f"{entry['bytes'] / 1e6:.2f}",
                entry["published"] or "-",
            ]
            for entry in entries
        ],
    )


def evaluations(results: Sequence[Evaluation]) -> str:
    """Return scores, the classes of a single run, the spread over seeds, and who is better than whom."""
    blocks = [
        table(
            ["run", "split", "correct", "accuracy", "95% interval", "top 2", "NLL", "ECE", "ECE calibrated"],
            [_scores(result) for result in results],
        )
    ]
    if len(results) == 1:
        blocks.append(_classes(results[0]))
    for members, spread in evaluate.seed_summaries(results):
        low, high = spread.interval
        blocks.append(
            f"{members[0].run.recipe.network}, {spread.n} seeds: mean {spread.mean:.3%} ± {spread.sd:.3%} (sd), "
            f"95% interval of the mean {low:.3%} to {high:.3%}"
        )
    compared = evaluate.comparisons(results)
    if len(results) > 2:  # seeds of one recipe have their spread; that one is luckier than another says nothing
        compared = [pair for pair in compared if pair[0].run.recipe.family != pair[1].run.recipe.family]
    if compared:
        blocks.append(
            "\n".join(
                f"{first.run.name} is {test.verdict} {'with' if test.verdict == 'tied' else 'than'} {second.run.name}: "
                f"right alone {test.only_first} to {test.only_second}, p = {test.p_value:.2g}"
                for first, second, test in compared
            )
        )
    return "\n\n".join(blocks)


def personal(result: Personal) -> str:
    """Return what learning a hand brought, and what it cost."""
    changes = [("your pictures, each by a model that never saw it", result.own)]
    if result.known:
        changes.append((f"validation pictures of {result.run.recipe.dataset}", result.known))
    rows = [
        [title, f"{change.after['total']:,}", _percent(change.before), _percent(change.after), _interval(change.after)]
        for title, change in changes
    ]
    return table(["", "pictures", "before", "after", "95% interval"], rows) + f"\n\nin {result.seconds:.1f} s"


def crossvalidation(result: CrossValidation) -> str:
    """Return the accuracy over all folds, and the labels most in doubt."""
    classes, doubts = catalog.find(result.recipe.dataset).classes, result.doubts
    folds = result.fold_accuracies
    ranked = zip(doubts.pictures, doubts.given, doubts.suggested, doubts.margin, strict=True)
    rows = [
        [f"{picture:,}", classes[given], classes[suggested], f"{margin:.3f}"]
        for picture, given, suggested, margin in itertools.islice(ranked, MOST_DOUBTFUL)
    ]
    return "\n".join(
        [
            f"{result.entry['correct']:,} of {result.entry['total']:,} development pictures right, each by a model "
            f"that never saw it: {_percent(result.entry)} ({_interval(result.entry)}), in {result.seconds:.0f} s",
            f"{len(folds)} folds: {min(folds):.2%} to {max(folds):.2%}",
            f"{len(doubts)} labels are in doubt, all of them in {result.folder / DOUBTFUL}; the most doubtful:",
            "",
            table(["picture", "label", "looks like", "margin"], rows),
        ]
    )


def life(result: Life) -> str:
    """Return the table that `tenfold run` ends with, and where everything lies."""
    rows = [
        [
            ("→ " if row.get("chosen") else "  ") + row["model"],
            f"{row['parameters']:,}" if "parameters" in row else "-",
            f"{row['train_seconds']:.1f}",
            _percent(row.get("validation")),
            _percent(row.get("test")),
            _interval(row.get("test") or row.get("validation")) + ("" if "test" in row else " (validation)"),
        ]
        for row in result.table()
    ]
    test = next(entry for entry in result.chosen.scores if entry["split"] == "test")
    return "\n".join(
        [
            table(["  model", "parameters", "seconds", "validation", "test", "95% interval"], rows),
            "",
            f"chosen on validation: {result.chosen.name}; "
            f"{test['correct']:,} of {test['total']:,} test pictures right: {_percent(test)} ({_interval(test)})",
        ]
    )


def search(result: Result) -> str:
    """Return the best trials of a search, those that failed, and how the final between the best two ended."""
    parameters = list(dict.fromkeys(name for trial in result.trials for name in trial.point))
    best = ranked(result.trials)[:BEST]
    counts = Counter(trial.state for trial in result.trials)
    reused = sum(trial.reused for trial in result.trials)
    lines = [
        ", ".join(f"{count} {state}" for state, count in counts.items())
        + (f"; {reused} were paid for before" if reused else "")
    ]
    if best:
        rows = [
            [
                str(t.number),
                f"{t.accuracy:.2%}",
                f"{t.seconds:.1f}",
                *(_short(t.point.get(name)) for name in parameters),
            ]
            for t in best
        ]
        lines += ["", table(["trial", "validation", "seconds", *parameters], rows)]
    if failed := [trial for trial in result.trials if trial.state == "failed"]:
        rows = [[str(t.number), str(t.reason), *(_short(t.point.get(key)) for key in parameters)] for t in failed]
        lines += ["", table(["failed", "why", *parameters], rows)]
    if result.final:
        lines += ["", *_final(result.final)]
    return "\n".join(lines)


def _final(final: dict[str, Any]) -> list[str]:
    models = final["models"]
    rows = [
        [
            f"trial {m['trial']}",
            f"{m['mean']:.2%} ± {m['sd']:.2%}",
            "{:.2%} to {:.2%}".format(*m["interval"]),
            f"{m['train_seconds']:.1f}",
            m["runs"][0],
        ]
        for m in models
    ]
    seeds = len(models[0]["runs"])
    lines = [table([f"{seeds} fresh seeds", "validation", "95% of the mean", "seconds", "first run"], rows)]
    if "comparison" in final:
        test = final["comparison"]
        first, second = (f"trial {model['trial']}" for model in models)
        relation = "is tied with" if test["verdict"] == "tied" else f"is {test['verdict']} than"
        low, high = (100 * end for end in test["interval"])
        lines.append(
            f"{first} {relation} {second}: {100 * test['mean']:+.3f} points ({low:+.3f} to {high:+.3f}), "
            f"paired over {test['n']} seeds, p = {test['p_value']:.2g}"
        )
    return lines


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def export(result: Export) -> str:
    """Return what is known of an exported file."""
    gate, cost = result.gate, result.cost
    ties = f", but for {gate.near_ties} near-ties" if gate.near_ties else ""
    lines = [
        f"{result.precision}, {result.bytes:,} bytes",
        f"in float32 it predicts what {gate.framework} predicts on {gate.pictures:,} pictures{ties}; "
        f"logits differ by {gate.largest_logit_difference:.1g} at most",
    ]
    if cost:
        lines.append(
            f"{result.precision} instead of float32: {0 - cost.points_lost:+.2f} points of accuracy "
            f"(float32 has {cost.float32_accuracy:.2%} on {cost.pictures:,} validation pictures)"
        )
    lines += [
        f"{score['split']}: {score['correct']:,} of {score['total']:,} right, {_percent(score)} ({_interval(score)})"
        for score in result.scores
    ]
    if result.temperature is None:
        lines.append("its probabilities are not calibrated: the run kept no validation pictures")
    else:
        lines.append(f"its probabilities are calibrated, at a temperature of {result.temperature:.3f}")
    lines.append(sure(result.threshold))
    return "\n".join(lines)


def sure(threshold: dict[str, Any] | None) -> str:
    """Return from when an answer is sure, and what shows it."""
    if threshold is None:
        return "no answer is sure: its validation pictures cannot show from when 99.9% are right"
    return (
        f"sure from {threshold['confidence']:.2%}: of {threshold['answered']:,} such answers to "
        f"{threshold['total']:,} validation pictures {threshold['correct']:,} were right"
    )


def _scores(result: Evaluation) -> list[str]:
    entry = result.entry
    calibrated = entry.get("calibrated")
    return [
        result.run.name,
        entry["split"],
        f"{entry['correct']:,}/{entry['total']:,}",
        _percent(entry),
        _interval(entry),
        f"{entry['top2_accuracy']:.2%}",
        f"{entry['negative_log_likelihood']:.4f}",
        f"{entry['expected_calibration_error']:.4f}",
        f"{calibrated['expected_calibration_error']:.4f}" if calibrated else "-",
    ]


def _classes(result: Evaluation) -> str:
    names = catalog.find(result.run.recipe.dataset).classes
    few = len(names) <= WIDEST
    confusion = [
        ["|", *(str(count) if count else "." for count in row)] if few else [] for row in result.entry["confusion"]
    ]
    return table(
        ["true class", "precision", "recall", "F1", "pictures", *(["|", *names] if few else [])],
        [
            [
                name,
                *(f"{scores[key]:.4f}" for key in ("precision", "recall", "f1")),
                f"{scores['support']:,}",
                *row,
            ]
            for name, scores, row in zip(names, result.entry["per_class"], confusion, strict=True)
        ],
    )


def _percent(entry: dict[str, Any] | None) -> str:
    return f"{entry['accuracy']:.2%}" if entry else "-"


def _interval(entry: dict[str, Any] | None) -> str:
    return "{:.2%} to {:.2%}".format(*entry["interval"]) if entry else "-"
