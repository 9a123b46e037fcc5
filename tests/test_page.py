"""The page where one draws, in a real browser: each digit as a hand draws it, by mouse, finger and keyboard."""

import base64
import io
import os
import re
import shutil

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from strokes import DIGITS, wobbly
from tenfold import predict, recipes, train
from tenfold.serve import handwriting
from tenfold.serve.app import create_app

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PREDICT = re.compile(r"/predict(\?|$)")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that takes what hands do: a few seconds of training with turned and scaled digits."""
    strengths = ["rotation=10", "shift=1.5", "scale=0.1", "shear=0.1"]
    recipe = recipes.override(recipes.quick(), [*strengths, "epochs=1.5", "precision=float32"])
    return train.train(recipe, tmp_path_factory.mktemp("models") / "drawn")


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    return tmp_path_factory.mktemp("own") / "my-digits"


@pytest.fixture(scope="module")
def address(trained, drawings, served):
    """The service in this process, with own handwriting switched on."""
    app = create_app(predict.open_reader(trained.folder))
    handwriting.enable(app, drawings, trained)
    return served(app) + "/"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("needs Chromium")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, address):
    """`opened(viewport=…)` is a tab with the page; none may say anything on the console or ask anybody else."""
    contexts, said, asked = [], [], []

    def tab(path="", **settings):
        contexts.append(browser.new_context(**{"viewport": DESK} | settings))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        expect(page.locator("#bars li")).to_have_count(10)
        return page

    tab.said = said
    yield tab
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []


@pytest.fixture
def page(opened):
    return opened()


def _places(page, stroke):
    box = page.locator("#pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def _draw(page, strokes):
    for stroke in strokes:
        first, *others = _places(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for place in others:
            page.mouse.move(*place)
        page.mouse.up()


def _says(page, digit):
    article = "an" if digit == "8" else "a"
    expect(page.locator("#words")).to_have_text(f"This is {article} {digit}.")
    expect(page.locator("#digit")).to_have_text(digit)


def _share(page, digit):
    return float(page.locator(f"#bars li[data-name='{digit}'] .share").inner_text().rstrip("%"))


def _answers_with(page, **answer):
    """Have the service give this answer, whatever is drawn."""
    document = {"verdict": "sure", "label": None, "confidence": None, "top": [], "probabilities": None} | answer
    page.route(PREDICT, lambda route: route.fulfill(json=document))


# Drawing


def test_every_digit_is_read_while_it_is_drawn(page):
    for digit in DIGITS:
        _draw(page, wobbly(digit, seed=1))
        _says(page, digit)
        assert _share(page, digit) > 90
        expect(page.locator("#bars .best .name")).to_have_text(digit)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#words")).to_have_text("Waiting for a digit.")


def test_a_finger_draws_on_a_phone_and_the_page_stays_where_it_is(opened):
    page = opened(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=3)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.evaluate("scrollTo(0, 30)")
    touch = page.context.new_cdp_session(page)

    def send(kind, *places):
        points = [{"x": x, "y": y} for x, y in places]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for stroke in wobbly("4", seed=1):
        first, *others = _places(page, stroke)
        send("touchStart", first)
        for place in others:
            send("touchMove", place)
        send("touchEnd")
    _says(page, "4")
    assert page.evaluate("scrollY") == 30
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator("#pad").bounding_box()
    assert box["width"] == box["height"] > 300


def test_a_second_finger_does_not_disturb_the_first(opened):
    page = opened(viewport=PHONE, has_touch=True)
    touch = page.context.new_cdp_session(page)
    line = _places(page, [(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)])
    palm = _places(page, [(0.95, 0.95)])[0]
    for kind, *places in (
        ("touchStart", line[0]),
        ("touchStart", line[0], palm),
        ("touchMove", line[1], palm),
        ("touchMove", line[2], palm),
        ("touchEnd",),
    ):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    _says(page, "1")


def test_undo_redo_and_clear(page):
    undo, redo, clear = (page.get_by_role("button", name=name) for name in ("Undo", "Redo", "Clear"))
    for button in (undo, redo, clear):
        expect(button).to_be_disabled()
    _draw(page, DIGITS["4"])
    _says(page, "4")
    undo.click()
    expect(page.locator("#words")).not_to_have_text("This is a 4.")
    redo.click()
    _says(page, "4")
    clear.click()
    expect(page.locator("#words")).to_have_text("Waiting for a digit.")
    expect(page.locator("#sees")).to_be_hidden()
    page.keyboard.press("Control+z")
    _says(page, "4")
    page.keyboard.press("Control+y")
    expect(page.locator("#words")).to_have_text("Waiting for a digit.")
    expect(redo).to_be_disabled()


def test_the_keyboard_draws_and_reaches_every_control(page):
    names = []
    for _ in range(30):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "pad", "thickness", "choose", "prompts", "SUMMARY"} <= set(names)
    page.locator("#pad").focus()
    page.keyboard.press("Space")
    for _ in range(11):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    _says(page, "1")
    page.keyboard.press("Shift+ArrowLeft")  # the pen is up: nothing is drawn
    page.keyboard.press("+")
    assert page.get_by_role("slider", name="Thickness").input_value() == "7"
    page.keyboard.press("Delete")
    expect(page.locator("#words")).to_have_text("Waiting for a digit.")
    assert page.evaluate("scrollY") == 0


# What it says


def test_what_is_unsure_is_not_said_as_if_it_were_sure(page):
    shares = dict.fromkeys(DIGITS, 0.01) | {"4": 0.6, "9": 0.33}
    top = [["4", 0.6], ["9", 0.33], ["0", 0.01]]
    _answers_with(page, verdict="unsure", label="4", confidence=0.6, top=top, probabilities=shares)
    _draw(page, DIGITS["4"])
    expect(page.locator("#words")).to_have_text("Not sure.")
    expect(page.locator("#digit")).to_have_text("?")
    expect(page.locator("#bars .best")).to_have_count(0)
    assert _share(page, "4") == 60


def test_only_the_newest_answer_is_shown_and_one_question_is_under_way(page):
    asked = []

    def answer(route):
        digit = str(asked.index(route) + 1)
        document = {"verdict": "sure", "label": digit, "confidence": 1, "top": [[digit, 1]], "probabilities": {}}
        route.fulfill(json=document)

    def hold_the_first(route):
        asked.append(route)
        if len(asked) > 1:
            answer(route)

    page.route(PREDICT, hold_the_first)
    for _ in range(2):
        _draw(page, DIGITS["7"])
    expect(page.locator("#words")).to_have_text("Waiting for a digit.")
    assert len(asked) == 1  # however much is drawn meanwhile
    answer(asked[0])
    _says(page, "4")
    assert ["steps" in route.request.url for route in asked] == [False, True, False, True]


def test_a_service_that_is_busy_is_asked_again_and_one_that_refuses_or_is_gone_is_said_to_be(page, opened):
    refusals = iter([{"status": 503, "headers": {"Retry-After": "0.05"}, "json": {"detail": "busy"}}])
    page.route(PREDICT, lambda route: route.fulfill(**r) if (r := next(refusals, None)) else route.continue_())
    _draw(page, DIGITS["7"])
    _says(page, "7")
    broken = {"name": "7.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nnothing"}
    page.locator("#file").set_input_files(broken)
    expect(page.locator("#detail")).to_contain_text("damaged")
    assert [text for text in opened.said if "503" not in text and "422" not in text] == []
    page.route(PREDICT, lambda route: route.abort())
    page.get_by_role("button", name="Clear").click()
    _draw(page, DIGITS["7"])
    expect(page.locator("#detail")).to_contain_text("does not answer")
    page.close()  # it asks once more, for the steps
    opened.said.clear()  # the browser's own words about the network


def test_what_the_network_sees_is_shown(page):
    _draw(page, DIGITS["7"])
    _says(page, "7")
    last = page.locator("#steps li").last
    expect(last).to_contain_text("28×28")
    expect(last.locator("canvas")).to_have_css("image-rendering", "pixelated")
    painted = """() => {
      const canvas = document.querySelector("#steps li:last-child canvas");
      return canvas.width * canvas.height === 784
        && Math.max(...canvas.getContext("2d").getImageData(0, 0, 28, 28).data.filter((_, at) => at % 4 < 3)) === 255;
    }"""
    page.wait_for_function(painted)
    expect(page.locator("#maps figure").first).to_contain_text("Layer 1: 16 maps of 6×6")
    light = page.locator("#maps canvas").first.evaluate("canvas => canvas.toDataURL()")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function("light => document.querySelector('#maps canvas').toDataURL() !== light", arg=light)
    page.get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


# Pictures


def _png(image, factor=5):
    content = io.BytesIO()
    Image.fromarray(255 - image).resize((28 * factor, 28 * factor)).save(content, "PNG")
    return content.getvalue()


GIVE = """([kind, name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true })
    : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
  document.querySelector("#pad").dispatchEvent(event);
}"""


def test_pictures_are_opened_dropped_and_pasted(page, mnist):
    seven = _png(mnist.images[mnist.labels == 7][3])
    page.locator("#file").set_input_files({"name": "7.png", "mimeType": "image/png", "buffer": seven})
    _says(page, "7")
    expect(page.locator("#hint")).to_be_hidden()
    for kind, label in (("drop", 0), ("paste", 3)):
        content = base64.b64encode(_png(mnist.images[mnist.labels == label][3])).decode()
        page.evaluate(GIVE, [kind, "x.png", content])
        expect(page.locator(".verdict")).to_contain_text(re.compile(rf"\b{label}\b"))  # sure or not
    _draw(page, DIGITS["1"])  # on a picture, drawing begins anew
    _says(page, "1")
    page.get_by_role("button", name="Undo").click(click_count=2)
    expect(page.locator(".verdict")).to_contain_text(re.compile(r"\b3\b"))


def test_a_model_of_letters_asks_for_characters(browser, served, letters):
    """Nor does it advise to start another model."""
    page = browser.new_page()
    page.goto(served(create_app(letters)) + "/")
    expect(page.locator("#bars li")).to_have_count(10)
    assert page.title() == "Tenfold: draw a character"
    expect(page.locator("#hint")).to_have_text("Draw a character")
    _draw(page, DIGITS["7"])
    expect(page.locator("#words")).to_have_text(re.compile(r"Not sure\.|This is an? [A-J]\.|Probably an? [A-J]\."))
    assert "digit" not in page.locator("body").inner_text()
    expect(page.locator("#own-hint")).to_contain_text("--handwriting my-characters added to its command")
    page.close()


# For everybody


def test_a_screen_reader_is_told_everything(page):
    _draw(page, DIGITS["8"])
    _says(page, "8")
    expect(page.get_by_role("status").filter(has_text="This is an 8.")).to_have_count(1)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "slider", "application", "img", "image", "progressbar", "toolbar", "group", "list", "region"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert ("application", "Drawing pad") in found
    assert ("slider", "Thickness") in found
    assert len([role for role, _ in found if role == "button"]) >= 15
    assert [role for role, name in found if not name and role != "list"] == []
    assert page.evaluate("document.documentElement.lang") == "en"


# Own handwriting


def test_own_handwriting_to_the_end(page, drawings):
    """Correct an answer, draw what is asked for, learn, see what it brought and cost, go back."""
    _draw(page, wobbly("7", 0))
    _says(page, "7")
    page.get_by_role("group", name="Keep the drawing as a").get_by_role("button", name="1").click()
    expect(page.locator("#own-status")).to_contain_text("Kept")
    assert len(list(drawings.glob("1/*.png"))) == 1
    page.get_by_role("button", name="Delete the last").click()
    expect(page.locator("#own-status")).to_contain_text("Deleted")
    assert list(drawings.glob("*/*.png")) == []

    learn = page.get_by_role("button", name="Learn mine")
    expect(learn).to_be_disabled()
    page.get_by_role("button", name="Draw what I ask for").click()
    prompt = page.locator("#prompt-text")
    for number in range(1, 11):
        expect(page.locator("#prompt-count")).to_have_text(f"{number} of 20")
        _draw(page, wobbly(prompt.inner_text()[-1], seed=number))
        page.keyboard.press("Enter")
    expect(page.locator("#prompt-count")).to_have_text("11 of 20")
    page.get_by_role("button", name="Stop").click()
    assert sorted(path.parent.name for path in drawings.glob("*/*.png")) == list(DIGITS)  # balanced

    learn.click()
    expect(page.locator("#own-status")).to_contain_text("Learnt in", timeout=60_000)
    expect(page.locator("#result-rows tr")).to_have_count(2)
    expect(page.locator("#model")).to_contain_text("personal")
    _draw(page, wobbly("5", 30))
    _says(page, "5")
    page.get_by_role("button", name="Go back").click()
    expect(page.locator("#model")).not_to_contain_text("personal")
    expect(page.locator("#result")).to_be_hidden()
