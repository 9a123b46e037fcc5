"""Answers to pictures as text: a line a file, or a digit of a row."""

import itertools
from collections.abc import Sequence

from tenfold.answers import Answer
from tenfold.console.outcome import sure
from tenfold.console.tables import table
from tenfold.predict import FileResult, Reader


def answers(reader: Reader, results: Sequence[FileResult], line: bool) -> str:
    """Return a line a file, or with `line` what each row says and then a line a digit; at the end, what sure means."""
    read = [result for result in results if result.error is None]
    given = [(result, *pair) for result in read for pair in itertools.zip_longest(result.answers, result.boxes)]
    header = ["file", "verdict", "digit", "confidence", "or"]
    rows = [[str(result.path), *_columns(answer)] for result, answer, _ in given]
    blocks = []
    if line:
        blocks.append("\n".join(f"{result.path}: {result.text or 'no digit found'}" for result in read))
        header.append("left, top, width, height")
        rows = [[*row, ", ".join(map(str, box))] for row, (_, _, box) in zip(rows, given, strict=True)]
    if rows:
        blocks.append(table(header, rows))
    return "\n\n".join([*filter(None, blocks), f"{reader.source}; {sure(reader.description['threshold'])}"])


def _columns(answer: Answer) -> list[str]:
    if answer.digit is None:
        return [answer.verdict, "-", "-", "-"]
    others = ", ".join(f"{name} {share:.2%}" for name, share in answer.top if name != answer.digit)
    return [answer.verdict, answer.digit, f"{answer.confidence:.2%}", others]
