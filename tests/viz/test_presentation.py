"""The packed arrays of a presentation, decoded by the page's own JavaScript, and the page's parts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from viz.presentation import page
from viz.presentation.pack import Pack
from viz.presentation.traffic import GREEN, LIGHT

SOURCE = Path(page.__file__).parents[1] / "web" / "src" / "payload.js"
DECODE = """
import {{ bytesOf, decoded, inflated }} from "{source}";
let text = "";
for await (const part of process.stdin) text += part;
const given = JSON.parse(text);
const bytes = await inflated(bytesOf(given.data));
const out = given.entries.map((e) => [e.name, [...decoded(bytes, e)].map((v) => Number.isNaN(v) ? null : v)]);
console.log(JSON.stringify(Object.fromEntries(out)));
"""


def decoded(pack: Pack) -> dict[str, list[float | None]]:
    if shutil.which("node") is None:
        pytest.skip("no Node here, which runs the page's JavaScript")
    given = json.dumps({"data": pack.base64(), "entries": pack.entries})
    done = subprocess.run(
        ["node", "--input-type=module", "-e", DECODE.format(source=SOURCE.as_uri())],
        input=given, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, list[float | None]] = json.loads(done.stdout)
    return found


def test_arrays_come_out_as_they_went_in():
    rng = np.random.default_rng(1)
    pack = Pack()
    whole = {
        "bytes": rng.integers(0, 255, 100), "signed": rng.integers(-100, 100, 7),
        "large": rng.integers(-(2**31) + 1, 2**31 - 1, 1000), "none": np.zeros(0, int),
        "truth": rng.random(20) < 0.5,
    }  # fmt: skip
    for name, values in whole.items():
        pack.add(name, values)
    lines = np.cumsum(rng.normal(0.0, 30.0, (500, 2)), axis=0)
    pack.add("xy", lines, step=0.1, delta=True)
    rough = rng.normal(0.0, 50.0, 300)
    rough[::7] = np.nan
    pack.add("gaps", rough, step=0.05)
    pack.add("rising", np.arange(0, 10**6, 997), delta=True)
    found = decoded(pack)
    for name, values in whole.items():
        assert found[name] == values.astype(int).tolist(), name
    assert np.abs(np.array(found["xy"]).reshape(-1, 2) - lines).max() <= 0.05 + 1e-9
    back = np.array([np.nan if v is None else v for v in found["gaps"]])
    assert np.array_equal(np.isnan(back), np.isnan(rough))
    assert np.nanmax(np.abs(back - rough)) <= 0.025 + 1e-9
    assert found["rising"] == list(range(0, 10**6, 997))


def test_differences_of_lines_take_few_bytes():
    way = np.cumsum(np.full((10_000, 2), 3.7), axis=0)
    plain, delta = Pack(), Pack()
    plain.add("xy", way, step=0.1)
    delta.add("xy", way, step=0.1, delta=True)
    assert len(delta.base64()) < len(plain.base64()) / 20


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="32 bits"):
        Pack().add("large", [2**40])


def test_lights_as_they_are_recorded():
    from twin.traffic.network import MAJOR, MINOR, RED, STOP_LIGHT, UNSIGNALLED, YELLOW

    assert LIGHT[RED] == LIGHT[STOP_LIGHT] == 0
    assert LIGHT[YELLOW] == 1
    assert LIGHT[MAJOR] == LIGHT[MINOR] == GREEN
    assert LIGHT[UNSIGNALLED] == 3


HEADER = {"lang": "en", "title": "</script><b>&", "names": ["a</script>b"]}


@pytest.mark.skipif(page.bundle() is None, reason="the viewer has not been built: make web")
def test_no_text_of_the_data_ends_a_script():
    (text,) = page.files(HEADER, Pack(), folder=False).values()
    inside = text.split('id="twin-header">')[1].split("</script>")[0]
    assert json.loads(inside)["names"] == ["a</script>b"]
    assert "<b>&" not in text.split("<style>")[0].split("-->")[1]
    assert text.count("<script") == text.count("</script>")


@pytest.mark.skipif(page.bundle() is None, reason="the viewer has not been built: make web")
def test_a_page_names_nothing_outside_itself_and_carries_licences():
    built = page.bundle()
    assert built is not None
    for name in ("three", "earcut"):
        assert f"\n{name} " in built["LICENSES.txt"]
    assert "Copyright" in built["LICENSES.txt"]
    (text,) = page.files(HEADER, Pack(), folder=False).values()
    assert "three" in text.split("-->")[0]
    parts = page.files(HEADER, Pack(), folder=True)
    assert set(parts) == {"index.html", "data.js", *page.BUNDLE}
    for place in ("src=", "href="):
        named = [p.split('"')[1] for p in parts["index.html"].split(place)[1:]]
        assert all(n in parts or n == "data:," for n in named)


def test_without_the_viewer_pyvista_shows_the_city_or_one_line_says_what_lacks(
    helsinki, tmp_path, monkeypatch
):
    from importlib.util import find_spec

    from twin.errors import OutputError
    from viz.gl import opengl_available
    from viz.presentation.fallback import export

    usable, why = opengl_available()
    if not usable:
        pytest.skip(why)
    file = tmp_path / "city.html"
    if find_spec("trame_pyvista") is None:
        with pytest.raises(OutputError, match="make web"):
            export(helsinki, file, "Helsinki", "en")
        assert not file.exists()
        return
    text = export(helsinki, file, "Helsinki <1>", "en").read_text()
    assert "OpenStreetMap" in text
    assert "<title>Helsinki &lt;1&gt;</title>" in text
    assert "vtk-js/icon" not in text  # it asks for nothing outside
