"""Own matrices: what is drawn is what they state, and a bad file is refused in one line."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
from shapely.geometry import Point, box

from twin.errors import InputError
from twin.traffic.demand import DEFAULT, Demand
from twin.traffic.demand.departures import PROFILES
from twin.traffic.demand.matrix_files import MatrixFile, read_matrices
from twin.traffic.demand.zone_files import read_zones

TRIPS = np.array([[0.0, 40.0, 10.0], [30.0, 5.0, 0.0], [20.0, 25.0, 8.0]])
IDS = ["101", "102", "7"]
CORNERS = {"101": (-10, -10), "102": (390, -10), "7": (-10, 390)}


@pytest.fixture(scope="module")
def city(toy_city):
    """The toy city, some kilometres north of where UTM 32 begins to count."""
    toy_city.crs = pyproj.CRS("EPSG:25832")
    return toy_city


@pytest.fixture
def zones(tmp_path):
    """A GeoJSON in degrees; the city's CRS is metric."""
    areas = [box(x, y, x + 395, y + 395) for x, y in CORNERS.values()]
    frame = gpd.GeoDataFrame({"no": [int(k) for k in CORNERS]}, geometry=areas, crs="EPSG:25832")
    path = tmp_path / "zones.geojson"
    frame.to_crs(4326).to_file(path)
    return path


