"""How many get into a junction beside a stream with right of way: the kernel and a real SUMO."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sumo

from twin.traffic.peer import simulate_files

HOUR_S, START_S = 3600.0, 600.0
ENDS = {"n": (0, 300), "e": (300, 0), "s": (0, -300), "w": (-300, 0)}


def call(program: str, *arguments: object) -> None:
    environment = {**os.environ, "SUMO_HOME": str(sumo.SUMO_HOME)}
    path = Path(sumo.SUMO_HOME) / "bin" / program
    subprocess.run([path, *map(str, arguments)], check=True, env=environment, capture_output=True)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crossing whose street from north to south has priority, 50 km/h."""
    folder = tmp_path_factory.mktemp("entries")
    nodes, edges = folder / "n.nod.xml", folder / "e.edg.xml"
    nodes.write_text(
        "<nodes>" + "".join(f'<node id="{k}" x="{x}" y="{y}"/>' for k, (x, y) in ENDS.items())
        + '<node id="c" x="0" y="0" type="priority"/></nodes>'
    )  # fmt: skip
    edges.write_text(
        "<edges>"
        + "".join(
            f'<edge id="{k}_{way}" from="{a}" to="{b}" numLanes="1" speed="13.89" '
            f'priority="{3 if k in "ns" else 1}"/>'
            for k in ENDS
            for way, a, b in (("in", k, "c"), ("out", "c", k))
        )
        + "</edges>"
    )
    path = folder / "crossing.net.xml"
    call("netconvert", "-n", nodes, "-e", edges, "--no-turnarounds", "-o", path)
    return path


@pytest.mark.parametrize("major_h", [200, 400])
@pytest.mark.parametrize(
    ("way", "foe"),
    [("we", "ns"), ("ws", "ns"), ("wn", "sn"), ("ne", "sn")],
    ids=["crosses", "right merge", "left merge", "left through the opposing stream"],
)
def test_as_many_get_in_as_in_sumo(net: Path, way: str, foe: str, major_h: int) -> None:
    """Vehicles an hour of a queue that never ends, beside random arrivals: within 8 %, three seeds."""
    due = np.sort(np.random.default_rng(2).uniform(0, HOUR_S, major_h))
    trips = [(t, f"f{k}", foe) for k, t in enumerate(due)]
    trips += [(2.0 * k, f"e{k}", way) for k in range(int(HOUR_S / 2))]
    routes, out = net.with_name("entries.rou.xml"), net.with_name("trips.csv")
    routes.write_text(
        "<routes>"
        + "".join(
            f'<trip id="{name}" depart="{t:.2f}" from="{w[0]}_in" to="{w[1]}_out" '
            'departSpeed="max"/>'
            for t, name, w in sorted(trips)
        )
        + "</routes>"
    )
    tripinfo, theirs, ours = net.with_name("tripinfo.xml"), 0, 0
    for seed in (1, 2, 3):
        call(
            "sumo", "-n", net, "-r", routes, "-e", HOUR_S, "--tripinfo-output", tripinfo,
            "--time-to-teleport", -1, "--no-step-log", "--seed", seed,
        )  # fmt: skip
        theirs += sum(
            trip.get("id", "").startswith("e") and float(trip.get("arrival", "-1")) > START_S
            for trip in ET.parse(tripinfo).getroot()
        )
        simulate_files(net, [routes], 0.0, HOUR_S, seed, out)
        table = pd.read_csv(out)
        ours += int((table["id"].str.startswith("e") & (table["arrival_s"] > START_S)).sum())
    assert ours == pytest.approx(theirs, rel=0.08)
