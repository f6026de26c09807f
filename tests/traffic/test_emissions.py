"""Emissions against SUMO's own output, and what is built on them."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import sumo

from twin.traffic.emissions import (
    CLASSES,
    FLEET,
    PETROL_EU4,
    co2_g_s,
    coefficients,
    rate_g_s,
    slowing_down_g,
    speeding_up_g,
)

V = 50 / 3.6


def call(program: str, *arguments: object) -> None:
    environment = {**os.environ, "SUMO_HOME": str(sumo.SUMO_HOME)}
    path = Path(sumo.SUMO_HOME) / "bin" / program
    subprocess.run([path, *map(str, arguments)], check=True, env=environment, capture_output=True)


def test_rates_are_those_of_sumo(tmp_path: Path) -> None:
    """Each class drives 2 km with a stop: every half second's CO2 and NOx, braking left out."""
    nodes, edges, net = (tmp_path / f"n.{kind}.xml" for kind in ("nod", "edg", "net"))
    nodes.write_text('<nodes><node id="a" x="0" y="0"/><node id="b" x="2000" y="0"/></nodes>')
    edges.write_text('<edges><edge id="ab" from="a" to="b" numLanes="1" speed="13.89"/></edges>')
    call("netconvert", "-n", nodes, "-e", edges, "-o", net)
    names = [name for name in CLASSES if name != "zero"]
    routes = tmp_path / "r.rou.xml"
    routes.write_text(
        '<routes><route id="r" edges="ab"/>'
        + "".join(f'<vType id="{n}" emissionClass="HBEFA3/{n}" sigma="0"/>' for n in names)
        + "".join(
            f'<vehicle id="{n}" type="{n}" route="r" depart="{200 * k}">'
            '<stop lane="ab_0" endPos="500" duration="5"/></vehicle>'
            for k, n in enumerate(names)
        )
        + "</routes>"
    )
    emitted, driven = tmp_path / "e.xml", tmp_path / "f.xml"
    call(
        "sumo", "-n", net, "-r", routes, "--step-length", 0.5, "--precision", 6,
        "--emission-output", emitted, "--emission-output.precision", 6,
        "--fcd-output", driven, "--fcd-output.acceleration",
    )  # fmt: skip
    accel = {
        (step.get("time"), v.get("id")): float(v.get("acceleration", "nan"))
        for step in ET.parse(driven).getroot()
        for v in step
    }
    seen = dict.fromkeys(names, 0)
    for step in ET.parse(emitted).getroot():
        for v in step:
            name, a = v.get("id", ""), accel[step.get("time"), v.get("id")]
            if a < 0:
                continue
            c = np.array(CLASSES[name], float)
            for row, pollutant in zip(c, ("CO2", "NOx"), strict=True):
                mg_s = 1000 * rate_g_s(row, float(v.get("speed", "nan")), a)
                assert mg_s == pytest.approx(float(v.get(pollutant, "nan")), rel=1e-5, abs=1e-5)
            seen[name] += 1
    assert min(seen.values()) > 200


def test_rates_of_a_petrol_car() -> None:
    """Idle 2,624.7 mg/s; 168 g/km at 50 km/h."""
    assert co2_g_s(0.0) == pytest.approx(2.6247, abs=1e-4)
    assert co2_g_s(V) / V * 1000 == pytest.approx(168, abs=0.5)


@pytest.mark.parametrize("kind", ["car", "lorry", "bus"])
def test_speeding_up_is_the_integral_of_the_rate(kind: str) -> None:
    for c in coefficients(FLEET, kind):
        t = np.linspace(0.0, (V - 3.0) / 1.3, 20_001)
        whole = np.trapezoid(rate_g_s(c, 3.0 + 1.3 * t, 1.3), t)
        assert speeding_up_g(c, 3.0, V, 1.3) == pytest.approx(whole, rel=1e-6)


def test_a_stop_costs_the_same_driven_second_by_second() -> None:
    """Braking without emission, speeding up, less driving on over the same way; nothing at u = v."""
    c = coefficients(PETROL_EU4, "car")[0]
    t = np.linspace(0.0, V / 2.6, 20_001)
    way_m = V**2 / (2 * 2.6) + V**2 / (2 * 4.5)
    expected = np.trapezoid(rate_g_s(c, 2.6 * t, 2.6), t) - rate_g_s(c, V) / V * way_m
    assert slowing_down_g(c, V, 0.0, V, 2.6, 4.5) == pytest.approx(expected, rel=1e-6)
    assert slowing_down_g(c, V, V, V, 2.6, 4.5) == pytest.approx(0.0, abs=1e-12)


def test_shares_of_the_fleet_are_whole() -> None:
    assert all(sum(kinds.values()) == pytest.approx(1.0) for kinds in FLEET.values())


def test_a_mean_of_coefficients_is_a_mean_of_vehicles() -> None:
    speed, accel = np.meshgrid(np.linspace(0.0, 36.0, 50), [0.0, 1.0, 2.6])
    for pollutant in (0, 1):
        one_by_one = sum(
            share * rate_g_s(np.array(CLASSES[name][pollutant], float), speed, accel)
            for name, share in FLEET["car"].items()
        )
        mean = coefficients(FLEET, "car")[pollutant]
        assert rate_g_s(mean, speed, accel) == pytest.approx(one_by_one)
