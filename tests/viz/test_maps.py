"""Street maps: well formed, small, and safe whatever a street is called."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from viz import maps
from viz.palette import Scale

if TYPE_CHECKING:
    from twin.city import City
    from viz.maps import MapBase

SVG = "{http://www.w3.org/2000/svg}"
NAME = "<script>alert('Kaivokatu')</script> & \"Co\"\x00"


@pytest.fixture(scope="module")
def base(helsinki: City) -> MapBase:
    streets = helsinki.streets.copy()
    streets.loc[3, "name"] = NAME
    return maps.map_base(replace(helsinki, streets=streets))


@pytest.fixture(scope="module")
def difference(helsinki: City) -> pd.Series:
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(0.0, 4.0, len(helsinki.streets)))
    values.iloc[7] = np.nan
    return values.drop(index=8)


@pytest.fixture(scope="module")
def drawn(base: MapBase, difference: pd.Series) -> str:
    return maps.street_map(base, difference, title="Delay", unit="s", diverging=True)


def test_a_map_is_xml_with_a_stroke_for_every_street(drawn: str, base: MapBase) -> None:
    root = ET.fromstring(drawn)
    strokes = [e.attrib["href"] for e in root.iter(f"{SVG}use") if "data-v" in e.attrib]
    plain = next(g for g in root.iter(f"{SVG}g") if g.attrib.get("id") == "m-plain")
    assert len(plain.findall(f"{SVG}use")) == len(base.streets)
    assert {f"#m{k}" for k in range(len(base.streets))} - set(strokes) == {"#m7", "#m8"}
    shapes = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    assert {e.attrib["href"][1:] for e in root.iter(f"{SVG}use")} <= shapes


def test_a_street_name_is_text_and_never_markup(drawn: str) -> None:
    assert "<script" not in drawn
    names = [
        e.attrib["data-n"] for e in ET.fromstring(drawn).iter(f"{SVG}path") if "data-n" in e.attrib
    ]
    assert NAME.replace("\x00", "") in names


def test_the_heaviest_street_is_drawn_last_and_widest(drawn: str, difference: pd.Series) -> None:
    strokes = [e for e in ET.fromstring(drawn).iter(f"{SVG}use") if "data-v" in e.attrib]
    widths = [float(e.attrib["stroke-width"]) for e in strokes]
    assert widths == sorted(widths)
    last = difference[int(strokes[-1].attrib["href"].removeprefix("#m"))]
    assert abs(last) >= difference.abs().quantile(0.98)


def test_a_legend_of_differences_has_symmetric_ends_and_the_unit(drawn: str) -> None:
    words = [e.text or "" for e in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert "Delay [s]" in words
    marks = [w for w in words if re.fullmatch(r"[−+]?[\d.]+", w)]
    assert marks[0] == marks[-1].replace("+", "−")


def test_a_map_is_small(drawn: str, base: MapBase, difference: pd.Series) -> None:
    assert len(drawn.encode()) < 300_000
    again = maps.street_map(base, difference, title="Load", unit="s", standalone=False)
    assert len(again.encode()) < 60_000
    ET.fromstring(maps.definitions(base))


def test_a_legend_in_html_names_both_ends() -> None:
    text = maps.legend(Scale(-2.0, 2.0, diverging=True), "Delay <b>", "s", ("less", "more"))
    assert "Delay &lt;b&gt; [s]" in text
    assert "less" in text
    assert "more" in text
    ET.fromstring(text)


def test_streets_keep_their_length_on_the_map(base: MapBase, helsinki: City) -> None:
    for k in (0, 50, 200):
        run = base.streets[k].partition("l")[2]
        steps = np.array(re.findall(r"-?\d+", run), int).reshape(-1, 2)
        length = np.hypot(*steps.T).sum() * base.unit_m
        assert length == pytest.approx(helsinki.streets.geometry.iloc[k].length, rel=0.15)
