"""Own handwriting over HTTP: what is kept, what is refused, what is learnt, and the way back."""

import base64
import json
import resource
import shutil
import threading
from contextlib import contextmanager

import pytest
import requests

from tenfold import personal, predict, recipes, train
from tenfold.errors import TenfoldError
from tenfold.export import export
from tenfold.scores import Score
from tenfold.serve import handwriting
from tenfold.serve.app import create_app
from test_drawings import png


def _url(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


class Client(requests.Session):
    """Asks one service."""

    def __init__(self, address):
        super().__init__()
        self.address = address

    def request(self, method, path, **settings):
        return super().request(method, self.address + path, timeout=20, **settings)


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
            name = f"learnt-{out.name}"
            with progress.task("learning", 4) as done:
                done(1)
                self.begun.set()
                assert self.over.wait(20)
            if self.error:
                raise self.error
            learnt = sibling(name, seed=7)
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
        ({"label": "5", "picture": "/etc/passwd"}, 422),
        ({"label": "5", "picture": "data:image/png;base64,é"}, 422),
        ({"label": "5", "picture": "x" * 1_000_000}, 413),
        ({"label": "5", "picture": "x" * 400_001}, 422),
        ({"label": 5, "picture": ""}, 422),
    ],
)
def test_what_is_no_drawing_is_refused_in_one_line(client, tmp_path, body, status):
    answer = client.post("/handwriting", json=body)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert not (tmp_path / "mine").exists()


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


def test_what_was_learnt_is_there_after_a_restart_and_with_that_model_alone(filled, lesson, serving, run, tmp_path):
    filled.post("/handwriting/learn")
    lesson.end(filled)
    assert _model(serving()) == "personal"
    versions = tmp_path / "mine" / handwriting.MODELS / handwriting.VERSIONS
    ((base, results),) = json.loads(versions.read_text()).items()
    versions.write_text(json.dumps({"base": base, "results": results}))  # as it was kept at first
    assert _model(serving()) == "personal"
    other = train.train(recipes.replace(run.recipe, seed=5, epochs=0.2), run.folder.with_name("other"))
    assert _model(serving(other.folder)) == "other"
    again = serving()
    again.post("/handwriting/back")
    assert _model(serving()) == run.name
    again.post("/handwriting/learn")
    lesson.end(again)
    models = tmp_path / "mine" / handwriting.MODELS
    for path in models.glob("personal*"):
        shutil.rmtree(path)  # by hand: it is not missed
    assert _model(serving()) == run.name
    versions.write_text('{"base": "x"}')
    with pytest.raises(TenfoldError, match="damaged"):
        serving()


def test_services_and_models_on_one_folder_forget_nothing_of_each_other(filled, lesson, serving, run):
    """Each learns its lesson; of what one goes back from, the other's stays."""
    other = train.train(recipes.replace(run.recipe, seed=5, epochs=0.2), run.folder.with_name("other"))
    same, others = serving(), serving(other.folder)
    for name, client in (("personal", filled), ("personal-2", same), ("personal-3", others)):
        client.post("/handwriting/learn")
        assert lesson.end(client)["trouble"] is None
        assert _model(client) == name
    assert filled.post("/handwriting/back").json()["result"] is None
    assert [_model(client) for client in (serving(), serving(other.folder))] == ["personal-2", "personal-3"]


def test_what_killed_learning_left_is_removed_at_the_next_start_but_not_what_is_being_learnt(
    filled, lesson, serving, tmp_path
):
    filled.post("/handwriting/learn")
    assert lesson.begun.wait(20)
    models = tmp_path / "mine" / handwriting.MODELS
    same = serving()
    assert [path.name for path in models.glob("personal*")] == ["personal"]
    same.post("/handwriting/learn")
    for thread in threading.enumerate():
        if thread.name == handwriting.THREAD:
            thread.join(0.2)
    assert "another service" in same.get("/handwriting").json()["trouble"]
    lesson.end(filled)
    (models / "personal-2").mkdir()
    (models / "personal-2" / "recipe.json").write_text("{")
    assert _model(serving()) == "personal"
    assert [path.name for path in models.glob("personal*")] == ["personal"]