@pytest.fixture
def write(tmp_path):
    def _write(text: str | bytes, name: str = "trips.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


def square(trips: np.ndarray = TRIPS, ids=IDS, separator: str = ",") -> str:
    rows = [
        ["from/to", *ids],
        *([i, *(f"{v:g}" for v in row)] for i, row in zip(ids, trips, strict=True)),
    ]
    return "\n".join(separator.join(row) for row in rows) + "\n"


def long_rows(trips: np.ndarray = TRIPS) -> list[str]:
    return [f"{o},{d},{trips[i, j]:g}" for i, o in enumerate(IDS) for j, d in enumerate(IDS)]


def long(trips: np.ndarray = TRIPS) -> str:
    return "origin,destination,trips\n" + "\n".join(long_rows(trips)) + "\n"


def omx(path, trips: np.ndarray = TRIPS, name: str = "AM"):
    import openmatrix

    with openmatrix.open_file(str(path), "w") as file:
        file[name] = trips
        file.create_mapping("zones", [int(k) for k in IDS])
    return path


def refusal(city, zones, file, **stated) -> str:
    with pytest.raises(InputError) as caught:
        Demand.from_matrices(city, zones, [MatrixFile(file, **stated)])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def zone_of(demand: Demand, street: np.ndarray) -> np.ndarray:
    """The zone whose street it is; the zones of these tests share none."""
    cars = demand.zones.cars
    return pd.Series(cars.rows(), index=cars.street).loc[street].to_numpy()


def test_drawn_trips_are_those_of_the_matrix(city, zones, write) -> None:
    demand = Demand.from_matrices(city, zones, [MatrixFile(write(square()), hour=8)], scale=50.0)
    trips = demand.draw(1)
    assert trips["depart_s"].between(8 * 3600.0, 9 * 3600.0, inclusive="left").all()
    drawn = np.zeros((3, 3))
    pairs = zone_of(demand, trips["origin"]), zone_of(demand, trips["destination"])
    np.add.at(drawn, pairs, 1.0)
    assert np.all(np.abs(drawn - 50.0 * TRIPS) <= 4.0 * np.sqrt(50.0 * TRIPS))
    for axis in (0, 1):
        margin = 50.0 * TRIPS.sum(axis=axis)
        assert np.all(np.abs(drawn.sum(axis=axis) - margin) <= 4.0 * np.sqrt(margin))
    assert demand.expected()["trips"].sum() == pytest.approx(50.0 * TRIPS.sum())


def test_counts_vary_as_poisson_numbers_do(city, zones, write) -> None:
    demand = Demand.from_matrices(city, zones, [MatrixFile(write(square()), hour=8)])
    counts = np.array([len(demand.draw(seed)) for seed in range(300)])
    mean = TRIPS.sum()
    assert counts.mean() == pytest.approx(mean, abs=4.0 * np.sqrt(mean / 300))
    assert counts.var() == pytest.approx(mean, rel=0.35)  # 4 deviations of a variance of 300 draws


def test_long_square_and_omx_are_the_same_demand(city, zones, write, tmp_path) -> None:
    files = [write(square(), "square.csv"), write(long(), "long.csv"), omx(tmp_path / "a.omx")]
    shuffled = [2, 0, 1]
    files.append(
        write(square(TRIPS[np.ix_(shuffled, shuffled)], [IDS[k] for k in shuffled]), "other.csv")
    )
    made = [Demand.from_matrices(city, zones, [MatrixFile(f, hours=(7, 8))]) for f in files]
    assert len({demand.digest for demand in made}) == 1
    assert made[0].draw(3).equals(made[2].draw(3))


def test_hours_classes_and_purposes_of_a_long_file(city, zones, write) -> None:
    text = "origin,destination,hour,vehicle_class,purpose,trips\n"
    text += "101,7,7,car,work,30\n101,7,8,car,work,20\n7,101,17,car,home,45\n101,102,8,lorry,,6\n"
    demand = Demand.from_matrices(city, zones, [MatrixFile(write(text), purpose="freight")])
    table = demand.expected()
    found = {
        (r.hour, r.purpose, r.vehicle_type): r.trips for r in table[table["trips"] > 0].itertuples()
    }
    assert found == {
        (7, "work", "car"): 30.0, (8, "work", "car"): 20.0,
        (17, "home", "car"): 45.0, (8, "freight", "lorry"): 6.0,
    }  # fmt: skip
    trips = demand.scaled(100.0).draw(2, 0.0, 2 * 86400.0)
    assert trips["id"].is_unique
    assert set(trips["id"].to_numpy() >> 53) == {16, 17, 18}


def test_a_day_follows_its_profile_and_files_add_up(city, zones, write) -> None:
    file = write(square())
    day = MatrixFile(file, profile="freight", vehicle_class="lorry")
    demand = Demand.from_matrices(city, zones, [day, day, MatrixFile(file, hours=(6, 7))])
    table = demand.expected().set_index(["vehicle_type", "hour"])["trips"]
    assert table["lorry"].to_numpy() == pytest.approx(2 * TRIPS.sum() * PROFILES["freight"])
    assert table["car"][[6, 7]].to_numpy() == pytest.approx(TRIPS.sum() / 2)
    whole = Demand.from_matrices(city, zones, [MatrixFile(file)]).expected()
    assert whole["trips"].to_numpy() == pytest.approx(TRIPS.sum() * PROFILES["through"])


def test_who_goes_where_is_part_of_the_digest(city, zones, write) -> None:
    turned = [MatrixFile(write(square(m), f"{k}.csv")) for k, m in enumerate((TRIPS, TRIPS.T))]
    one, two = (Demand.from_matrices(city, zones, [file]) for file in turned)
    assert one.expected().equals(two.expected())
    assert one.digest != two.digest


def test_polygons_use_the_streets_inside(city, zones, write) -> None:
    demand = Demand.from_matrices(city, zones, [MatrixFile(write(square()))])
    middle = city.streets.geometry.interpolate(0.5, normalized=True)
    place, cars = demand.zones.cars.rows(), demand.zones.cars
    for k, label in enumerate(demand.zones.label):
        x, y = CORNERS[label]
        inside = middle[cars.street[place == k]].within(box(x, y, x + 395, y + 395).buffer(0.1))
        assert inside.all()
    assert demand.population()["label"].tolist() == IDS
    assert demand.population().geometry.geom_type.eq("Polygon").all()


def test_centroids_of_a_german_spreadsheet(city, zones, write) -> None:
    places = write(
        "zone;x;y;residents\n101;200,5;200;1.200\n102;600;200,0;0\n7;200;600;300\n", "z.csv"
    )
    text = square(TRIPS * 1.5, separator=";").replace(".", ",")
    cp1252 = text.replace("from/to", "von/nach für").encode("cp1252")
    for data in (cp1252, b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        demand = Demand.from_matrices(city, places, [MatrixFile(write(data))])
        assert demand.expected()["trips"].sum() == pytest.approx(1.5 * TRIPS.sum())
    assert demand.zones.residents.tolist() == [1200.0, 0.0, 300.0]
    assert demand.zones.x[0] == 200.5
    unclear = write(square(separator=";").replace("40", "1.234"))
    assert "1.234" in refusal(city, places, unclear)


def test_external_zones_use_the_gates(city, write) -> None:
    places = write("zone,x,y,external\n1,400,400,\n2,-5000,400,yes\n", "z.csv")
    file = write("origin,destination,trips\n1,2,40\n2,1,60\n")
    demand = Demand.from_matrices(city, places, [MatrixFile(file, hour=7)], scale=10.0)
    trips = demand.draw(1)
    west = int(np.argmin(demand.entries.x)), int(np.argmin(demand.exits.x))
    into, out = demand.entries.street[west[0]], demand.exits.street[west[1]]
    counts = np.sum(trips["origin"] == into), np.sum(trips["destination"] == out)
    assert counts[0] == pytest.approx(600, abs=100)
    assert counts[1] == pytest.approx(400, abs=80)
    without = write("zone,x,y\n1,400,400\n2,-5000,400\n", "z.csv")
    assert "zone(s) with trips have no street" in refusal(city, without, file)
    unused = write("origin,destination,trips\n1,1,40\n")
    assert (
        Demand.from_matrices(city, without, [MatrixFile(unused)]).notes["zones_without_street"] == 1
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("101,102,40", "101,120,40", "line 3: destination '120' is no zone of zones.geojson"),
        ("101,102,40", "1O1,102,40", "did you mean '101'?"),
        ("101,102,40", "101,102,-4", "line 3: trips '-4' must be a number >= 0"),
        ("101,102,40", "101,102,many", "'many'"),
        ("101,102,40", "101,102,nan", "'nan'"),
        ("101,102,40", "101,102,inf", "'inf'"),
        ("101,102,40", "101,102,", "'nothing'"),
        ("101,102,40", "101,102,4,5", "line 3: has 4 fields, line 1 has 3"),
        ("101,102,40", "101,7,10", "line 4: states the same trips as line 3"),
        ("101,102,40", "101,102,10000000", "10,000,098 trips a day are more than"),
        ("trips", "tripz", "column 'tripz' is unknown; did you mean 'trips'?"),
        (",trips", ",purpose", "has no column 'trips'"),
        ("destination,trips", "destination,trips,hours", "did you mean 'hour'?"),
    ],
)
def test_a_bad_long_file_is_refused(city, zones, write, old: str, new: str, expected: str) -> None:
    text = long().replace(old, new)
    assert expected in refusal(city, zones, write(text))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\n7,20,25,8", "", "has 2 rows and 3 columns of zones"),
        ("\n7,", "\n77,", "line 4: row '77' is no zone of zones.geojson; did you mean '7'?"),
        (",102,7", ",102,102", "line 1: column of zone '102' stands twice"),
        ("40", "x", "line 2: trips 'x'"),
        (",101,102,7", ",a,b,c", "neither zones of zones.geojson nor the columns"),
    ],
)
def test_a_bad_square_is_refused(city, zones, write, old: str, new: str, expected: str) -> None:
    assert expected in refusal(city, zones, write(square().replace(old, new)))


