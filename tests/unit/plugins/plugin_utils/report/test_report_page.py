# Copyright: (c) 2026, the resto.golive authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real browser, from disk, as a tired owner opens it on a phone. Needs Debian's ``chromium``; without it these tests fail, they don't skip."""

from __future__ import annotations

import os
import pathlib
import re
import typing as t

import playwright.sync_api
import pytest

from ansible_collections.resto.golive.plugins.plugin_utils.report import RENDERERS

CHROMIUM = os.environ.get("GOLIVE_CHROMIUM", "/usr/bin/chromium")
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 800}
#: Chromium's sandbox refuses to run as root, which is what CI containers are; the page is ours and it is loaded from disk.
ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []

#: WCAG 2.2, 1.4.3: contrast of all visible text against the nearest painted background; returns what is below 4.5.
LOW_CONTRAST = r"""() => {
  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const over = (top, under) => [0, 1, 2].map(i => top[i] * (top[3] ?? 1) + under[i] * (1 - (top[3] ?? 1)));
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const background = element => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if ((colour[3] ?? 1) === 1) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const under = background(element), ink = over(numbers(getComputedStyle(element).color), under);
    const [dark, light] = [luminance(ink), luminance(under)].sort((a, b) => a - b);
    const ratio = (light + .05) / (dark + .05);
    if (ratio < 4.5) low.push([text, ratio.toFixed(2)]);
  }
  return low;
}"""


@pytest.fixture(scope="module")
def browser() -> t.Iterator[playwright.sync_api.Browser]:
    if not os.access(CHROMIUM, os.X_OK):
        pytest.fail(f"{CHROMIUM} is missing: apt-get install chromium, or say where it is in GOLIVE_CHROMIUM", pytrace=False)
    with playwright.sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def url(report: dict[str, t.Any], tmp_path: pathlib.Path) -> str:
    path = tmp_path / "golive.html"
    path.write_text(RENDERERS["golive.html"](report), encoding="utf-8")
    return path.as_uri()


class Opened:
    """A page with what it asked for and what it complained about."""

    def __init__(self, browser: playwright.sync_api.Browser, url: str, **options: t.Any) -> None:
        self.context = browser.new_context(offline=True, reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(url)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_error: object) -> None:
        self.context.close()

    def overflow(self) -> int:
        return t.cast(int, self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def open_all(self) -> None:
        self.page.locator("summary").first.click()
        self.page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")
        assert self.page.locator("details[open]").count() == self.page.locator("details").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_reads_offline_at_every_size(browser: playwright.sync_api.Browser, url: str, size: t.Any, scheme: t.Any, tmp_path: pathlib.Path) -> None:
    with Opened(browser, url, viewport=size, color_scheme=scheme) as opened:
        assert opened.overflow() == 0
        opened.open_all()
        assert opened.overflow() == 0, "with everything open"
        assert opened.page.evaluate(LOW_CONTRAST) == []
        opened.page.screenshot(path=tmp_path / "report.png", full_page=True)
        assert (tmp_path / "report.png").stat().st_size > 10_000
        assert opened.requests == [url]
        assert opened.complaints == []


@pytest.mark.parametrize("scripts", [True, False], ids=["js", "no-js"])
def test_languages(browser: playwright.sync_api.Browser, url: str, scripts: bool) -> None:
    with Opened(browser, url, viewport=PHONE, java_script_enabled=scripts) as opened:
        page = opened.page
        spanish, english = (page.get_by_role("heading", name=name) for name in ("Bloqueos actuales", "Current blockers"))
        assert spanish.is_visible()
        assert english.count() == 0
        page.locator('label[for="language-en"]').click()
        assert english.is_visible()
        assert spanish.count() == 0
        page.get_by_role("radio", name="English").press("ArrowLeft")
        assert spanish.is_visible(), "with the keyboard"


def test_one_language_at_a_time(browser: playwright.sync_api.Browser, url: str) -> None:
    with Opened(browser, url, viewport=DESKTOP) as opened:
        opened.open_all()
        for shown, hidden in (("es", "en"), ("en", "es")):
            opened.page.locator(f'label[for="language-{shown}"]').click()
            visible = "l => [...document.querySelectorAll('body [lang=' + l + ']:not(.always)')].filter(e => e.checkVisibility()).length"
            assert opened.page.evaluate(visible, shown) > 200
            assert opened.page.evaluate(visible, hidden) == 0


def test_a_blocker_leads_to_its_evidence(browser: playwright.sync_api.Browser, url: str) -> None:
    with Opened(browser, url, viewport=PHONE) as opened:
        evidence = opened.page.locator("#item-environment\\.tls")
        assert not evidence.is_visible()
        opened.page.locator(".blocker a").first.click()
        evidence.wait_for(state="visible")


def test_text_is_big_enough_for_a_phone(browser: playwright.sync_api.Browser, url: str) -> None:
    smallest = "Math.min(...[...document.querySelectorAll('p, dd, dt, li, span[lang], a, td, summary')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
    with Opened(browser, url, viewport=PHONE) as opened:
        assert opened.page.evaluate(smallest) >= 16


def test_hostile_strings_stay_text(browser: playwright.sync_api.Browser, report: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    hostile = "<script>document.title='owned'</script><img src=https://tracker.test/x onerror=\"document.title='owned'\">" + "x" * 400
    item = report["items"][1]
    item["owner"] = report["blockers"][0]["owner"] = hostile
    item["reason"]["text"] = report["blockers"][0]["reason"]["text"] = report["blockers"][0]["title"] = dict.fromkeys(("es", "en"), hostile)
    report["environment"] = report["release"] = hostile
    path = tmp_path / "golive.html"
    path.write_text(RENDERERS["golive.html"](report), encoding="utf-8")
    with Opened(browser, path.as_uri(), viewport=PHONE) as opened:
        opened.open_all()
        assert opened.overflow() == 0
        assert "owned" not in opened.page.title().partition("<")[0]
        assert opened.requests == [path.as_uri()]
        assert opened.complaints == []


def test_the_policy_allows_one_style_sheet_and_nothing_else(report: dict[str, t.Any]) -> None:
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]+)"', RENDERERS["golive.html"](report))
    assert policy is not None
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; base-uri 'none'; form-action 'none'", policy[1])