@pytest.fixture
def full():
    """A disk that takes no byte more, while the block runs."""

    @contextmanager
    def while_full():
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return while_full


def test_where_nothing_can_be_stored_nothing_changes(filled, lesson, full, serving, mnist):
    filled.post("/handwriting/learn")
    lesson.end(filled)
    before = filled.get("/handwriting").json()
    with full():
        drawing = {"label": "5", "picture": _url(png(mnist.images[0]))}
        for answer in (filled.post("/handwriting/back"), filled.post("/handwriting", json=drawing)):
            assert answer.status_code == 507
            assert "\n" not in answer.json()["detail"]
    assert filled.get("/handwriting").json() == before
    assert _model(filled) == _model(serving()) == "personal"


def test_its_description_names_the_refusals_and_options_the_methods(client):
    paths = client.get("/openapi.json").json()["paths"]
    for path, method, statuses in (
        ("/handwriting", "post", {"201", "409", "413", "415", "422", "507"}),
        ("/handwriting/{name}", "delete", {"200", "404", "507"}),
        ("/handwriting/back", "post", {"200", "409", "507"}),
    ):
        responses = paths[path][method]["responses"]
        assert statuses <= set(responses)
        for status in statuses - {"200", "201"}:
            schema = responses[status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}
    for path, methods in (("", "GET, POST"), ("/x", "DELETE"), ("/learn", "DELETE, POST")):
        for method in ("OPTIONS", "PATCH"):
            answer = client.request(method, f"/handwriting{path}")
            assert answer.status_code == {"OPTIONS": 204, "PATCH": 405}[method]
            assert answer.headers["allow"] == f"{methods}, OPTIONS"


@pytest.mark.parametrize("error", [TenfoldError("the loss stopped being a number"), ValueError("x")])
def test_learning_that_fails_is_said_and_changes_nothing(filled, lesson, run, error, caplog):
    lesson.error = error
    filled.post("/handwriting/learn")
    status = lesson.end(filled)
    assert status["trouble"]
    assert status["learning"] is status["result"] is None
    assert ("Traceback" in caplog.text) == isinstance(error, ValueError)
    assert _model(filled) == run.name


def test_too_few_drawings_and_exported_models_cannot_learn(client, run, serving, tmp_path, mnist):
    export(run, tmp_path / "model.onnx")
    for one in (client, serving(tmp_path / "model.onnx")):
        drawing = {"label": "5", "picture": _url(png(mnist.images[0]))}
        assert one.post("/handwriting", json=drawing).status_code == 201
        answer = one.post("/handwriting/learn")
        assert (answer.status_code, answer.json()["detail"]) == (409, one.get("/handwriting").json()["why_not"])


def test_pages_of_other_sites_may_neither_read_nor_have_it_learn_or_forget(filled):
    """Nor may a page whose name was pointed at this machine, which asks its own origin."""
    before = filled.get("/handwriting").json()
    drawing = f"/{before['last']['id']}"
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    for method, path in (("POST", ""), ("POST", "/learn"), ("POST", "/back"), ("DELETE", drawing), ("GET", "")):
        assert filled.request(method, f"/handwriting{path}", headers=rebound).status_code == 421
        for origin in ("http://evil.example", "null"):
            headers = {"Origin": origin, "Access-Control-Request-Method": method}
            allowed = filled.request("OPTIONS", f"/handwriting{path}", headers=headers)
            answer = filled.request(method, f"/handwriting{path}", headers=headers)
            assert answer.status_code == (200 if method == "GET" else 403)
            assert not any("access-control" in name.lower() for name in [*allowed.headers, *answer.headers])
    assert filled.get("/handwriting").json() == before
