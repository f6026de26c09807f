"""Bus lines with stops beside a real SUMO."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_peer import folder, peer, run, write  # noqa: F401

from twin.errors import InputError
from twin.traffic.peer import simulate_files

PLACES = """
<busStop id="first" lane="A0B0_0" startPos="100" endPos="120"/>
<busStop id="second" lane="B0C0_0" startPos="200" endPos="220"/>
"""
LINE = '<vType id="line" vClass="bus" sigma="0" speedDev="0"/>'


def test_dwell_and_timetable_of_a_line_as_in_sumo(folder: Path) -> None:  # noqa: F811
    """Durations with stops, waiting for the timetable, and stops given in a route."""
    body = (
        LINE
        + """
    <route id="r" edges="A0B0 B0C0 C0C1">
        <stop busStop="first" duration="20"/><stop busStop="second" duration="20" until="200"/>
    </route>
    <vehicle id="a" type="line" route="r" depart="0"/>
    <flow id="f" type="line" begin="60" period="120" number="3">
        <route edges="A0B0 B0C0 C0C1"/>
        <stop busStop="second" duration="30" until="300"/>
    </flow>
    <trip id="t" type="line" depart="400">
        <stop lane="A0B0_0" endPos="-50" duration="15"/><stop busStop="second" duration="10"/>
    </trip>
    """
    )
    places = write(folder / "stops.add.xml", PLACES)
    routes = write(folder / "line.rou.xml", body)
    out = folder / "trips.csv"
    simulate_files(folder / "grid.net.xml", [routes, places], 0.0, 900.0, 1, out)
    ours, sumo = pd.read_csv(out), peer(folder, routes, 900.0, "-a", places)
    both = ours.merge(sumo, on="id", suffixes=("", "_sumo")).set_index("id")
    assert len(both) == 5
    moved = both.loc[["a", "f.0", "f.1", "f.2", "t"]]
    assert (moved["duration_s"] - moved["duration"]).abs().max() < 15.0
    assert (moved["time_loss_s"] - moved["timeLoss"]).abs().max() < 25.0
    assert moved.loc["a", "duration_s"] > 200.0


def test_a_stop_that_nobody_defines(folder: Path) -> None:  # noqa: F811
    body = '<trip id="t" depart="0"><stop busStop="lost" duration="5"/></trip>'
    with pytest.raises(InputError, match="stop 'lost' is not defined; give its additional file"):
        run(folder, write(folder / "lost.rou.xml", body))
