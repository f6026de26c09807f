"""`twin present`: what it writes, and what a real browser shows of it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scenarios.presenting import present
from scenarios.runs import open_run
from scenarios.tour_file import read_tour
from twin.errors import InputError, OutputError
from viz.palette import Scale, rgb
from viz.presentation import page
from viz.scene.works import STRIPES

if TYPE_CHECKING:
    from twin.city import City

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
    "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = pytest.mark.skipif(
    page.bundle() is None, reason="the viewer has not been built: make web"
)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
DESK, PHONE = (1280, 720), (390, 844)


@pytest.fixture(scope="module")
def shown(ran_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return present([ran_once], tmp_path_factory.mktemp("shown") / "ten.html")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as tool:
        yield tool


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield chromium
    chromium.close()


@contextmanager
def opened(
    browser: Any, file: Path, size: tuple[int, int] = DESK, address: str = "", **more: Any
) -> Iterator[Any]:
    """Open a presentation; fail on any error in the console and on any request outside."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **more)
    tab, wrong = context.new_page(), []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda m: wrong.append(m.text) if m.type in {"error", "warning"} else None)
    tab.on(
        "request",
        lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "data:")) else None,
    )
    tab.goto(file.as_uri() + address)
    tab.wait_for_selector("html[data-ready=yes], #mine:not([hidden])", state="attached")
    yield tab
    tab.wait_for_timeout(50)
    context.close()
    assert [w for w in wrong if "GPU stall due to ReadPixels" not in w] == []


def still(tab: Any) -> None:
    """Wait until nothing moves any more."""
    tab.wait_for_function("!twin.view.flight && !twin.waiting")


@in_browser
def test_slider_and_play_move_the_clock_and_the_vehicles(browser, shown):
    places = "[...twin.scene.traffic[0].at.subarray(0, 4 * twin.scene.traffic[0].count)]"
    with opened(browser, shown) as tab:
        assert tab.locator("#clock").inner_text() == "12:10:00"
        tab.locator("#mode-a").click()
        before = tab.evaluate(places)
        tab.locator("#time").focus()
        for _ in range(3):
            tab.keyboard.press("ArrowLeft")
        still(tab)
        assert tab.locator("#clock").inner_text() == "12:07:00"
        after = tab.evaluate(places)
        assert len(after) >= 4
        assert after != before
        tab.locator("#play").click()
        tab.wait_for_function("document.querySelector('#clock').textContent > '12:07:05'")
        tab.keyboard.press("Escape")
        tab.locator("#play").click()


@in_browser
def test_vehicles_are_where_the_trajectories_say(browser, shown, ran_once, city_folder):
    import pandas as pd

    from twin.city import City
    from twin.traffic.trajectories import Trajectories

    run = open_run(ran_once / "base")
    folder = run.replication(run.seeds[0])
    trips = pd.read_parquet(folder / "trips.parquet")
    ways = Trajectories(City.load(city_folder), pd.read_parquet(folder / "passages.parquet"), trips)
    read = """(t) => { const found = []; const T = twin.scene.traffic[0]; const N = T.network;
      for (const [key, ways] of [["lane", N.lanes], ["movement", N.moves]]) {
        const at = ways.at.bind(ways);
        ways.at = (line, m, out) => { found.push([key, line]); at(line, m, out); };
        ways.undo = () => { ways.at = at; };
      }
      T.place(t, () => 0); N.lanes.undo(); N.moves.undo(); return found; }"""
    with opened(browser, shown) as tab:
        for time in (43_300.0, 43_500.05, 43_777.7):
            told = ways.at(time)
            assert len(told.lane) > 20
            drawn = tab.evaluate(read, time)
            lanes = np.bincount(told.lane[told.lane >= 0], minlength=600)
            seen = np.bincount([k for what, k in drawn if what == "lane"], minlength=600)
            # times are rounded to a tenth of a second, in which some cross a stop line
            assert np.abs(lanes - seen).sum() <= 0.06 * lanes.sum() + 1
            assert abs(len(drawn) - len(told.lane)) <= 0.02 * len(told.lane) + 1


