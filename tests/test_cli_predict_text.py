from pathlib import Path
from types import SimpleNamespace

from tenfold.cli import predict as predict_verb
from tenfold.predict import Answer, FileResult

READER = SimpleNamespace(source="model.onnx", description={"threshold": None})
SEVEN = Answer("sure", "7", 0.9987, (("7", 0.9987), ("1", 0.001), ("2", 0.0002)), {})
FOUR = Answer("unsure", "4", 0.5, (("9", 0.5), ("4", 0.5), ("2", 0.0)), {})
BLANK = Answer("no digit found")


def test_a_line_a_file_and_what_sure_means():
    results = [
        FileResult(Path("7.png"), (SEVEN,)),
        FileResult(Path("bad.png"), error="damaged"),
        FileResult(Path("blank.png"), (BLANK,)),
        FileResult(Path("4.png"), (FOUR,)),
    ]
    assert predict_verb.text(READER, results, line=False).splitlines() == [
        "file              verdict  digit  confidence                 or",
        "7.png                sure      7      99.87%   1 0.10%, 2 0.02%",
        "blank.png  no digit found      -           -                  -",
        "4.png              unsure      4      50.00%  9 50.00%, 2 0.00%",
        "",
        "model.onnx; no answer is sure: its validation pictures cannot show from when 99.9% are right",
    ]


def test_a_row_and_where_its_digits_are():
    boxes = ((3, 4, 10, 20), (18, 4, 9, 20), (40, 5, 9, 19))
    results = [FileResult(Path("row.png"), (SEVEN, BLANK, FOUR), boxes), FileResult(Path("empty.png"))]
    first, second, _, _, *rows, _, last = predict_verb.text(READER, results, line=True).splitlines()
    assert (first, second) == ("row.png: 7?4", "empty.png: no digit found")
    assert [row.split("  ")[-1] for row in rows] == ["3, 4, 10, 20", "18, 4, 9, 20", "40, 5, 9, 19"]
    assert last.startswith("model.onnx; ")


def test_when_no_file_could_be_read_the_model_is_named_all_the_same():
    text = predict_verb.text(READER, [FileResult(Path("bad.png"), error="damaged")], line=False)
    assert text.startswith("model.onnx; ")
