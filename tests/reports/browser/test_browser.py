"""The page as people use it: filters, search, deep links, no script, dark, narrow, by keyboard, and the full matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

Visit = Callable[..., Any]
Picture = Callable[[Any, str], None]

SHOWN = """() => [...document.querySelectorAll('.r')].filter(e => e.checkVisibility()).map(
    e => e.querySelector('code').textContent)"""
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const back = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  return [...document.querySelectorAll('h1, p, a, td, small, .v, .lv, .mark, dd, summary, .flag')]
    .filter(e => e.checkVisibility() && e.textContent.trim()).map(e => {
      const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(back(e))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), e.className + ' ' + e.tagName + ' ' + e.textContent.slice(0, 30)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""


def shown(page: Any) -> list[str]:
    found: list[str] = page.evaluate(SHOWN)
    return found


def test_what_differs_is_shown_first_and_all_on_request(visit: Visit, golden: str, picture: Picture) -> None:
    page = visit(golden)
    assert "callbacks.fifo" not in shown(page)
    assert {"timers.when-at", "executors.shutdown-timeout"} <= set(shown(page))
    picture(page, "top")
    page.check("#view-all")
    assert "callbacks.fifo" in shown(page)
    assert page.locator("#count").text_content() == "6 of 6 requirements"
    page.check("#view-wrong")
    assert "callbacks.fifo" not in shown(page)


def test_search_finds_by_id_and_by_words_in_all_requirements(visit: Visit, golden: str) -> None:
    page = visit(golden)
    page.keyboard.press("/")
    page.keyboard.type("FIFO")
    assert shown(page) == ["callbacks.fifo"]
    page.fill("#search", "returns instance handle")
    assert shown(page) == ["callbacks.handle-type"]
    page.fill("#search", "nothing is like this")
    assert shown(page) == []
    assert page.locator("#none").is_visible()
    page.click("button[type=reset]")
    page.wait_for_function("() => document.querySelector('#count').value.startsWith('4 of')")


def test_filters_narrow_what_is_shown(visit: Visit, golden: str) -> None:
    page = visit(golden)
    page.check("#view-all")
    page.select_option("#chapter", "callbacks")
    assert set(shown(page)) == {"callbacks.arguments", "callbacks.fifo", "callbacks.handle-type"}
    page.select_option("#chapter", "")
    page.select_option("#level", "should")
    assert shown(page) == ["signals.between-runs"]
    page.select_option("#level", "")
    page.select_option("#verdict", "D")
    everything = set(shown(page))
    page.select_option("#loop", label="asyncio.SelectorEventLoop 3.12.1")
    assert shown(page) == ["executors.shutdown-timeout"]
    assert everything > {"executors.shutdown-timeout"}
    page.select_option("#verdict", "c")
    assert len(shown(page)) == 5


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("id", ["timers.when-at", "callbacks.fifo", "tcp.echo.protocol.1KiB.c10"])
def test_a_deep_link_opens_what_it_names(visit: Visit, golden: str, id: str, script: bool, picture: Picture) -> None:
    page = visit(f"{golden}#{id}", java_script_enabled=script)
    target = page.locator(f'[id="{id}"]')
    target.wait_for(state="visible")
    box = target.bounding_box()
    assert box is not None
    assert -5 <= box["y"] <= 900
    if script:
        picture(page, f"link-{id}")


def test_a_link_inside_the_page_opens_what_the_view_hides(visit: Visit, golden: str) -> None:
    page = visit(golden)
    page.evaluate("location.hash = 'callbacks.fifo'")
    page.locator('[id="callbacks.fifo"]').wait_for(state="visible")


def test_without_script_views_and_entries_work_and_dead_controls_are_not_there(visit: Visit, golden: str) -> None:
    page = visit(golden, java_script_enabled=False)
    assert not page.locator("#search").is_visible()
    fifo = page.locator(".r", has=page.locator('[id="callbacks.fifo"]'))
    assert not fifo.is_visible()
    page.check("#view-all")
    assert fifo.is_visible()
    fifo.locator("> summary").click()
    assert page.locator('[id="callbacks.fifo"]').is_visible()


def test_an_entry_opens_by_keyboard(visit: Visit, golden: str) -> None:
    page = visit(golden)
    page.locator(".r:not(.same) > summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator(".r[open] .body").first.is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("A", "SUMMARY")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_reader_and_text_can_be_read(
    visit: Visit, golden: str, scheme: str, picture: Picture
) -> None:
    page = visit(golden, color_scheme=scheme)
    page.check("#view-all")
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is (scheme == "light")
    assert page.evaluate(CONTRAST) == []
    page.locator("#race-1").scroll_into_view_if_needed()
    picture(page, f"race-{scheme}")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_narrow_screen_scrolls_in_one_direction_only(
    visit: Visit, golden: str, whole: str, width: int, picture: Picture
) -> None:
    for name, address in (("golden", golden), ("full", whole)):
        page = visit(address, width=width, height=800)
        page.evaluate("document.querySelectorAll('.r').forEach((e, i) => { if (i < 20) e.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate("document.querySelector('#differences').scrollIntoView()")
        picture(page, f"narrow-{width}-{name}")


def test_verdicts_are_told_by_letter_and_shape(visit: Visit, whole: str) -> None:
    page = visit(whole)
    looks = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll('.legend .v')].map(e => {
        const s = getComputedStyle(e);
        return [e.textContent, [s.borderTopStyle, s.borderRightWidth, s.borderRadius, s.clipPath,
                                s.backgroundColor !== 'rgba(0, 0, 0, 0)', s.borderTopWidth].join()]; }))""")
    assert len(looks) == 8
    assert len(set(looks.values())) == 8


def test_what_a_screen_reader_needs_is_there(visit: Visit, golden: str) -> None:
    page = visit(golden)
    assert page.evaluate("document.documentElement.lang") == "en"
    unnamed = """() => [...document.querySelectorAll('svg, input, select, button, form, nav')].filter(e =>
        !(e.getAttribute('aria-label') || e.closest('label') || e.textContent.trim())).length"""
    assert page.evaluate(unnamed) == 0
    assert page.evaluate("() => [...document.querySelectorAll('th')].filter(e => !e.scope).length") == 0
    levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_page_prints(visit: Visit, golden: str) -> None:
    page = visit(golden)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#matrix").is_visible()


def test_the_full_matrix_opens_and_filters(visit: Visit, whole: str, picture: Picture) -> None:
    page = visit(whole)
    timing = page.evaluate("""() => { const t = performance.getEntriesByType('navigation')[0];
        return {interactive: t.domInteractive, loaded: t.loadEventEnd}; }""")
    began = page.evaluate("performance.now()")
    page.fill("#search", "protocol")
    took = page.evaluate("performance.now()") - began
    found = shown(page)
    assert 0 < len(found) < 700
    page.fill("#search", "")
    picture(page, "full")
    # Said, not asserted: how fast is the machine's affair.
    print(f"full matrix: interactive {timing['interactive']:.0f} ms, loaded {timing['loaded']:.0f} ms, "
          f"search {took:.0f} ms, {len(found)} found")  # fmt: skip