def test_hours_beyond_the_day_are_refused(city, zones, write) -> None:
    text = "origin,destination,hour,trips\n101,7,24,30\n"
    assert "line 2: hour 24 must be one of 0..23" in refusal(city, zones, write(text))
    assert "leave out" in refusal(city, zones, write(text), hour=3)
    for stated in ({"hour": 24}, {"hours": (7, 24)}):
        with pytest.raises(InputError, match=r"hour 24 must be one of 0\.\.23"):
            MatrixFile("a.csv", **stated)
    with pytest.raises(InputError, match="did you mean 'work out'"):
        MatrixFile("a.csv", profile="work outt")


def test_a_bad_omx_is_refused(city, zones, write, tmp_path) -> None:
    good = omx(tmp_path / "good.omx", TRIPS, "AM_peak")
    assert "no matrix 'AMpeak'; did you mean 'AM_peak'?" in refusal(
        city, zones, good, matrix="AMpeak"
    )
    assert "no mapping 'zone'; did you mean 'zones'?" in refusal(city, zones, good, mapping="zone")
    data = good.read_bytes()
    for broken in (data[: len(data) // 2], b"not HDF5", b""):
        assert "is no OMX, or not a whole one" in refusal(city, zones, write(broken, "b.omx"))
    assert "no such file" in refusal(city, zones, tmp_path / "none.omx")
    bad = TRIPS.copy()
    bad[1, 2] = np.nan
    assert "matrix 'AM' row 2: trips 'nan'" in refusal(city, zones, omx(tmp_path / "nan.omx", bad))


def test_a_pickle_in_an_omx_is_not_run(city, zones, tmp_path) -> None:
    import pickle

    class Evil:
        def __reduce__(self):
            return (pathlib_touch, (str(tmp_path / "ran"),))

    path = omx(tmp_path / "evil.omx")
    import tables

    with tables.open_file(str(path), "a") as file:
        file.root.data.AM._f_setattr("TITLE", np.bytes_(pickle.dumps(Evil(), 0)))
    own = read_zones(city, zones)
    [matrix] = read_matrices(MatrixFile(path), own).values()
    assert not (tmp_path / "ran").exists()
    assert matrix.sum() == TRIPS.sum()


def pathlib_touch(name: str) -> None:
    from pathlib import Path

    Path(name).touch()


def test_bad_zones_are_refused(city, zones, write, tmp_path) -> None:
    file = write(square())
    twice = gpd.read_file(zones)
    twice["no"] = 7
    twice.to_file(tmp_path / "twice.gpkg")
    assert "feature 2: has id '7', as has feature 1" in refusal(city, tmp_path / "twice.gpkg", file)
    with pytest.raises(InputError, match="no column 'nr'; known: no"):
        Demand.from_matrices(city, zones, [MatrixFile(file)], id_column="nr")
    points = write("zone,lon,lat\n101,9.0,200.0\n", "z.csv")
    assert "line 2: lon, lat = 9.0, 200.0 is no position" in refusal(city, points, file)
    assert "cannot be read as GeoJSON" in refusal(city, write("{}", "z.geojson"), file)
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame({"id": [1]}, geometry=[Point(0, 0)]).to_file(tmp_path / "bare.gpkg")
    assert "coordinate reference system" in refusal(city, tmp_path / "bare.gpkg", file)
    assert "no column of ids" in refusal(city, write("name,x,y\na,1,2\n", "z.csv"), file)
    assert DEFAULT["zone_reach_m"] == 500.0