@in_browser
def test_swipe_shows_two_runs_through_one_camera(browser, shown):
    with opened(browser, shown) as tab:
        tab.locator("#mode-swipe").click()
        still(tab)
        x, y = DESK[0] // 2, 360
        tab.mouse.move(x, y)
        tab.mouse.down()
        tab.mouse.move(x - 300, y, steps=4)
        tab.mouse.up()
        still(tab)
        sides = tab.evaluate("twin.sides()")
        assert [s[0] for s in sides] == [0, 1]
        assert sides[0][3] == sides[1][2] == x - 300
        assert tab.locator(".tag0").inner_text().startswith("A")
        tab.locator("#mode-difference").click()
        assert tab.locator("#divider").is_hidden()
        assert "B minus A" in tab.locator("#legend").inner_text()


@in_browser
def test_a_street_that_is_clicked_tells_its_numbers_in_its_colour(
    browser, shown, ran_once, city_folder, tmp_path
):
    from PIL import Image

    from scenarios.street_differences import layer_means
    from twin.city import City
    from twin.system import layers

    city, run = City.load(city_folder), open_run(ran_once / "base")
    load = layer_means(run, run.seeds, layers()["load"])
    assert load is not None
    names = city.streets["name"]
    street = int(load[names.iloc[load.index].ne("").to_numpy()].idxmax())
    with opened(browser, shown) as tab:
        tab.evaluate(
            """(s) => { twin.set({ mode: "a", layer: "load", show: { ...twin.state.show, buildings: false,
              trees: false, labels: false, vehicles: false } });
              const box = twin.boxOf([s]);
              twin.view.pose = { x: (box[0] + box[2]) / 2, y: (box[1] + box[3]) / 2, distance: 500,
                heading: 0, tilt: 0 }; }""",
            street,
        )
        still(tab)
        place = tab.evaluate(
            """(s) => { const o = [0, 0, 0]; const w = twin.scene.axes; const n = w.from[s + 1] - w.from[s];
              w.at(s, 0, o); w.at(s, w.prefix[s][n - 1] / 2, o); return twin.view.pixel(o[0], o[1], 0); }""",
            street,
        )
        picture = tmp_path / "street.png"
        tab.screenshot(path=picture)
        low, high = tab.evaluate("twin.values.layer('load').whole")
        wanted = Scale(low, high).rgb([load[street]])[0].astype(int)
        pixel = np.array(Image.open(picture).convert("RGB"))[round(place[1]), round(place[0])]
        assert np.abs(pixel.astype(int) - wanted).max() <= 6
        tab.mouse.click(place[0], place[1])
        card = tab.locator("#card")
        assert card.locator("h2").inner_text() == names.iloc[street]
        row = card.locator("tr.on td").first.inner_text().replace("\u202f", "")
        assert float(row) == pytest.approx(load[street], abs=0.6)


@in_browser
def test_a_building_that_is_clicked_tells_its_height(browser, shown, city_folder):
    from twin.city import City

    heights = City.load(city_folder).buildings["height_m"]
    with opened(browser, shown) as tab:
        tab.evaluate(
            "twin.set({ mode: 'a' }); twin.view.pose = {...twin.view.pose, tilt: 0, distance: 900}"
        )
        still(tab)
        found = tab.evaluate(
            """() => { for (let y = 200; y < 500; y += 20) for (let x = 200; x < 1000; x += 20) {
              const k = twin.buildingAt(x, y); if (k >= 0) return [x, y, k]; } }"""
        )
        tab.mouse.click(found[0], found[1])
        told = tab.locator("#card dd").nth(1).inner_text()
        assert float(re.match(r"[\d.]+", told)[0]) == pytest.approx(heights.iloc[found[2]], abs=0.6)


