"""Own handwriting over HTTP: what is kept, what is refused, what is learnt, and the way back."""

import base64
import json
import shutil
import threading

import pytest
import requests

from tenfold import personal, predict, recipes, train
from tenfold.errors import TenfoldError, UsageError
from tenfold.export import export
from tenfold.scores import Score
from tenfold.serve import handwriting, server
from tenfold.serve.app import create_app
from test_drawings import png


def _url(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


class Client:
    """Asks one service."""

    def __init__(self, address):
        self.address = address

    def request(self, method, path, **settings):
        return requests.request(method, self.address + path, timeout=20, **settings)

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, json=None):
        return self.request("POST", path, json=json)

    def delete(self, path):
        return self.request("DELETE", path)


@pytest.fixture
def serving(run, served, tmp_path):
    """`serving()` is a client of a service that keeps drawings in one folder; each call is a start of its own."""

    def start(model=run.folder):
        app = create_app(predict.open_reader(model))
        handwriting.enable(app, tmp_path / "mine", predict.run_of(model))
        return Client(served(app))

    return start


@pytest.fixture
def client(serving):
    return serving()


@pytest.fixture
def filled(client, mnist):
    """A client whose service has a drawing of each digit."""
    for label in range(10):
        picture = _url(png(mnist.images[mnist.labels == label][3]))
        assert client.post("/handwriting", json={"label": str(label), "picture": picture}).status_code == 201
    return client


@pytest.fixture
def lesson(monkeypatch, run, sibling):
    """Learning that takes as long as a test wants: `lesson.end()`, with a result or with an error."""

    class Lesson:
        def __init__(self):
            self.begun, self.over, self.error = threading.Event(), threading.Event(), None

        def learn(self, base, drawings, out, progress):
            with progress.task("learning", 4) as done:
                done(1)
                self.begun.set()
                assert self.over.wait(20)
            if self.error:
                raise self.error
            learnt = sibling("learnt", seed=7)
            out.rmdir()
            learnt.folder.rename(out)
            score = Score(split="own", confusion=((9, 1), (0, 0)))
            change = personal.Change(score, score)
            return personal.Personal(type(run)(out), change, change, 1.5)

        def end(self, client):
            self.over.set()
            for thread in threading.enumerate():
                if thread.name == handwriting.THREAD:
                    thread.join(20)
            return client.get("/handwriting").json()

    one = Lesson()
    monkeypatch.setattr(
        personal, "personalise", lambda base, drawings, out, progress: one.learn(base, drawings, out, progress)
    )
    yield one
    one.over.set()


def _model(client):
    return client.get("/model").json()["name"]


def test_a_drawing_is_kept_and_deleted(client, mnist, tmp_path):
    kept = client.post("/handwriting", json={"label": "5", "picture": _url(png(mnist.images[0]))}).json()
    assert [path.name for path in tmp_path.glob("mine/5/*")] == [f"{kept['id']}.png"]
    status = client.get("/handwriting").json()
    assert status["counts"] == dict.fromkeys("0123456789", 0) | {"5": 1}
    assert status["last"] == {"id": kept["id"], "label": "5"}
    assert client.delete(f"/handwriting/{kept['id']}").json()["last"] is None
    assert client.delete(f"/handwriting/{kept['id']}").status_code == 404
    assert list(tmp_path.glob("mine/5/*")) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"label": "../5", "picture": "data:image/png;base64,AAAA"}, 422),
        ({"label": "5", "picture": "data:image/png;base64,AAAA"}, 415),
        ({"label": "5", "picture": "data:image/png;base64,..."}, 422),
        ({"label": "5", "picture": "/etc/passwd"}, 422),
        ({"label": "5", "picture": "x" * 400_001}, 422),
        ({"label": "5"}, 422),
        ({"label": 5, "picture": ""}, 422),
        ([], 422),
    ],
)
def test_what_is_no_drawing_is_refused_in_one_line(client, tmp_path, body, status):
    answer = client.post("/handwriting", json=body)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert not (tmp_path / "mine").exists()


