import json
import os
import threading

import pytest

from tenfold import files


def test_a_file_appears_whole_and_with_ordinary_rights(tmp_path):
    path = tmp_path / "value.json"
    files.write_json(path, {"a": [1, 2]})
    assert json.loads(path.read_text()) == {"a": [1, 2]}
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert os.listdir(tmp_path) == ["value.json"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path, error):
    path = tmp_path / "value"
    path.write_text("old")

    def fail():
        with files.atomic(path) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["value"]


def test_lines_of_many_writers_do_not_mix(tmp_path):
    path = tmp_path / "ledger"
    values = [{"writer": writer, "text": "x" * 2_000} for writer in range(8)]
    threads = [
        threading.Thread(target=lambda value=value: [files.append_line(path, value) for _ in range(20)])
        for value in values
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(lines.count(value) == 20 for value in values)


def test_half_a_line_ends_where_it_stands(tmp_path):
    """A writer that was killed costs its own line, and not the next one's."""
    path = tmp_path / "ledger"
    files.append_line(path, {"a": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:4])
    files.append_line(path, {"b": 2})
    files.append_line(path, {"c": 3})
    assert path.read_text().splitlines() == ['{"a": 1}', '{"a"', '{"b": 2}', '{"c": 3}']
