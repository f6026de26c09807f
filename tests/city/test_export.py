"""Exports hold what the city holds, in the words of the other format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest

from twin.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City


def test_geopackage_has_every_table_as_a_layer(tiny: City, tmp_path: Path) -> None:
    path = tiny.to_gpkg(tmp_path / "tiny.gpkg")
    layers = {name for name, _ in pyogrio.list_layers(path)}
    assert layers == set(tiny.tables)
    streets = gpd.read_file(path, layer="streets")
    assert streets.crs == tiny.crs
    assert streets["id"].tolist() == tiny.streets["id"].tolist()
    assert streets.geometry.length.sum() == pytest.approx(tiny.streets.geometry.length.sum())


def test_gmns_keys_point_to_rows(helsinki: City, tmp_path: Path) -> None:
    folder = helsinki.to_gmns(tmp_path / "gmns")
    t = {
        p.stem: pd.read_csv(p, dtype={"node_id": str, "controller_id": str})
        for p in folder.glob("*.csv")
    }
    link, lane, movement = t["link"], t["lane"], t["movement"]
    nodes = set(t["node"]["node_id"])
    assert set(link["from_node_id"].astype(str)) | set(link["to_node_id"].astype(str)) <= nodes
    assert set(lane["link_id"]) == set(link["link_id"])
    assert set(movement["ib_link_id"]) | set(movement["ob_link_id"]) <= set(link["link_id"])
    assert set(t["signal_phase_mvmt"]["mvmt_id"]) <= set(movement["mvmt_id"])
    assert set(t["signal_timing_plan"]["controller_id"]) == set(
        t["signal_controller"]["controller_id"]
    )
    # Units as the configuration says: km, km/h, lanes counted from the left.
    assert link["length"].sum() == pytest.approx(helsinki.streets["length_m"].sum() / 1000)
    assert link["free_speed"].max() == pytest.approx(
        helsinki.streets["speed_m_s"].max() * 3.6, abs=0.1
    )
    assert (lane.groupby("link_id")["lane_num"].min() == 1).all()
    assert t["config"].loc[0, "long_length"] == "km"


def test_exports_refuse_to_overwrite_what_is_not_theirs(tiny: City, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        tiny.to_gmns(tmp_path)
    with pytest.raises(OutputError, match="is a folder"):
        tiny.to_gpkg(tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        tiny.to_gpkg(tmp_path / "notes.txt" / "tiny.gpkg")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