@in_browser
def test_search_language_theme_and_the_view_in_the_address(browser, shown):
    with opened(browser, shown) as tab:
        tab.keyboard.press("/")
        tab.keyboard.type("unionin")
        assert tab.locator("#hits li").count() >= 1
        tab.keyboard.press("Enter")
        assert tab.locator("#card h2").inner_text() == "Unioninkatu"
        tab.wait_for_function("!twin.view.flight")
        tab.locator("#to-language").click()
        assert tab.locator("#mode-difference").inner_text().endswith("Unterschied")
        assert "Gesperrt" not in tab.locator("#card").inner_text()
        assert "Verkehr" in tab.locator("#card").inner_text()
        tab.locator("#to-theme").click()
        assert tab.locator("html").get_attribute("data-theme") == "dark"
        tab.wait_for_function(
            "location.hash.includes('theme=dark') && location.hash.includes('s=')"
        )
        address, pose = tab.evaluate("[location.hash, twin.view.pose]")
    with opened(browser, shown, address=address) as tab:
        assert tab.locator("html").get_attribute("lang") == "de"
        assert tab.locator("#card h2").inner_text() == "Unioninkatu"
        again = tab.evaluate("twin.view.pose")
        assert again == pytest.approx(pose, abs=1.0)


@in_browser
def test_the_tour_and_its_text_by_the_keys_of_a_remote(browser, shown):
    with opened(browser, shown) as tab:
        tab.keyboard.press("PageDown")
        assert "20 km/h on Unioninkatu" in tab.locator("#speech").inner_text()
        tab.keyboard.press("PageDown")
        assert tab.evaluate("twin.state.stop") == 1
        tab.keyboard.press("PageUp")
        assert tab.evaluate("twin.state.stop") == 0
        tab.keyboard.press("n")
        assert tab.locator("#speech").is_hidden()


@in_browser
def test_my_street_tells_what_is_done_and_what_it_changes(browser, shown):
    with opened(browser, shown) as tab:
        tab.keyboard.press("m")
        tab.locator("#mine input").fill("unioninkatu")
        tab.locator("#mine .hits button").first.click()
        text = tab.locator("#mine .sheet").inner_text()
        assert "20 km/h" in text
        assert "all the time" in text
        assert re.search(r"Speed: \d+ km/h before, \d+ km/h with “20 km/h on Unioninkatu”", text)
        assert "95 % interval" in text
        tab.keyboard.press("Escape")
        assert tab.locator("#mine").is_hidden()


@in_browser
def test_results_by_their_key_and_the_card_of_a_section(browser, shown):
    with opened(browser, shown) as tab:
        tab.keyboard.press("r")
        text = tab.locator("#sheet").inner_text()
        rows = tab.evaluate("twin.header.results.runs.slow.en.rows")
        assert rows
        for row in rows:
            assert row["interval"] in text
            assert row["verdict"] in text
        assert "not calibrated" in text
        tab.keyboard.press("r")
        assert tab.locator("#sheet").is_hidden()
        tab.locator("#mode-difference").click()
        assert "Change in traffic" in tab.locator("#legend").inner_text()
        tab.evaluate(
            "twin.set({run: 2}); twin.goTo(twin.header.names.indexOf('Unioninkatu'), true)"
        )
        card = tab.locator("#card").inner_text()
        assert "20 km/h" not in card
        assert card.index("The whole street") < card.index("This section")
        assert "towards" in card
        marks = tab.locator("#card td small").count()
        assert tab.locator("#card caption").count() == (1 if marks else 0)


