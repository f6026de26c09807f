"""What a replication reports of junctions, queues and emissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from agents.registry import resolve
from twin.ledger import Results
from twin.simulation import Prepared, Simulation, prepare
from twin.system import indicators, layers
from twin.traffic.demand import Demand
from twin.traffic.measures import SignalPolicy, SignalProgram, Speed

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City
    from twin.system import Measure

BEGIN, END = 7 * 3600.0, 7.5 * 3600.0


@pytest.fixture(scope="module")
def prepared(helsinki: City) -> Prepared:
    demand = Demand.generate(helsinki, scale=0.5)
    return prepare(helsinki, demand, seed=4, begin_s=BEGIN, end_s=END, iterations=3)


def make(city: City, prepared: Prepared, *measures: Measure, **more: Any) -> Simulation:
    given = {"seed": 4, "begin_s": BEGIN, "end_s": END, "policies": resolve, **more}
    return Simulation(city, prepared, measures=measures, **given)


@pytest.mark.parametrize(
    "measures",
    [
        (),
        (SignalPolicy(policy="max_pressure"),),
        (SignalProgram(program="off", begin="07:05", end="07:20"),),
    ],
    ids=["base", "max-pressure", "signals-off"],
)
def test_tables_do_not_depend_on_snapshots(
    helsinki: City, prepared: Prepared, measures: tuple[Measure, ...]
) -> None:
    whole = make(helsinki, prepared, *measures).run()
    first = make(helsinki, prepared, *measures)
    first.run(until_s=BEGIN + 611.11)
    second = make(helsinki, prepared, *measures, snapshot=first.snapshot()).run()
    for name in ("junctions", "queues", "streets"):
        pd.testing.assert_frame_equal(whole.tables[name], second.tables[name])
        assert len(whole.tables[name]) > 50


def test_tables_survive_being_written(helsinki: City, prepared: Prepared, tmp_path: Path) -> None:
    results = make(helsinki, prepared, warmup_s=600.0).run()
    results.save(tmp_path / "one")
    again = Results.load(tmp_path / "one")
    table, read = results.tables["junctions"], again.tables["junctions"]
    pd.testing.assert_frame_equal(read, table)
    assert table["interval_start_s"].min() == BEGIN + 900.0  # the first whole interval counted
    found = {i for i, v in results.indicators.items() if np.isfinite(v)}
    assert {"junctions_hbs_e_f", "co2_t", "nox_kg", "user_cost_eur", "buffer_index_percent"} < found
    assert found <= set(indicators())
    for layer in layers().values():
        if layer.table in results.tables:
            assert {"street", layer.column} <= set(results.tables[layer.table])


def test_junctions_are_the_sum_of_their_lane_groups(helsinki: City, prepared: Prepared) -> None:
    table = make(helsinki, prepared).run().tables["junctions"]
    key = ["junction", "interval_start_s", "interval_s"]
    groups, whole = table[table["street"] >= 0], table[table["street"] < 0].set_index(key)
    sums = groups.groupby(key)["vehicles"].sum()
    assert (sums == whole["vehicles"].loc[sums.index]).all()
    lost = (groups["vehicles"] * groups["delay_s"]).groupby([groups[k] for k in key]).sum()
    assert lost.to_numpy() == pytest.approx(
        (whole["vehicles"] * whole["delay_s"]).loc[lost.index].to_numpy(), rel=1e-4, abs=1e-2
    )
    half_hours = table[(table["street"] >= 0) & (table["interval_s"] == END - BEGIN)]
    quarters = table[(table["street"] >= 0) & (table["interval_s"] == 900.0)]
    assert half_hours["vehicles"].sum() == pytest.approx(quarters["vehicles"].sum())


def test_emissions_of_streets_are_plausible(helsinki: City, prepared: Prepared) -> None:
    """Between what a car takes at a steady 50 km/h and a bus among standing traffic, per km."""
    results = make(helsinki, prepared).run()
    streets, km = results.tables["streets"], results.indicators["distance_km"]
    assert results.indicators["co2_t"] == pytest.approx(streets["co2_kg"].sum() / 1000.0)
    assert 0.16 < streets["co2_kg"].sum() / km < 1.2
    assert (streets["co2_kg"] >= 0).all()


def test_a_lower_limit_changes_emissions(helsinki: City, prepared: Prepared) -> None:
    """At 10 km/h an engine runs longer for the same way."""
    street = "166564262"
    base = make(helsinki, prepared).run()
    slow = make(helsinki, prepared, Speed(street=street, kmh=10)).run()
    assert slow.indicators["co2_t"] != base.indicators["co2_t"]
    from twin.city.lookup import find_streets

    at = find_streets(helsinki, street)
    per = [
        t[t["street"].isin(at)]["co2_kg"].sum() / t[t["street"].isin(at)]["entered"].sum()
        for t in (base.tables["streets"], slow.tables["streets"])
    ]
    assert per[1] > 1.2 * per[0]
