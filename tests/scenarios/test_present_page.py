"""`twin present`: what a real browser shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import BOXES, CHROMIUM, PHONE, apart, in_browser, opened, rewritten, still

from scenarios.presenting import present
from scenarios.runs import open_run
from viz.palette import Scale, rgb
from viz.presentation import page
from viz.scene.works import STRIPES

if TYPE_CHECKING:
    from twin.city import City

pytestmark = pytest.mark.skipif(
    page.bundle() is None, reason="the viewer has not been built: make web"
)


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
        x, y = tab.evaluate("Math.round(twin.state.split * innerWidth)"), 360
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
        assert re.search(r"Speed: \d+ km/h without, \d+ km/h with “20 km/h on Unioninkatu”", text)
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


@in_browser
def test_a_closed_street_wears_tape_while_it_is_closed(browser, shown, tmp_path):
    from PIL import Image

    def close(header):
        (done,) = [e for e in header["touched"] if e["run"] == "slow"]
        done |= {"closes": True, "begin": 43_300.0, "end": 43_500.0}
        streets.extend(done["streets"])

    streets: list[int] = []
    file = rewritten(shown, tmp_path / "closed.html", close)
    street = streets[0]
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