@in_browser
def test_on_a_phone_nothing_sticks_out_and_a_tap_finds_a_street(browser, shown):
    with opened(browser, shown, PHONE, has_touch=True, device_scale_factor=2) as tab:
        boxes = tab.evaluate(
            """[...document.querySelectorAll('.panel')].filter((e) => !e.hidden).map((e) => {
              const r = e.getBoundingClientRect(); return [e.id, r.left, r.right, r.top, r.bottom]; })"""
        )
        for name, left, right, top, bottom in boxes:
            assert 0 <= left <= right <= PHONE[0], name
            assert 0 <= top <= bottom <= PHONE[1], name
        for a in boxes:
            for b in boxes:
                assert a[0] == b[0] or a[3] >= b[4] or b[3] >= a[4] or a[1] >= b[2] or b[1] >= a[2]
        tab.keyboard.press("PageDown")
        tab.evaluate("twin.set({ playing: false })")
        still(tab)
        panels = tab.evaluate(BOXES, ".panel")
        assert {"speech", "legend"} <= {p[0] for p in panels}
        for k, a in enumerate(panels):
            for b in panels[k + 1 :]:
                assert apart(a, b), (a, b)
        tab.evaluate(
            "twin.set({ mode: 'a', speech: false, playing: false, show: { ...twin.state.show, buildings: false } })"
        )
        place = tab.evaluate(
            """() => { const s = twin.streetsOf(twin.header.names.indexOf('Unioninkatu'))[0];
              const box = twin.boxOf([s]); twin.view.pose = { x: (box[0] + box[2]) / 2,
                y: (box[1] + box[3]) / 2, distance: 600, heading: 0, tilt: 0 };
              const o = [0, 0, 0]; const w = twin.scene.axes; w.at(s, 0, o);
              w.at(s, w.prefix[s].at(-1) / 2, o);
              twin.view.pose = { ...twin.view.pose, x: o[0], y: o[1] };
              return twin.view.pixel(o[0], o[1], 0); }"""
        )
        still(tab)
        tab.touchscreen.tap(place[0], place[1])
        assert tab.locator("#card h2").inner_text() == "Unioninkatu"


BOXES = """(what) => [...document.querySelectorAll(what)].filter((e) => !e.hidden).map((e) => {
  const r = e.getBoundingClientRect(); return [e.id || e.textContent, r.left, r.right, r.top, r.bottom]; })"""


def apart(a: list[Any], b: list[Any]) -> bool:
    """Return whether two boxes (name, left, right, top, bottom) leave each other free."""
    return bool(a[3] >= b[4] or b[3] >= a[4] or a[1] >= b[2] or b[1] >= a[2])


@in_browser
def test_a_closed_street_wears_tape_while_it_is_closed(browser, shown, tmp_path):
    from PIL import Image

    head, rest = shown.read_text().split('id="twin-header">')
    text, rest = rest.split("</script>", 1)
    header = json.loads(text)
    (done,) = [e for e in header["touched"] if e["run"] == "slow"]
    done |= {"closes": True, "begin": 43_300.0, "end": 43_500.0}
    file = tmp_path / "closed.html"
    file.write_text(f'{head}id="twin-header">{json.dumps(header)}</script>{rest}')
    street = done["streets"][0]
    colours = {}
    with opened(browser, file) as tab:
        tab.evaluate(
            """(s) => { twin.set({ mode: "b", run: 1, card: false, show: { ...twin.state.show, trees: false,
              buildings: false, labels: false, vehicles: false, signals: false } });
              const o = [0, 0, 0]; const w = twin.scene.axes; w.at(s, 0, o); w.at(s, w.prefix[s].at(-1) / 2, o);
              twin.view.pose = { x: o[0], y: o[1], distance: 260, heading: 0, tilt: 0 }; }""",
            street,
        )
        on = """(s) => { const w = twin.scene.axes; const o = [0, 0, 0]; const end = w.prefix[s].at(-1);
          return [...Array(41).keys()].map((k) => { w.at(s, end * (0.3 + 0.01 * k), o);
            return twin.view.pixel(o[0] + Math.sin(o[2]), o[1] - Math.cos(o[2]), 0); })
            .filter((p) => p[0] > 300 && p[0] < 980 && p[1] > 110 && p[1] < 500); }"""
        for name, time in (("before", 43_200), ("closed", 43_400), ("after", 43_600)):
            tab.evaluate("(t) => twin.set({ time: t })", time)
            still(tab)
            tab.screenshot(path=tmp_path / f"{name}.png")
            pixels = np.array(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)
            places = np.array(tab.evaluate(on, street)).round().astype(int)
            assert len(places) > 5
            found = pixels[places[:, 1], places[:, 0]]
            colours[name] = [
                int((np.abs(found - rgb(c).astype(int)).max(axis=1) < 12).sum()) for c in STRIPES
            ]
        assert (
            "closed" in tab.locator("#legend .mark").first.inner_text()
            or tab.locator("#legend .tape").is_visible()
        )
        tab.locator("#mode-a").click()
        assert tab.locator("#legend .tape").count() == 0
        assert not tab.evaluate("twin.scene.touched.all[0].parts.some((p) => p.visible)")
    assert min(colours["closed"]) >= 2
    assert colours["before"][0] == colours["after"][0] == 0


