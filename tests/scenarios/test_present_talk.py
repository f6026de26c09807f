"""`twin present`: what a talk relies on: colours, stops, keys, words and marks, in a real browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browsing import PHONE, in_browser, opened, rewritten, still

from viz.palette import Scale
from viz.presentation import page

pytestmark = pytest.mark.skipif(
    page.bundle() is None, reason="the viewer has not been built: make web"
)


@in_browser
def test_where_more_is_better_colours_are_those_of_the_stills(browser, shown, tmp_path):
    from viz.palette import dark_tables

    def better(header):
        next(v for v in header["layers"] if v["name"] == "load")["better"] = "higher"

    painted = """([mode, theme]) => { twin.set({ mode, theme, layer: "load", run: 1 }); twin.draw();
      const v = twin.values.shown("load", mode, mode === "a" ? 0 : 1, 0, null);
      const bar = document.querySelector("#legend .bar").style.background;
      return [[...v.values], [...twin.scene.colours[0].image.data], v.limits, bar]; }"""
    with opened(browser, rewritten(shown, tmp_path / "better.html", better)) as tab:
        for mode in ("a", "difference"):
            for theme in ("light", "dark"):
                values, texels, (low, high), bar = tab.evaluate(painted, [mode, theme])
                diverging = mode == "difference"
                scale = Scale(low, high, diverging=diverging, flipped=True)
                wanted = scale.rgb(values)
                ends = scale.rgb([low, high])
                if theme == "dark":
                    table = dark_tables()[int(diverging)]
                    wanted = table[255 - (255 * scale.position(values)).round().astype(int)]
                    ends = table[[255, 0]]
                drawn = np.array(texels).reshape(-1, 4)[: len(values)]
                seen = drawn[:, 3] > 0
                assert seen.sum() > 5
                assert np.abs(drawn[seen, :3] - wanted[seen].astype(int)).max() <= 4
                for end, colour in zip((bar.index, bar.rindex), ends, strict=True):
                    rgb_text = "rgb({}, {}, {})".format(*colour)
                    assert end("rgb(") == bar.index(rgb_text) or end("rgb(") == bar.rindex(rgb_text)


@in_browser
def test_a_stop_shows_the_same_whatever_was_shown_before(browser, shown, tmp_path):
    def tour(header):
        word = {"en": "x", "de": "x"}
        header["tour"] = [
            {"title": word, "text": word, "mode": "a", "layer": "delay_h", "time": "12:05",
             "alternative": "idle", "street": "Unioninkatu"},
            {"title": word, "text": word},
            {"title": word, "text": word, "layer": "none", "mode": "difference", "play": True},
        ]  # fmt: skip

    about = """() => { const { layer, mode, run, time, playing, now, split, street } = twin.state;
      return [layer, mode, run, time, playing, now, split, street, twin.view.pose]; }"""
    with opened(browser, rewritten(shown, tmp_path / "tour.html", tour)) as tab:

        def at(stop):
            tab.evaluate("(k) => twin.goToStop(k, true)", stop)
            return tab.evaluate(about)

        start = tab.evaluate(about)
        plain = at(1)
        assert plain[:6] == start[:6]
        assert at(0)[:4] == ["delay_h", "a", 2, 43_500]
        tab.evaluate("twin.set({ now: true, split: 0.9 })")
        assert at(1) == plain
        last = at(2)
        assert last[:2] == [None, "difference"]
        assert tab.evaluate("twin.state.playing")
        assert not tab.evaluate("twin.scene.parts.band.visible")
        assert tab.locator("#legend .bar").count() == 0
        assert at(1) == plain
        assert tab.evaluate("twin.scene.parts.band.visible")


PLACES = """(name) => { const w = twin.scene.axes; const o = [0, 0, 0];
  return twin.streetsOf(twin.header.names.indexOf(name)).map((s) => { w.at(s, 0, o); w.at(s, w.prefix[s].at(-1) / 2, o);
    return twin.view.pixel(o[0], o[1], 0); }).map((p) => [p[0], p[1]])
    .filter(([x, y]) => document.elementFromPoint(x, y) === twin.canvas); }"""
ENDS = """(name) => { const rows = twin.streetsOf(twin.header.names.indexOf(name)); const w = twin.scene.axes;
  const xs = []; for (const s of rows) { const o = [0, 0, 0]; w.at(s, 0, o);
    for (let d = 0; d < w.prefix[s].at(-1); d += 1) { w.at(s, d, o); const p = twin.view.pixel(o[0], o[1], 0);
      if (p[0] > 0 && p[0] < innerWidth && p[1] > 0 && p[1] < innerHeight) xs.push(p[0]); } }
  const box = document.getElementById("divider").getBoundingClientRect();
  return [xs, (box.left + box.right) / 2]; }"""


@in_browser
@pytest.mark.parametrize("size", [(1366, 768), PHONE])
def test_the_divider_runs_through_the_street_that_is_framed(browser, shown, tmp_path, size):
    def tour(header):
        word = {"en": "x", "de": "x"}
        stop = {"title": word, "text": word, "mode": "swipe", "street": "Unioninkatu"}
        header["tour"] = [{"title": word, "text": word, "mode": "a"}, stop]

    def shares(tab):
        still(tab)
        places, x = tab.evaluate(ENDS, "Unioninkatu")
        assert len(places) > 50
        return np.mean(np.array(places) < x)

    with opened(browser, rewritten(shown, tmp_path / "tour.html", tour), size) as tab:
        assert 0.3 < shares(tab) < 0.7  # what the measure touches, from the first picture on
        tab.evaluate("twin.set({ split: 0.95 })")
        tab.keyboard.press("PageDown")
        tab.keyboard.press("PageDown")
        assert 0.35 < shares(tab) < 0.65
        tab.keyboard.press("PageUp")
        still(tab)
        assert tab.evaluate("twin.state.split") == 0.5
        tab.evaluate("twin.set({ mode: 'swipe', split: 0.05, speech: false })")
        tab.keyboard.press("/")
        tab.keyboard.type("unionin")
        tab.keyboard.press("Enter")
        assert 0.35 < shares(tab) < 0.65
        tab.keyboard.press("Escape")
        tab.evaluate(
            "twin.set({ split: 0.05, show: { ...twin.state.show, buildings: false, labels: false } })"
        )
        xs = tab.evaluate(PLACES, "Unioninkatu")
        tab.mouse.click(*xs[len(xs) // 3])
        assert tab.locator("#card h2").inner_text() == "Unioninkatu"
        assert 0.35 < shares(tab) < 0.65


@in_browser
def test_keys_of_the_tour_work_wherever_the_focus_is(browser, shown):
    with opened(browser, shown) as tab:
        for k, place in enumerate(("#layer", "#time", "#mode-swipe", "#search", "#divider")):
            tab.evaluate("twin.goToStop(0, true); twin.set({ playing: false })")
            tab.locator(place).focus()
            tab.keyboard.press("PageDown")
            assert tab.evaluate("twin.state.stop") == 1, place
            tab.evaluate("twin.goToStop(0, true); twin.set({ playing: false })")
            tab.locator(place).focus()
            tab.keyboard.press(" ")
            assert tab.evaluate("twin.state.playing") == (k in (0, 1, 4)), place
        tab.evaluate("twin.set({ playing: false, mode: 'a' })")
        for select, value in (("#layer", "delay_h"), ("#speed", "60"), ("#alternative", "2")):
            tab.locator(select).focus()
            tab.locator(select).select_option(value)
            assert tab.evaluate("document.activeElement === document.body"), select


@in_browser
def test_without_my_street_nothing_speaks_of_it(browser, shown, tmp_path):
    file = rewritten(shown, tmp_path / "a.html", lambda header: header.update(my=None))
    with opened(browser, file) as tab:
        tab.evaluate("twin.goTo(twin.header.names.indexOf('Unioninkatu'), true)")
        assert tab.locator("#card h2").inner_text() == "Unioninkatu"
        assert tab.locator("#card-mine").count() == 0
        tab.keyboard.press("m")
        assert tab.locator("#mine").is_hidden()
        tab.keyboard.press("h")
        keys = tab.locator("#sheet kbd").all_inner_texts()
        assert "M" not in keys
        assert {"R", "V", "/", "1 2 3 4"} <= set(keys)


@in_browser
def test_without_and_with_are_what_buttons_and_sentences_say(browser, shown):
    with opened(browser, shown) as tab:
        assert tab.locator("#mode-a").inner_text().split() == ["A", "Without"]
        assert tab.locator("#mode-b").inner_text().split() == ["B", "With"]
        assert tab.locator("#mode-b").get_attribute("title") == "20 km/h on Unioninkatu"
        tab.evaluate("twin.goTo(twin.header.names.indexOf('Unioninkatu'), true)")
        said = tab.locator("#card .said").inner_text()
        assert re.search(r"\d+ vehicles an hour without, \d+ with “20 km/h on Unioninkatu”", said)
        tab.keyboard.press("l")
        assert tab.locator("#mode-a").inner_text().split() == ["A", "Ohne"]
        assert tab.locator("#mode-b").inner_text().split() == ["B", "Mit"]
        tab.keyboard.press("m")
        assert tab.evaluate("getSelection().toString()") == "Unioninkatu"
        tab.keyboard.type("Bulevardi")
        assert tab.locator("#mine input").input_value() == "Bulevardi"


@in_browser
def test_the_legend_marks_what_lies_beyond_its_ends_and_names_the_day(browser, shown):
    marks = """([layer, mode, now]) => { twin.set({ layer, mode, now, run: 1 });
      const about = twin.values.layer(layer); const n = twin.values.both.length;
      const grids = [0, 1].map((run) => [...twin.values.grid(layer, run)]);
      return [[...document.querySelectorAll("#legend .ticks span")].map((e) => e.textContent),
        document.querySelector("#legend .when").textContent, grids, n, about]; }"""
    found = set()
    with opened(browser, shown) as tab:
        for layer in tab.evaluate("twin.header.layers.map((l) => l.name)"):
            for mode in ("a", "swipe", "difference"):
                for now in (False, True):
                    ticks, when, grids, n, about = tab.evaluate(marks, [layer, mode, now])
                    a, b = (np.array(g, float).reshape(-1, n) for g in grids)
                    many = len(about["starts"]) > 1
                    if not (now and many):
                        a, b = a.sum(axis=0), b.sum(axis=0)
                    values = {"a": a, "swipe": np.stack([a, b]), "difference": b - a}[mode]
                    kind = ("gap" if mode == "difference" else "scale") if now and many else (
                        "wholeGap" if mode == "difference" else "whole")  # fmt: skip
                    low, high = about[kind] or (-1.0, 1.0)
                    slack = 1e-3 * (high - low)
                    assert ticks[0].startswith("≤") == bool((values < low - slack).any())
                    assert ticks[2].startswith("≥") == bool((values > high + slack).any())
                    assert not ticks[1].startswith(("≤", "≥"))
                    found.add(ticks[2].startswith("≥"))
                    assert re.match(r"\d{1,2} [A-Z][a-z]+ \d{4}, ", when)
                    assert when.endswith("now" if now and many else "12:00–12:10")
    assert found == {True, False}


@in_browser
def test_the_clock_is_gone_where_nothing_moves(browser, shown):
    with opened(browser, shown) as tab:
        assert tab.locator("#clock").is_visible()
        tab.evaluate("twin.set({ mode: 'difference', now: false, playing: true })")
        assert tab.locator("#clock").count() == 0
        time = tab.evaluate("twin.state.time")
        tab.keyboard.press("ArrowRight")
        tab.wait_for_timeout(150)
        assert tab.evaluate("twin.state.time") == time
        tab.evaluate("twin.set({ layer: 'load', now: true, playing: false })")
        assert tab.locator("#clock").is_visible()


@in_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_street_that_is_chosen_keeps_its_colour_within_an_outline(
    browser, shown, tmp_path, theme
):
    from PIL import Image

    street = """() => { const { values } = twin.values.shown("load", "a", 0, 0, null); const named = twin.streetName;
      return values.reduce((best, v, k) => (named[k] >= 0 && v > values[best] ? k : best), named.findIndex((n) => n >= 0)); }"""
    with opened(browser, shown, color_scheme=theme) as tab:
        s = tab.evaluate(street)
        place = tab.evaluate(
            """(s) => { twin.set({ mode: "a", layer: "load", card: false, show: { ...twin.state.show, buildings: false,
              trees: false, labels: false, vehicles: false, signals: false } });
              const o = [0, 0, 0]; const w = twin.scene.axes; w.at(s, 0, o); w.at(s, w.prefix[s].at(-1) / 2, o);
              twin.view.pose = { x: o[0], y: o[1], distance: 700, heading: 0, tilt: 0 };
              return [twin.view.pixel(o[0], o[1], 0), o[2]]; }""",
            s,
        )
        (x, y, _), turn = place
        across = np.arange(-14, 15)
        columns = (x + across * np.sin(turn)).round().astype(int)
        rows = (y + across * np.cos(turn)).round().astype(int)
        seen = []
        for chosen in (None, s):
            tab.evaluate("(street) => twin.set({ street, card: false })", chosen)
            still(tab)
            tab.screenshot(path=tmp_path / "a.png")
            seen.append(np.array(Image.open(tmp_path / "a.png").convert("RGB"))[rows, columns])
        without, outlined = (pixels.astype(int) for pixels in seen)
        table = tab.evaluate(
            "(s) => [...twin.scene.colours[0].image.data.slice(4 * s, 4 * s + 3)]", s
        )
        own = np.abs(without - table).max(axis=1) < 12
        assert own.sum() >= 3
        kept = np.abs(outlined[own] - table).max(axis=1) < 12
        assert kept.mean() > 0.6
        new = np.abs(outlined - without).max(axis=1) > 60
        assert (outlined[new].min(axis=1) > 200).sum() >= 1  # the bright casing
