"""Pages in a real browser, without its window: what is read is what the browser has made of the page."""

import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from reconciler.render import html
from reconciler.render.html.page import Html, _asset, el, policy
from reconciler.render.several import Part
from tests.render.test_render_golden import DIGEST, DRIFTS, ERRORS, LOOK, PLANS, REPORTS, RESULTS
from tests.render.test_render_hostile import DRIFT, PLAN, STYLE, Tags

BROWSER: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on this machine")


def browse(folder: Path, text: str, *arguments: str) -> str:
    """Open a page, and give what the browser says."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    ]
    command = [str(BROWSER), *options, *arguments, file.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def no_text(_one: object, _style: object) -> str:
    """A page is made of the documents themselves."""
    return ""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page full of hostile names and values, as it is once everything that runs has run."""
    several = html.several([Part("staging", DRIFT, noun="drift"), Part("other", PLAN)], no_text, STYLE)
    return browse(tmp_path_factory.mktemp("hostile"), several, "--dump-dom")


@needs_a_browser
def test_hostile_values_do_nothing_and_our_own_script_runs(hostile: str) -> None:
    items = hostile.count("<details")
    assert items > 100
    assert f"{items} of {items} shown" in hostile
    assert "<title>Drift of 2 environments: 2 with drift</title>" in hostile


@needs_a_browser
def test_a_browser_finds_no_element_in_hostile_values(hostile: str) -> None:
    seen = Tags()
    seen.feed(hostile)
    assert not seen.tags & {"img", "svg", "a", "iframe", "h3", "x"}
    assert not [name for name in seen.attributes if name.startswith("on") or name == "style"]
    assert seen.links == {"data:,"}


HARNESS: Final = """
const form = document.querySelector("form");
const say = (what) => { document.body.append(Object.assign(document.createElement("samp"), {textContent: what})); };
const visible = () => [...document.querySelectorAll("[data-name]:not([hidden])")];
const shown = () => visible().map((one) => one.dataset.name).join(",");
const set = (name, value) => {
  form.elements[name].value = value;
  form.dispatchEvent(new Event("input", {bubbles: true}));
};
const press = (key, target) => target.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
set("text", "KIOSK"); say("text=" + shown());
press("Escape", form.elements.text);
setTimeout(() => {
  say("cleared=" + shown());
  set("action", "delete"); say("action=" + shown());
  set("action", ""); set("direction", "widens"); say("direction=" + shown());
  document.querySelector("[data-close]").click(); say("open=" + visible().filter((one) => one.open).length);
  press("/", document.body); say("focus=" + document.activeElement.name);
});
"""


@needs_a_browser
def test_a_page_is_filtered_by_address_action_and_direction_with_the_keyboard(tmp_path: Path) -> None:
    text = html.plan(PLANS["everything"], DIGEST, LOOK)
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    text = text.replace("</body>", f"<script>{HARNESS}</script></body>")
    said = dict(
        re.findall(r"<samp>(\w+)=([^<]*)</samp>", browse(tmp_path, text, "--dump-dom", "--virtual-time-budget=2000"))
    )
    assert said == {
        "text": "ApiClient/kiosk",
        "cleared": "ApiClient/kiosk,ApiClient/storefront,ApiClient/old",
        "action": "ApiClient/old",
        "direction": "ApiClient/kiosk,ApiClient/storefront",
        "open": "0",
        "focus": "text",
    }


def ground(picture: Path) -> int:
    """How light the first pixel of a PNG is, 0 to 255."""
    content, data = picture.read_bytes(), b""
    at = 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        data += content[at + 8 : at + 8 + size] if content[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + size
    return zlib.decompressobj().decompress(data, 4)[1]


@needs_a_browser
@pytest.mark.parametrize(("scheme", "is_light"), [("1", True), ("0", False)])
def test_a_page_is_light_or_dark_as_its_reader_is(tmp_path: Path, scheme: str, is_light: bool) -> None:
    picture = tmp_path / "page.png"
    text = html.plan(PLANS["everything"], DIGEST, LOOK)
    browse(tmp_path, text, f"--screenshot={picture}", f"--blink-settings=preferredColorScheme={scheme}")
    assert (ground(picture) > 128) is is_light


# ---------------------------------------------------------------------------------------------------- without a browser


def pages() -> Iterator[str]:
    yield from (html.plan(plan, DIGEST, LOOK) for plan in PLANS.values())
    yield from (html.drift(drift, DIGEST, LOOK) for drift in DRIFTS.values())
    yield from (html.result(result, LOOK) for result in RESULTS.values())
    yield from (html.validation(report, LOOK) for report in REPORTS.values())
    yield from (html.failure("plan", error, LOOK) for error in ERRORS.values())
    yield html.several([Part("a", PLANS["update"]), *(Part(n, None, e) for n, e in ERRORS.items())], no_text, LOOK)
    yield html.several([Part(name, result, noun="apply") for name, result in RESULTS.items()], no_text, LOOK)


def test_every_page_carries_the_policy_that_lets_nothing_but_its_own_style_and_script_work() -> None:
    assert policy().startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy()
    assert "http" not in policy() + _asset("page.css") + _asset("page.js")
    for text in pages():
        assert text.startswith('<!doctype html>\n<html lang="en">')
        assert el("meta", http_equiv="Content-Security-Policy", content=policy()) in text


def test_every_tag_is_closed() -> None:
    for text in pages():
        opened = re.findall(
            r"<(?!meta|input|link|br|!|/)(\w+)", re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
        )
        closed = re.findall(r"</(\w+)>", re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL))
        assert sorted(opened) == sorted(closed)


def test_text_and_attributes_are_escaped_and_elements_are_not() -> None:
    assert (
        el("p", "<b>", el("i", "&"), None, class_='"', hidden=True, open=False)
        == '<p class="&quot;" hidden>&lt;b&gt;<i>&amp;</i></p>'
    )
    assert isinstance(el("br"), Html)
    assert el("br") == "<br>"


def test_what_lets_in_more_stands_first_and_both_sides_are_side_by_side() -> None:
    text = html.drift(DRIFTS["with-receipt"], DIGEST, LOOK)
    assert text.index("ApiClient/storefront") < text.index("ApiClient/old") < text.index("ApiClient/kiosk")
    assert '<td data-label="Live"><del>true</del></td><td data-label="Desired"><ins>false</ins></td>' in text
    assert 'data-source="git-changed live-changed"' in text
    assert '<option value="live-changed">live changed</option>' in text


def test_a_page_of_several_environments_has_the_warnings_and_notices_of_each() -> None:
    plans = [Part("a", PLANS["everything"]), Part("b", PLANS["noticed"])]
    drifts = [Part("a", DRIFTS["everything"], noun="drift"), Part("b", DRIFTS["noticed"], noun="drift")]
    for parts, notices in ((plans, 2), (drifts, 1)):  # assignments that are watched are drift
        first, second = html.several(parts, no_text, LOOK).split("<h2>b: ")
        assert '<h2>Warnings (1)</h2><ul class="plain"><li><code>an unknown role</code>' in first
        assert "Notices" not in first
        assert f'<h2>Notices ({notices})</h2><ul class="plain"><li><code>ApiClient/same is open to all buyers' in second


def test_a_side_that_has_nothing_says_so() -> None:
    text = html.drift(DRIFTS["everything"], DIGEST, LOOK)
    assert text.count("<td></td>") == 2  # the secret, of which nobody knows either side
    assert '<td data-label="Live"><span class="none-here">(not set)</span></td>' in text
    assert '<td data-label="Live"><span class="none-here">(none)</span></td>' in text
