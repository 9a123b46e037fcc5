import asyncio
import functools
import io
import itertools
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import pytest
import requests
from PIL import Image

from tenfold.handwriting import picture
from tenfold.serve import app, schemas


def png(image):
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def large(mnist):
    """Digits as one finds them: black on white, 200×200, as PNG files."""
    return [png(np.asarray(Image.fromarray(255 - np.pad(mnist.images[at], 6)).resize((200, 200)))) for at in range(10)]


def direct(reader, content):
    """Return the answer computed without the service, as JSON has it."""
    (answer,) = reader.read([picture.read(picture.decode(content))])
    return json.loads(json.dumps(reader.document(answer)))


def test_a_picture_as_body_or_form(service, reader, large, mnist):
    for content in (large[0], png(mnist.images[3])):
        expected = direct(reader, content)
        assert expected["digit"] is not None
        for words in ({"data": content}, {"files": {"picture": content}}):
            answer = requests.post(service.url("/predict"), **words, timeout=20)
            assert (answer.status_code, answer.json()) == (200, expected)
            schemas.Prediction.model_validate_json(answer.content)


def test_without_a_digit_there_is_a_verdict_alone(service, mnist):
    blank = requests.post(service.url("/predict"), data=png(np.full((50, 60), 255, np.uint8)), timeout=20).json()
    nothing = {"label": None, "digit": None, "confidence": None, "top": [], "probabilities": None, "doubts": []}
    assert blank == {"verdict": "no digit found"} | nothing
    shown = requests.post(
        service.url("/predict?steps=1&maps=1"), data=png(np.full((50, 60), 255, np.uint8)), timeout=20
    ).json()
    assert (shown["image"], shown["maps"]) == (None, [])


def test_steps_and_maps_when_they_are_asked_for(service, reader, large):
    answer = requests.post(service.url("/predict?steps=1&maps=true"), data=large[1], timeout=20)
    checked = schemas.Prediction.model_validate_json(answer.content)
    reading = picture.read(picture.decode(large[1]), steps=True)
    assert checked.image == reading.image.tolist()
    assert [step.title for step in checked.steps] == [title for title, _ in reading.steps]
    assert [(one.layer, one.channels, one.height, one.width) for one in checked.maps] == [
        (name, *maps.shape) for name, maps in reader.maps(reading.image)
    ]
    assert all(one.picture.startswith("data:image/png;base64,") for one in (*checked.steps, *checked.maps))
    plain = requests.post(service.url("/predict"), data=large[1], timeout=20).json()
    assert plain == {key: value for key, value in answer.json().items() if key not in ("image", "steps", "maps")}


def test_many_at_once(service, reader, large, mnist):
    files = [("picture", content) for content in large]
    by_form = requests.post(service.url("/predict/batch"), files=files, timeout=20)
    assert by_form.json() == {"answers": [direct(reader, content) for content in large]}
    schemas.Predictions.model_validate_json(by_form.content)
    images = mnist.images[:64]
    by_json = requests.post(service.url("/predict/batch"), json={"images": images.tolist()}, timeout=20).json()
    assert [one["digit"] for one in by_json["answers"]] == [answer.label for answer in reader.answer(images)]


REFUSED = [
    (415, "/predict", {"data": b"a text"}),
    (415, "/predict", {"data": b""}),
    (415, "/predict/batch", {"data": b"x"}),
    (404, "/nowhere", {}),
    (422, "/predict?steps=maybe", {"data": b"x"}),
    (422, "/predict", {"data": b"GIF89a"}),
    (422, "/predict", {"json": [[1, 2], [3, 4]]}),
    (422, "/predict", {"data": "[[", "headers": {"content-type": "application/json"}}),
    (422, "/predict", {"data": b"x", "headers": {"content-type": "multipart/form-data"}}),
    *((422, "/predict", {"files": files}) for files in ({"other": b"x"}, [("picture", b"x"), ("picture", b"y")])),
    *((422, "/predict/batch", {"json": json}) for json in ([], {"images": []}, {"images": [1] * 65})),
    (422, "/predict/batch", {"files": [("picture", b"x")] * 65}),
]


@pytest.mark.parametrize(("status", "path", "words"), REFUSED)
def test_what_cannot_be_answered_is_refused_in_a_line(service, path, words, status):
    answer = requests.post(service.url(path), **words, timeout=20)
    assert answer.status_code == status, answer.text
    assert "\n" not in schemas.Problem.model_validate_json(answer.content).detail


@pytest.mark.slow
def test_sixteen_million_pixels_are_the_most(service):
    too_many = requests.post(service.url("/predict"), data=png(np.zeros((4_001, 4_000), np.uint8)), timeout=20)
    assert too_many.status_code == 413
    files = [("picture", png(np.full((2_000, 2_000), 255, np.uint8)))] * 5
    together = requests.post(service.url("/predict/batch"), files=files, timeout=60)
    assert together.status_code == 413


def test_it_says_what_the_model_is(service, reader):
    answer = requests.get(service.url("/model"), timeout=20)
    described = schemas.Description.model_validate_json(answer.content)
    assert (described.name, described.sha256) == ("small", reader.description["sha256"])
    images = np.uint8(described.test_vector.images)
    logits, _ = reader.model.answer(images)
    assert np.abs(logits - described.test_vector.logits).max() <= described.test_vector.tolerance
    assert requests.get(service.url("/health"), timeout=20).json() == {"status": "ok"}