@in_browser
def test_labels_lie_on_nothing_else(browser, shown):
    with opened(browser, shown, (1920, 1080)) as tab:
        tab.evaluate("twin.set({ mode: 'b', run: 1 })")
        still(tab)
        labels = tab.evaluate(BOXES, "#labels span")
        assert "20 km/h" in tab.locator("#labels .pin").first.inner_text()
        for k, a in enumerate(labels):
            for b in [*labels[k + 1 :], *tab.evaluate(BOXES, ".panel")]:
                assert apart(a, b), (a, b)


@in_browser
@pytest.mark.parametrize("lang", ["en", "de"])
def test_what_is_chosen_can_be_read(browser, shown, lang):
    fits = """(s) => { const e = document.querySelector(s); const pen = document.createElement("canvas").getContext("2d");
      const style = getComputedStyle(e); pen.font = `${style.fontSize} ${style.fontFamily}`;
      return e.clientWidth - 30 - pen.measureText(e.selectedOptions[0].text).width; }"""
    with opened(browser, shown, (1920, 1080)) as tab:
        tab.evaluate("(lang) => twin.set({ lang })", lang)
        for select in ("#alternative", "#layer"):
            assert tab.evaluate(fits, select) >= 0, select


@in_browser
def test_scale_and_compass_stay_when_a_sheet_opens(browser, shown):
    with opened(browser, shown) as tab:
        still(tab)
        before = tab.evaluate("[twin.ui.bar.style.width, twin.ui.barText.textContent]")
        for name in ("layers", "help"):
            tab.locator(f"#to-{name}").click()
            assert tab.locator(f"#to-{name}").get_attribute("aria-expanded") == "true"
            assert tab.locator(".scale-text").inner_text() == before[1]
            assert tab.locator(".scale").evaluate("(e) => e.style.width") == before[0]
            tab.keyboard.press("Escape")
            assert tab.locator(f"#to-{name}").get_attribute("aria-expanded") == "false"
            assert tab.locator("#compass g").get_attribute("transform")


@in_browser
def test_my_street_by_keys_alone_and_its_head_on_one_line(browser, playwright, shown):
    with opened(browser, shown, (1920, 1080), locale="de-DE") as tab:
        tab.keyboard.press("l")
        tab.keyboard.press("m")
        tops = tab.evaluate(BOXES, "#mine header > :not(.spring)")
        assert len({round((b[3] + b[4]) / 2) for b in tops}) == 1
        tab.keyboard.type("unioninkatu")
        tab.keyboard.press("Enter")
        assert tab.locator("#mine h3").inner_text() == "Unioninkatu"
        for _ in range(8):
            tab.keyboard.press("Tab")
            assert tab.evaluate("!document.activeElement.closest('#app')")
        tab.keyboard.press("Escape")
        assert not tab.evaluate("document.getElementById('app').inert")


