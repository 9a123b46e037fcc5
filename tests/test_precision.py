"""The remembered precision: measured once for each case, and again if it cannot be read or written."""

from tenfold import architectures
from tenfold.frameworks import precision

HERE = {"framework": "pytorch", "device": "cpu", "threads": 2}
NETWORK = architectures.mlp(10)


def _measure(answers):
    return lambda: answers.pop()


def test_a_case_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    answers = ["float32", "bfloat16"]
    for _ in range(3):
        assert precision.remembered(NETWORK, 64, HERE, _measure(answers)) == "bfloat16"
    assert answers == ["float32"]


def test_another_network_batch_size_thread_device_or_framework_is_another_case(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    others = [
        (architectures.mlp(10, width=64), 64, HERE),
        (NETWORK, 128, HERE),
        (NETWORK, 64, HERE | {"threads": 1}),
        (NETWORK, 64, HERE | {"device": "cuda"}),
        (NETWORK, 64, HERE | {"framework": "tensorflow"}),
    ]
    assert precision.remembered(NETWORK, 64, HERE, lambda: "bfloat16") == "bfloat16"
    for other in others:
        assert precision.remembered(*other, lambda: "float32") == "float32"
        assert precision.remembered(*other, lambda: "bfloat16") == "float32"


def test_a_damaged_file_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    precision.remembered(NETWORK, 64, HERE, lambda: "bfloat16")
    (path,) = precision.folder().iterdir()
    written = path.read_text()
    for damaged in ("", "{", "[]", '{"precision": "bfloat16"}', written.replace("bfloat16", "int8")):
        path.write_text(damaged)
        assert precision.remembered(NETWORK, 64, HERE, lambda: "float32") == "float32"
        assert precision.remembered(NETWORK, 64, HERE, lambda: "bfloat16") == "float32"


def test_without_a_cache_folder_it_is_measured_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path / "file"))
    answers = ["float32", "bfloat16"]
    assert precision.remembered(NETWORK, 64, HERE, _measure(answers)) == "bfloat16"
    assert precision.remembered(NETWORK, 64, HERE, _measure(answers)) == "float32"
