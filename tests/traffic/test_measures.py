"""What measures make of streets and signals, in order and over time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from twin.city.lookup import Streets, find_streets
from twin.city.opening import open_city
from twin.errors import ScenarioError
from twin.simulation import Simulation, prepare
from twin.traffic.demand import Demand
from twin.traffic.measures import (
    BusLane,
    Close,
    Lanes,
    OneWay,
    Phase,
    Reopen,
    SignalPolicy,
    SignalProgram,
    Speed,
)
from twin.traffic.parameters import BUS, CAR

if TYPE_CHECKING:
    from pathlib import Path

    from twin.city import City
    from twin.system import Measure
    from twin.traffic.preparation import Prepared
    from twin.traffic.process import Traffic

BEGIN, END = 7 * 3600.0, 7.5 * 3600.0
STREET = "Mannerheimintie"


@pytest.fixture(scope="module")
def demand(helsinki: City) -> Demand:
    return Demand.generate(helsinki, scale=0.1)


@pytest.fixture(scope="module")
def usual(helsinki: City, demand: Demand) -> Prepared:
    return prepare(helsinki, demand, seed=1, begin_s=BEGIN, end_s=END, iterations=3)


def simulate(city: City, prepared: Prepared, *measures: Measure, **more: Any) -> Simulation:
    options = {"seed": 1, "begin_s": BEGIN, "end_s": END, "systems_on": ["traffic"], **more}
    return Simulation(city, prepared, measures=measures, **options)


def traffic_of(sim: Simulation, time: float = BEGIN + 1.0) -> Traffic:
    sim.run(until_s=time)
    traffic = sim.parts["traffic"]
    traffic.sync()  # type: ignore[attr-defined]
    return traffic  # type: ignore[return-value]


def lane_values(traffic: Traffic, street: int, field: str) -> list[float]:
    first, end = traffic.network.arrays.street_lane[street : street + 2]
    return traffic.state.lane[field][first:end].tolist()


def test_of_two_measures_on_one_street_the_later_counts(helsinki: City, usual: Prepared) -> None:
    street = int(find_streets(helsinki, STREET)[0])
    slow, fast = Speed(street=STREET, kmh=20), Speed(street=STREET, kmh=60)
    for order, kmh in (((slow, fast), 60.0), ((fast, slow), 20.0)):
        traffic = traffic_of(simulate(helsinki, usual, *order))
        assert lane_values(traffic, street, "speed") == pytest.approx(
            [kmh / 3.6] * len(lane_values(traffic, street, "speed"))
        )


def test_a_limit_holds_from_its_begin_to_its_end(helsinki: City, usual: Prepared) -> None:
    street = int(find_streets(helsinki, STREET)[0])
    built = helsinki.streets["speed_m_s"].iloc[street]
    sim = simulate(helsinki, usual, Speed(street=STREET, kmh=10, begin="07:05", end="07:10"))
    for time, speed in ((BEGIN + 1, built), (BEGIN + 301, 10 / 3.6), (BEGIN + 601, built)):
        assert lane_values(traffic_of(sim, time), street, "speed")[0] == pytest.approx(speed)


def test_what_is_closed_is_opened_again_by_a_later_measure(helsinki: City, usual: Prepared) -> None:
    street = int(find_streets(helsinki, STREET)[0])
    close, reopen = Close(street=STREET), Reopen(street=STREET, begin="07:10")
    sim = simulate(helsinki, usual, close, reopen)
    assert not any(lane_values(traffic_of(sim), street, "open"))
    assert not sim.claims.held(street).open
    assert all(lane_values(traffic_of(sim, BEGIN + 601), street, "open"))
    assert sim.claims.held(street).open


def test_a_bus_lane_is_for_buses(helsinki: City, usual: Prepared) -> None:
    measure = BusLane(street=STREET)
    sim = simulate(helsinki, usual, measure)
    streets = measure.change(sim.outlook).streets
    traffic = traffic_of(sim)
    for street in streets:
        classes = np.array(lane_values(traffic, int(street), "classes"))
        assert (classes & CAR > 0).sum() == len(classes) - 1
        assert (classes & BUS > 0).all()
    sim.run()
    state = traffic.sync()
    lanes = {int(traffic.network.arrays.street_lane[s]) for s in streets}
    kind = np.array([t.vehicle_class for t in traffic.network.types])
    seen = {
        (int(state.slot["code"][ring] & 255))
        for lane in lanes
        for ring in _occupied(state.lane[lane])
    }
    assert {str(kind[k]) for k in seen} <= {"bus"}


def _occupied(lane: Any) -> list[int]:
    size, tail = int(lane["size"]), int(lane["tail"])
    count = int(lane["gone"]) + int(lane["inside"])
    return [int(lane["ring"]) + (tail + k) % size for k in range(count)]


def test_a_bus_lane_leaves_streets_of_one_lane_out(helsinki: City, usual: Prepared) -> None:
    sim = simulate(helsinki, usual)
    measure = BusLane(streets=Streets(highway=("residential", "secondary")))
    wide = measure.change(sim.outlook).streets
    assert 0 < len(wide) < len(measure.found(sim.outlook))
    narrow = helsinki.streets["id"][int(np.flatnonzero(helsinki.streets["lanes"] == 1)[0])]
    with pytest.raises(ScenarioError, match=r"has 1 lane.*needs one more than it takes"):
        BusLane(street=str(narrow)).change(sim.outlook)


def test_one_way_closes_what_leads_the_other_way(helsinki: City, usual: Prepared) -> None:
    sim = simulate(helsinki, usual)
    west = OneWay(street="Bulevardi", direction="west").change(sim.outlook).streets
    east = OneWay(street="Bulevardi", direction="east").change(sim.outlook).streets
    ends = helsinki.streets.geometry.map(lambda g: g.coords[-1][0] - g.coords[0][0]).to_numpy()
    assert (ends[west] > 0).all()
    assert (ends[east] < 0).all()
    assert {*west, *east} == {*find_streets(helsinki, "Bulevardi")}


def test_more_lanes_than_there_are_cannot_be_opened(helsinki: City, usual: Prepared) -> None:
    sim = simulate(helsinki, usual)
    with pytest.raises(ScenarioError, match="a measure can close lanes"):
        Lanes(street=STREET, lanes=9).change(sim.outlook)


def test_streets_in_a_drawn_area_and_by_what_they_are(
    helsinki: City, usual: Prepared, tmp_path: Path
) -> None:
    whole = helsinki.streets.to_crs("EPSG:4326").total_bounds
    middle = (whole[0] + whole[2]) / 2
    ring = [[whole[0], whole[1]], [middle, whole[1]], [middle, whole[3]], [whole[0], whole[3]]]
    area = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    (tmp_path / "west.geojson").write_text(json.dumps(area))
    sim = simulate(helsinki, usual, files=lambda name: tmp_path / name)
    found = Streets(within="west.geojson", highway=("residential",)).find(
        helsinki, sim.outlook.file
    )
    centre = helsinki.streets.geometry.interpolate(0.5, normalized=True).to_crs("EPSG:4326").x
    assert (helsinki.streets["highway"].iloc[found] == "residential").all()
    assert (centre.iloc[found] < middle + 1e-4).all()
    rest = Streets(within="west.geojson", but=("Bulevardi",)).find(helsinki, sim.outlook.file)
    assert not set(rest) & set(find_streets(helsinki, "Bulevardi"))
    for text, words in (
        ("{", "is no GeoJSON"),
        ('{"type": "Point", "coordinates": [0, 0]}', "holds no polygon"),
        (json.dumps({"type": "Polygon", "coordinates": [[[4e5, 6e6], [4e5, 7e6], [5e5, 6e6], [4e5, 6e6]]]}), "no longitude and latitude"),
        (json.dumps({"type": "Polygon", "coordinates": [[[1, 1], [1, 2], [2, 2], [1, 1]]]}), "no street of helsinki lies within it"),
    ):  # fmt: skip
        (tmp_path / "bad.geojson").write_text(text)
        with pytest.raises(Exception, match=words):
            Streets(within="bad.geojson").find(helsinki, sim.outlook.file)


def test_a_name_that_several_streets_have_is_refused(data_dir: Path) -> None:
    """Two streets of Krems are called Austraße."""
    krems = open_city(str(data_dir / "osm" / "krems.osm.gz"))
    with pytest.raises(ScenarioError, match=r"is 2 streets, more than 150 m apart.*every: true"):
        find_streets(krems, "Austraße")
    every = find_streets(krems, "Austraße", every=True)
    assert len(every) == (krems.streets["name"] == "Austraße").sum()


def test_a_city_in_which_nothing_changes_keeps_its_routes(
    helsinki: City, demand: Demand, usual: Prepared
) -> None:
    window = {"seed": 1, "begin_s": BEGIN, "end_s": END, "iterations": 3}
    same = prepare(helsinki, demand, usual=usual, measures=[Reopen(street="Unioninkatu")], **window)
    assert same.gaps == [usual.gap]
    assert np.array_equal(same.routes.street, usual.routes.street)
    slow = prepare(helsinki, demand, usual=usual, measures=[Speed(street=STREET, kmh=10)], **window)
    on = np.isin(usual.routes.street, find_streets(helsinki, STREET)).sum()
    assert np.isin(slow.routes.street, find_streets(helsinki, STREET)).sum() < on


def test_another_equilibrium_is_told_and_not_kept(
    helsinki: City, demand: Demand, usual: Prepared
) -> None:
    period = {"seed": 1, "begin_s": BEGIN, "end_s": END}
    found = prepare(helsinki, demand, iterations=len(usual.gaps), gap=0.0, again=True, **period)
    assert found.gaps == usual.gaps
    assert (found.routes.street == usual.routes.street).all()
    assert usual.learning is not None
    assert found.learning is not None
    assert usual.learning["gap"].tolist() == [usual.gap] == [min(usual.gaps)]
    kept, other = found.learning.to_dict("records")
    assert [kept] == usual.learning.to_dict("records")
    assert other["iteration"] > kept["iteration"]
    assert 0 < other["gap"] < 2 * kept["gap"]
    assert other["delay_per_trip_s"] != kept["delay_per_trip_s"]
    assert other["delay_per_trip_s"] == pytest.approx(kept["delay_per_trip_s"], rel=0.2)


def test_who_lives_on_a_closed_street_leaves_by_the_next(helsinki: City, demand: Demand,
                                                         usual: Prepared) -> None:  # fmt: skip
    closed = prepare(
        helsinki, demand, usual=usual, seed=1, begin_s=BEGIN, end_s=END, iterations=3,
        measures=[Close(street=STREET)],
    )  # fmt: skip
    streets = find_streets(helsinki, STREET)
    cars = (closed.trips["vehicle_type"] == "car").to_numpy()
    ends = closed.trips.loc[cars, ["origin", "destination"]]
    stays = ends.isin(streets).any(axis=1)
    assert (
        stays.sum()
        < 0.2 * usual.trips.loc[:, ["origin", "destination"]].isin(streets).any(axis=1).sum()
    )
    done = simulate(helsinki, closed, Close(street=STREET), response="equilibrium").run()
    entered = done.tables["streets"].groupby("street")["entered"].sum()
    assert entered.reindex(streets).fillna(0).sum() == 0


@pytest.mark.parametrize(
    "measure",
    [
        BusLane(street=STREET, begin="07:05", end="07:20"),
        Speed(street=STREET, kmh=20, begin="07:05", end="07:20"),
        SignalProgram(program="off", begin="07:05", end="07:20"),
    ],
    ids=["bus lane", "speed", "off"],
)
@pytest.mark.parametrize("at_s", [600.0, 1500.0])
def test_going_on_from_a_snapshot_keeps_what_holds(
    helsinki: City, usual: Prepared, measure: Measure, at_s: float
) -> None:
    whole = simulate(helsinki, usual, measure).run()
    first = simulate(helsinki, usual, measure)
    first.run(until_s=BEGIN + at_s)
    second = simulate(helsinki, usual, measure, snapshot=first.snapshot()).run()
    assert whole.tables["trips"].equals(second.tables["trips"])
    assert whole.tables["events"].equals(second.tables["events"])


def test_a_program_is_shown_from_its_begin_on(helsinki: City, usual: Prepared) -> None:
    signal = str(helsinki.signals["id"].iloc[0])
    links = len(helsinki.signals["state"].iloc[0])
    phases = (Phase(duration_s=7, state="G" * links), Phase(duration_s=13, state="r" * links))
    sim = simulate(helsinki, usual, SignalProgram(signals=(signal,), phases=phases, begin="07:05"))
    traffic = traffic_of(sim, BEGIN + 299.0)
    before = traffic.network.signals
    shown = []
    for second in range(301, 361):
        traffic = traffic_of(sim, BEGIN + second)
        sig = traffic.network.signals
        at = sig.links[sig.link[0] : sig.link[1]]
        shown.append(int(traffic.state.link["light"][at][0]))
    assert before is not traffic.network.signals
    offset = float(helsinki.signals["offset_s"].iloc[0])
    expected = [3 if (BEGIN + s - 1 - offset) % 20 < 7 else 0 for s in range(301, 361)]
    assert shown == expected


def test_programs_of_a_sumo_file(helsinki: City, usual: Prepared, tmp_path: Path) -> None:
    signal = str(helsinki.signals["id"].iloc[0])
    links = len(helsinki.signals["state"].iloc[0])
    file = tmp_path / "tls.add.xml"
    sim = simulate(helsinki, usual, files=lambda name: tmp_path / name)

    def programs(name: str, state: str, duration: str = "30") -> Any:
        file.write_text(
            f'<additional><tlLogic id="{name}" type="static" programID="p" offset="4">'
            f'<phase duration="{duration}" state="{state}"/></tlLogic></additional>'
        )
        return SignalProgram(file="tls.add.xml").programs(sim.outlook)

    rows = programs(signal, "G" * links)[signal]
    assert rows["state"].tolist() == ["G" * links]
    assert rows["offset_s"].tolist() == [4.0]


@pytest.mark.parametrize(
    ("name", "state", "duration", "words"),
    [
        ("nowhere", "G", "30", "signal 'nowhere' is not in the city helsinki"),
        (None, "G", "30", "has a state of 1 letters"),
        (None, "X", "30", "other letters than"),
        (None, "G", "long", "'long', no number"),
    ],
)
def test_a_program_that_does_not_fit_is_refused(
    helsinki: City, usual: Prepared, tmp_path: Path, name: str | None, state: str,
    duration: str, words: str,
) -> None:  # fmt: skip
    given = name or str(helsinki.signals["id"].iloc[0])
    (tmp_path / "tls.add.xml").write_text(
        f'<additional><tlLogic id="{given}"><phase duration="{duration}" state="{state}"/>'
        "</tlLogic></additional>"
    )
    sim = simulate(helsinki, usual, files=lambda name: tmp_path / name)
    with pytest.raises(Exception, match=words):
        SignalProgram(file="tls.add.xml").effects(sim.outlook)


def test_a_policy_of_an_alternative_takes_over_from_that_of_the_base(
    helsinki: City, usual: Prepared
) -> None:
    from agents.registry import resolve

    def run(*measures: Measure) -> Any:
        return simulate(helsinki, usual, *measures, policies=resolve).run().tables["trips"]

    alone = run(SignalPolicy(policy="max_pressure"))
    both = run(SignalPolicy(policy="webster"), SignalPolicy(policy="max_pressure"))
    assert alone.equals(both)