@in_browser
def test_on_dark_ground_much_is_light(browser, shown):
    from viz.palette import dark_tables

    with opened(browser, shown, color_scheme="dark") as tab:
        tab.evaluate("twin.set({ mode: 'a', layer: 'load' })")
        still(tab)
        values, texels, low, high = tab.evaluate(
            """() => { const v = twin.values.shown("load", "a", 0, 0, null);
              return [[...v.values], [...twin.scene.colours[0].image.data], ...v.limits]; }"""
        )
        street = int(np.argmax(values))
        at = round(255 * min(1.0, (values[street] - low) / (high - low)))
        assert texels[4 * street : 4 * street + 3] == dark_tables()[0][at].tolist()
        last = "rgb({}, {}, {})".format(*dark_tables()[0][255])
        assert last in tab.locator("#legend .bar").evaluate("(e) => e.style.background")


@in_browser
def test_the_map_prints_on_one_page_with_title_and_legend(browser, shown, tmp_path):
    with opened(browser, shown, color_scheme="dark") as tab:
        tab.evaluate("twin.set({ mode: 'difference' })")
        still(tab)
        paper = tab.pdf(path=tmp_path / "map.pdf", prefer_css_page_size=True)
        assert re.search(rb"/Type /Pages\s*/Count 1\b", paper)
        assert tab.locator("html").get_attribute("data-theme") == "dark"
        tab.emulate_media(media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint'))")
        seen = tab.evaluate(
            "[...document.querySelectorAll('#stage > *')].filter((e) => e.offsetWidth).map((e) => e.id)"
        )
        assert set(seen) == {"title", "printed", "legend", "foot"}
        shades = tab.evaluate(
            """() => { const c = document.getElementById("printed");
              const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
              const found = new Set(); for (let k = 0; k < d.length; k += 4 * 97) found.add(d[k]); return found.size; }"""
        )
        assert shades > 50
        tab.evaluate("dispatchEvent(new Event('afterprint'))")


@in_browser
@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (1024, 768)])
def test_no_panel_lies_on_another(browser, shown, size):
    with opened(browser, shown, size) as tab:
        tab.evaluate("twin.goToStop(0, true)")
        boxes = tab.evaluate(
            """[...document.querySelectorAll('.panel')].filter((e) => !e.hidden).map((e) => {
              const r = e.getBoundingClientRect(); return [e.id, r.left, r.right, r.top, r.bottom]; })"""
        )
        assert len(boxes) >= 6
        for a in boxes:
            for b in boxes:
                apart = a[3] >= b[4] or b[3] >= a[4] or a[1] >= b[2] or b[1] >= a[2]
                assert a[0] == b[0] or apart, (a, b)


@in_browser
def test_without_webgl_my_street_still_works(playwright, shown):
    plain = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-3d-apis"]
    )
    with opened(plain, shown) as tab:
        assert "WebGL" in tab.locator("#mine .warn").inner_text()
        tab.locator("#mine input").fill("unioninkatu")
        tab.locator("#mine .hits button").first.click()
        assert "Speed:" in tab.locator("#mine .sheet").inner_text()
    plain.close()


@in_browser
def test_a_folder_and_a_city_alone_open_too(browser, helsinki: City, tmp_path):
    folder = helsinki.save(tmp_path / "city")
    written = present([folder], tmp_path / "shown", lang="de", title="Nur die Stadt")
    assert written == tmp_path / "shown" / "index.html"
    with opened(browser, written) as tab:
        assert tab.locator("h1").inner_text() == "Nur die Stadt"
        assert tab.locator("#dock").is_hidden()
        assert "OpenStreetMap" in tab.locator("#foot").inner_text()
        assert tab.evaluate("twin.renderer.info.render.triangles") > 1000


def test_every_layer_of_the_registry_that_the_runs_have_is_shown(shown, ran_once):
    from twin.system import layers

    text = shown.read_text().split('id="twin-header">')[1].split("</script>")[0]
    header = json.loads(text)
    folder = open_run(ran_once / "base").replication(1)
    there = [k for k, v in layers().items() if (folder / f"{v.table}.parquet").is_file()]
    assert len(there) >= 5
    assert [layer["name"] for layer in header["layers"]] == there
    assert [run["name"] for run in header["runs"]] == ["base", "slow", "idle"]
    assert all(run["vehicles"] > 50 for run in header["runs"])