def test_a_path_in_an_address_deletes_nothing(filled, tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    for name in ("..%2F..%2Fx", "%2e%2e/x", "*", "x"):
        assert filled.delete(f"/handwriting/{name}").status_code in (404, 405)
    assert len(list(tmp_path.rglob("*.png"))) == 11


def test_nothing_is_kept_unless_it_is_switched_on(run, served):
    client = Client(served(create_app(predict.open_reader(run.folder))))
    assert client.get("/model").json()["handwriting"] is False
    assert client.get("/handwriting").status_code == 404
    assert client.post("/handwriting", json={}).status_code in (404, 405)


def test_handwriting_is_for_this_machine_alone(run, tmp_path):
    with pytest.raises(UsageError, match="leave out --host"):
        server.serve(run.folder, "0.0.0.0", 0, handwriting=tmp_path / "mine")


def test_it_learns_beside_the_service_and_one_can_go_back(filled, lesson, run):
    assert filled.get("/handwriting").json()["why_not"] is None
    assert filled.post("/handwriting/learn").status_code == 202
    assert lesson.begun.wait(20)
    status = filled.get("/handwriting").json()  # the service answers meanwhile
    assert status["learning"] == {"title": "learning", "share": 0.25}
    assert filled.post("/handwriting/learn").status_code == 409
    assert filled.post("/handwriting/back").status_code == 409
    assert _model(filled) == run.name
    status = lesson.end(filled)
    assert status["learning"] is status["trouble"] is None
    score = Score(split="own", confusion=((9, 1), (0, 0))).document()
    assert (
        status["result"]["own"]
        == status["result"]["known"]
        == json.loads(json.dumps({"before": score, "after": score}))
    )
    assert status["result"]["dataset"] == "MNIST handwritten digits"
    assert _model(filled) == "personal"
    assert filled.post("/handwriting/back").json()["result"] is None
    assert _model(filled) == run.name
    assert filled.post("/handwriting/back").status_code == 409


def test_the_model_that_comes_along_learns_too_and_is_only_read(serving, lesson, mnist):
    before = {path.name: path.read_bytes() for path in predict.SHIPPED.iterdir()}
    client = serving(None)
    for label in range(10):
        picture = _url(png(mnist.images[mnist.labels == label][3]))
        client.post("/handwriting", json={"label": str(label), "picture": picture})
    assert (_model(client), client.get("/handwriting").json()["why_not"]) == (predict.BUNDLED, None)
    client.post("/handwriting/learn")
    lesson.end(client)
    assert _model(client) == "personal"
    client.post("/handwriting/back")
    assert _model(client) == predict.BUNDLED
    assert {path.name: path.read_bytes() for path in predict.SHIPPED.iterdir()} == before


def test_what_was_learnt_is_there_after_a_restart_and_with_that_model_alone(filled, lesson, serving, run):
    filled.post("/handwriting/learn")
    lesson.end(filled)
    again = serving()
    assert _model(again) == "personal"
    other = train.train(recipes.replace(run.recipe, seed=5, epochs=0.2), run.folder.with_name("other"))
    assert _model(serving(other.folder)) == "other"
    assert _model(serving()) == "personal"
    again.post("/handwriting/back")
    assert _model(serving()) == run.name


def test_a_model_that_was_deleted_is_not_missed(filled, lesson, serving, run, tmp_path):
    filled.post("/handwriting/learn")
    lesson.end(filled)
    shutil.rmtree(tmp_path / "mine" / handwriting.MODELS / "personal")
    assert _model(serving()) == run.name
    (tmp_path / "mine" / handwriting.MODELS / handwriting.VERSIONS).write_text("{}")
    with pytest.raises(TenfoldError, match="damaged"):
        serving()


def test_two_lessons_are_two_steps_back(filled, lesson, run, tmp_path):
    for name in ("personal", "personal-2"):
        filled.post("/handwriting/learn")
        lesson.end(filled)
        assert _model(filled) == name
    filled.post("/handwriting/back")
    assert _model(filled) == "personal"
    filled.post("/handwriting/back")
    assert _model(filled) == run.name


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TenfoldError("the loss stopped being a number"), "the loss stopped being a number"),
        (ValueError("x"), "the log"),
    ],
)
def test_learning_that_fails_is_said_and_changes_nothing(filled, lesson, run, error, said, caplog):
    lesson.error = error
    filled.post("/handwriting/learn")
    status = lesson.end(filled)
    assert said in status["trouble"]
    assert status["learning"] is status["result"] is None
    assert ("Traceback" in caplog.text) == isinstance(error, ValueError)
    assert _model(filled) == run.name


def test_too_few_drawings_are_counted(client, mnist):
    client.post("/handwriting", json={"label": "5", "picture": _url(png(mnist.images[0]))})
    answer = client.post("/handwriting/learn")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("1 of the 10 drawings")


def test_an_exported_model_keeps_drawings_and_says_that_it_cannot_learn(run, serving, tmp_path, mnist):
    export(run, tmp_path / "model.onnx")
    client = serving(tmp_path / "model.onnx")
    assert client.post("/handwriting", json={"label": "5", "picture": _url(png(mnist.images[0]))}).status_code == 201
    assert "exported file, which cannot learn" in client.get("/handwriting").json()["why_not"]
    assert client.post("/handwriting/learn").status_code == 409


def test_pages_of_other_sites_may_not_have_it_learn_or_forget(filled):
    for method, path in (("POST", ""), ("POST", "/learn"), ("POST", "/back"), ("DELETE", "/x")):
        for origin in ("http://evil.example", "null"):
            assert filled.request(method, f"/handwriting{path}", headers={"Origin": origin}).status_code == 403
    assert filled.request("GET", "/handwriting", headers={"Host": "evil.example"}).status_code == 421
