import json
import logging
import os
import re
import sys
import warnings
from contextlib import suppress

import numpy as np
import requests

from tenfold.handwriting.decode import PictureError, decode
from tenfold.serve.telemetry import Telemetry
from test_decode import encoded


def test_a_request_is_a_line_without_what_is_in_the_picture(service, mnist):
    before = len(service.lines())
    array = mnist.images[0].tolist()
    requests.post(service.url("/predict?steps=1&secret=7"), json=array, timeout=20)
    requests.get(service.url("/" + "x" * 5_000), timeout=20)
    # A line is written when the answer is out, which may be a moment after it was received.
    requests.get(service.url("/health"), timeout=20)
    line, long, *_ = service.lines()[before:]
    assert set(line) == {"time", "method", "path", "status", "ms", "bytes_in", "bytes_out"}
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert line["bytes_in"] == len(json.dumps(array))
    assert line["bytes_out"] > 1_000
    assert line["ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])
    assert len(long["path"]) == 200


def test_all_that_is_written_to_standard_error_is_json(capfd):
    """Warnings, loggers of libraries, and libtiff, which writes there by itself."""
    damaged = bytearray(encoded(np.zeros((40, 40), np.uint8), "TIFF", compression="tiff_lzw"))
    damaged[8:12] = b"\xff" * 4
    before = logging.getLogger().handlers[:]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with Telemetry(sys.stderr).alone():
            with suppress(PictureError):
                decode(bytes(damaged))
            warnings.warn("odd", RuntimeWarning, stacklevel=1)
            logging.getLogger("python_multipart.multipart").warning("skipping %s", "data")
            os.write(2, b"half a line")
    os.write(2, b"end\n")
    *lines, end = capfd.readouterr().err.splitlines()
    messages = [json.loads(line)["message"] for line in lines]
    for part in ("Using code not yet in table", "odd", "skipping data", "half a line"):
        assert any(part in message for message in messages), (part, messages)
    assert end == "end"
    assert logging.getLogger().handlers == before


def value(text, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


def metrics(service):
    answer = requests.get(service.url("/metrics"), timeout=20)
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def test_metrics_count_requests_seconds_and_verdicts(service, mnist):
    names = [
        'tenfold_requests_total{path="/predict",status="200"}',
        'tenfold_request_seconds_count{path="/predict"}',
        'tenfold_answers_total{verdict="unsure"}',
    ]
    first = requests.post(service.url("/predict"), json=mnist.images[0].tolist(), timeout=20).json()
    names[2] = names[2].replace("unsure", first["verdict"])
    before = [value(metrics(service), name) for name in names]
    for _ in range(3):
        requests.post(service.url("/predict"), json=mnist.images[0].tolist(), timeout=20)
    after = [value(metrics(service), name) for name in names]
    assert [late - early for early, late in zip(before, after, strict=True)] == [3, 3, 3]
    assert value(metrics(service), "process_resident_memory_bytes") > 1e7


def test_nobody_makes_the_metrics_grow(service):
    for at in range(5):
        requests.get(service.url(f"/none-{at}"), timeout=20)
        requests.get(service.url(f"/page/none-{at}"), timeout=20)
    paths = set(re.findall(r'tenfold_requests_total\{path="([^"]*)"', metrics(service)))
    assert {"other", "/page/{name:path}"} <= paths
    assert not any("none" in path for path in paths)