def test_runs_without_traffic_show_what_they_have(ran, tmp_path):
    for table in ("streets", "passages", "lights"):
        for file in ran.glob(f"*/seed-*/{table}.parquet"):
            file.unlink()
    text = present([ran], tmp_path / "a.html").read_text()
    header = json.loads(text.split('id="twin-header">')[1].split("</script>")[0])
    assert [layer["name"] for layer in header["layers"]] == ["queue"]
    assert header["time"] is None
    assert header["my"] is None
    assert [stop["mode"] for stop in header["tour"]] == ["swipe", "difference", "difference"]


def header_of(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text().split('id="twin-header">')[1].split("</script>")[0])
    assert isinstance(found, dict)
    return found


def test_results_are_those_of_the_comparison(shown, ran_once):
    from scenarios.compare import compare
    from scenarios.report_words import records, table_row

    table = compare(ran_once).table
    header = header_of(shown)
    for name, told in header["results"]["runs"].items():
        of = records(table[(table["alternative"] == name) & table["key"] & ~table["identical"]])
        assert len(told["en"]["rows"]) == len(told["de"]["rows"]) == len(of)
        for row, wanted in zip(told["en"]["rows"], map(table_row, of), strict=True):
            if wanted["low"] == wanted["high"]:
                wanted["interval"] = "–"
            assert row == {k: wanted[k] for k in row}
    assert set(header["results"]["runs"]) == {"slow", "idle"}
    last = header["tour"][-2]
    first = header["results"]["runs"]["slow"]["de"]["rows"][0]
    assert last["alternative"] == "slow"
    assert (
        f"{first['title']}: vorher {first['base']}, nachher {first['mean']}" in last["text"]["de"]
    )
    assert first["difference"] in last["text"]["de"]


def test_trips_without_a_way_and_what_is_not_resolved_are_told(ran_once):
    from dataclasses import replace

    from scenarios.compare import compare
    from scenarios.present_results import results, told

    comparison = compare(ran_once)
    table = comparison.table.copy()
    slow = table["alternative"] == "slow"
    cut = slow & (table["indicator"] == "cut_off")
    table.loc[cut, ["mean", "difference", "ci_low", "ci_high"]] = [290.0, 290.0, 254.0, 297.0]
    table.loc[cut, "identical"] = False
    delay = slow & (table["indicator"] == "delay_per_trip_s")
    table.loc[delay, "equilibrium_error"] = 1e6
    changed = replace(comparison, table=table)
    found = results(changed)
    assert found["lost"] == {"slow": [0.0, 290.0]}
    assert "290" in found["notes"]["en"][0]
    row = next(r for r in found["runs"]["slow"]["en"]["rows"] if r["title"] == "Delay per trip")
    assert row["verdict"].startswith("not resolved")
    assert "Verlustzeit je Fahrt" in found["runs"]["slow"]["de"]["unresolved"]
    said = told(changed, "slow")["en"]
    assert said[0].startswith("Trips that are cut off, without any way: 0 before, 290 veh after")
    assert "not resolved" in said[1]
    assert not results(comparison)["lost"]


def test_means_of_counts_are_stored_exactly():
    from scenarios.present_values import _step
    from viz.presentation.pack import Pack

    for days in (3, 4, 7):
        counts = np.arange(40.0).reshape(2, 20) / days
        step = _step(counts, days)
        assert np.round(counts / step) * step == pytest.approx(counts, abs=1e-12)
    rng = np.random.default_rng(1)
    values = rng.uniform(0.0, 50.0, (12, 500))
    step = _step(values, 4)
    stored = np.round(values / step) * step
    assert np.abs(stored.sum(axis=0) - values.sum(axis=0)).max() < 0.005  # two digits are shown
    pack = Pack()
    pack.add("a", values, step=step)
    assert pack.entries[0]["type"] == "int32"


