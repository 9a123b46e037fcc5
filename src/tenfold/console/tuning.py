"""A search as text."""

from collections import Counter
from typing import Any

from tenfold.console.tables import table
from tenfold.tune.study import Result, ranked

BEST = 5  # trials that are shown


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