def test_the_page_is_handed_out_and_nothing_else(service):
    page = requests.get(service.url("/"), timeout=20)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text == requests.get(service.url("/page/index.html"), timeout=20).text
    for path in ("/page/", "/page/none.js", "/page/%2e%2e/app.py", "/page//etc/passwd", "/page/../app.py", "/docs"):
        answer = requests.Request("GET", service.url("/")).prepare()
        answer.url = service.url(path)
        with requests.Session() as session:
            assert session.send(answer, timeout=20).status_code == 404


def test_parallel_requests_get_each_their_own_answer(service, reader, mnist, large):
    """200 requests over 20 connections, small and large pictures mixed, beside what is answered directly."""
    contents = [large[at % 10] if at % 4 == 0 else png(mnist.images[at]) for at in range(200)]
    expected = [direct(reader, content) for content in contents]

    def ask(which):
        with requests.Session() as session:
            return [session.post(service.url("/predict"), data=contents[at], timeout=60).json() for at in which]

    with ThreadPoolExecutor(20) as pool:
        parts = list(pool.map(ask, [range(start, 200, 20) for start in range(20)]))
    for start, part in enumerate(parts):
        assert part == expected[start::20]


def test_while_large_pictures_are_read_small_ones_are_answered_and_too_many_are_sent_away(
    service, large, mnist, monkeypatch
):
    """Both threads are kept busy, and one more waits: the next is told when to come back."""
    monkeypatch.setattr(app.intake, "WAITING", 1)
    begun, go_on = threading.Semaphore(0), threading.Event()
    read = picture.read

    def slow(grey, *words, **keywords):
        if grey.shape != (28, 28):
            begun.release()
            go_on.wait(20)
        return read(grey, *words, **keywords)

    monkeypatch.setattr(picture, "read", slow)
    ask = functools.partial(requests.post, service.url("/predict"), timeout=60)
    with ThreadPoolExecutor(6) as pool:
        try:
            asked = [pool.submit(ask, data=large[0]) for _ in range(2)]
            assert all(begun.acquire(timeout=20) for _ in range(2))
            asked += [pool.submit(ask, data=large[0]) for _ in range(4)]
            done = itertools.islice(as_completed(asked), 3)
            assert [(one.result().status_code, one.result().headers["retry-after"]) for one in done] == [(503, "1")] * 3
            assert ask(data=png(mnist.images[0])).status_code == 200
            assert requests.get(service.url("/health"), timeout=20).status_code == 200
        finally:
            go_on.set()
        assert sorted(one.result().status_code for one in asked) == [200] * 3 + [503] * 3


def test_no_picture_is_decoded_on_the_event_loop(served, reader, large, mnist):
    loops = []

    class Watched:
        source, description = reader.source, reader.description
        read, document = reader.read, reader.document

        def prepare(self, grey, steps=False):
            loops.append(asyncio._get_running_loop())
            return reader.prepare(grey, steps)

    url = served(app.create_app(Watched()))
    for content in (large[0], png(mnist.images[0])):
        for words in ({"data": content}, {"files": {"picture": content}}):
            assert requests.post(f"{url}/predict", **words, timeout=20).ok
    assert loops == [None] * 4


def test_damaged_pictures_are_refused_and_harm_nobody(service, large):
    """Every format, cut and with bytes changed, and disguised as another."""
    rng = np.random.default_rng(0)
    statuses = set()
    with requests.Session() as session:
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
            content = io.BytesIO()
            Image.open(io.BytesIO(large[0])).save(content, kind)
            whole = content.getvalue()
            spoilt = [whole[: int(part * len(whole))] for part in (0.02, 0.2, 0.6, 0.99)]
            for _ in range(6):
                flipped = bytearray(whole)
                for at in rng.integers(4, len(whole), 8):
                    flipped[at] ^= 1 << rng.integers(8)
                spoilt.append(bytes(flipped))
            spoilt += [b"\x89PNG\r\n\x1a\n" + whole, b"GIF89a" + whole]
            for one in spoilt:
                answer = session.post(service.url("/predict"), data=one, timeout=60)
                statuses.add(answer.status_code)
                assert (schemas.Prediction if answer.ok else schemas.Problem).model_validate_json(answer.content)
    assert {200, 422} <= statuses <= {200, 413, 415, 422}
    assert not any("traceback" in line for line in service.lines())


writes = []
watching = False


def _watch(event, words):
    if watching and (
        (event == "open" and (words[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        or event in ("tempfile.mkstemp", "os.mkdir", "os.rename", "os.remove")
    ):
        writes.append((event, words))


def test_no_request_touches_the_disk(service, mnist):
    """Not even a form of two megabytes, which Starlette would put into a temporary file."""
    global watching
    sys.addaudithook(_watch)
    rng = np.random.default_rng(0)
    noise = png(rng.integers(0, 256, (1_380, 1_380), np.uint8))
    assert 1_800_000 < len(noise) < 2_000_000
    name = {"picture": ("../../etc/cron.d/seven.png", noise)}
    watching = True
    try:
        for words in ({"files": name}, {"data": noise}, {"json": mnist.images[0].tolist()}):
            assert requests.post(service.url("/predict"), **words, timeout=60).status_code == 200
        requests.post(service.url("/predict/batch"), files=[("picture", noise[:900_000])] * 2, timeout=60)
        requests.get(service.url("/page/../../x"), timeout=20)
    finally:
        watching = False
    assert writes == []