def test_what_cannot_be_shown_yet_is_told_and_left_out(ran, tmp_path):
    said: list[str] = []
    for file in [
        *ran.glob("idle/seed-*/indicators.parquet"),
        *ran.glob("*/seed-*/passages.parquet"),
    ]:
        file.unlink()
    header = header_of(present([ran], tmp_path / "a.html", say=said.append))
    assert [run["name"] for run in header["runs"]] == ["base", "slow"]
    assert [run["vehicles"] for run in header["runs"]] == [0, 0]
    assert len(said) == 2
    assert "no complete replication yet" in said[0]
    assert "were not recorded" in said[1]
    with pytest.raises(OutputError, match=r"does not end in \.html"):
        present([ran], tmp_path / "y.txt")


def test_a_city_of_models_keeps_its_name_and_names_its_file(helsinki: City):
    from dataclasses import replace

    from scenarios.presenting import _title
    from viz.language import language
    from viz.picture import attribution

    source = {"what": "CityGML", "file": "EssenExample.gml.gz"}
    city = replace(
        helsinki, name="EssenExample", sources=[source], options={"builder": "buildings"}
    )
    assert _title(city, []) == "EssenExample"
    assert attribution(city) == "Source: EssenExample.gml.gz"
    with language("de"):
        assert attribution(city) == "Quelle: EssenExample.gml.gz"


def test_what_is_there_stays_unless_told(shown, ran_once, tmp_path):
    with pytest.raises(OutputError, match="--overwrite"):
        present([ran_once], shown)
    before = shown.read_bytes()
    assert shown.read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        present([ran_once], other)


def test_the_same_results_give_the_same_page(shown, ran_once, tmp_path):
    again = present([ran_once], tmp_path / "again.html")
    assert again.read_bytes() == shown.read_bytes()


def test_who_names_nothing_of_use_gets_one_line(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        present([tmp_path / "nowhere"], tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stops:\n- {title: a, mode: both}", r"line 2: stops\.0\.mode"),
        ("stops:\n- title: a\n  street: Unioninkat", "line 3: street 'Unioninkat'.*Unioninkatu"),
        ("stops:\n- title: a\n  layer: snow", "line 3: layer 'snow'"),
        ("stops:\n- title: a\n  time: '25:99'", "line 3: stops.0.time: '25:99' is no time of day"),
        ("stops:\n- title: a\n  time: '07:30:61'", "HH:MM:SS"),
        ("stops:\n- title: a\n  street: unioninkat", "did you mean 'Unioninkatu'"),
        ("stops:\n- title: a\n  camera: {x: 3000, y: 0}", "line 3: camera.*x is 0 to 900"),
        ("stops: []", "stops"),
        ("stops:\n- text: no title", "title"),
        ("stops:\n- {title: a, camera: {x: 1, y: .nan}}", "camera.y"),
        ("- just a list", "the file"),
        ("stops: [", "no valid YAML"),
        ("", "empty"),
    ],
)  # fmt: skip
def test_a_tour_that_is_wrong_is_told_by_line(tmp_path, text, told):
    file = tmp_path / "tour.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        read_tour(file, ["Unioninkatu"], ["load"], ["slow"], (0.0, 0.0, 900.0, 500.0))
    assert "\n" not in str(caught.value)


def test_a_tour_of_ones_own(tmp_path):
    file = tmp_path / "tour.yaml"
    file.write_text(
        "stops:\n- title: {en: Start, de: Anfang}\n  text: Welcome\n  time: 07:30:15\n"
        "  camera: {x: 386000, y: 6672000, distance_m: 400}\n  mode: swipe\n"
    )
    (stop,) = read_tour(file, [], [], [])
    assert stop["title"] == {"en": "Start", "de": "Anfang"}
    assert stop["text"] == {"en": "Welcome", "de": "Welcome"}
    assert stop["camera"]["tilt_deg"] == 45.0
    assert json.dumps(stop)
