"""A city for other programs: GeoPackage for QGIS, GMNS for network models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from twin.city.store import cannot_write, replacing_file, replacing_folder
from twin.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from twin.city.model import City

GMNS_VERSION = 0.97

_TURNS = {"s": "thru", "l": "left", "L": "left", "r": "right", "R": "right", "t": "uturn",
          "T": "uturn"}  # fmt: skip
_NODE_CONTROL = {"traffic_light": "signal", "allway_stop": "4_stop", "priority_stop": "stop",
                 "priority": "yield", "right_before_left": "yield"}  # fmt: skip
_MOVEMENT_CONTROL = {"M": "no_control", "m": "yield", "=": "yield", "s": "stop",
                     "w": "stop_4_way", "Z": "no_control"}  # fmt: skip


def to_gpkg(city: City, path: Path) -> Path:
    """Write every table as a layer of a GeoPackage; return the path.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    import pyogrio
    from pyogrio.errors import DataSourceError

    if path.is_dir():
        msg = f"{path}: is a folder; name a file such as city.gpkg."
        raise OutputError(msg)
    with replacing_file(path) as part, warnings.catch_warnings():
        # The plane of a network without projection is known to no CRS registry.
        warnings.filterwarnings("ignore", ".*crs.*", UserWarning)
        for name, frame in city.tables.items():
            try:
                pyogrio.write_dataframe(
                    frame, part, layer=name, driver="GPKG", append=part.exists()
                )
            except DataSourceError as error:
                raise OutputError(cannot_write(path, error)) from error
    return path


def to_gmns(city: City, folder: Path) -> Path:
    """Write the network as GMNS tables; return the folder.

    Lanes count from the left, as GMNS wants; identifiers are SUMO's, those of movements
    and signal phases their rows. Columns beyond the standard say what it has no place for:
    `kind` of a node, `priority` of a link, both as in SUMO; `duration` of a phase; `program`,
    `kind` and `offset` of a timing plan.

    Raises
    ------
    OutputError
        If the folder exists and is not empty, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder}: exists and is not empty; choose another folder."
        raise OutputError(msg)
    tables = {
        "config": _config(city),
        "use_definition": _uses(),
        "node": _nodes(city),
        "link": _links(city),
        "lane": _lanes(city),
        "movement": _movements(city),
        **_signals(city),
    }
    with replacing_folder(folder) as part:
        for name, frame in tables.items():
            frame.to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
    return folder


def _config(city: City) -> pd.DataFrame:
    import pandas as pd

    row = {
        "dataset_name": city.name,
        "short_length": "m",
        "long_length": "km",
        "speed": "kph",
        "crs": city.crs.to_string(),
        "geometry_field_format": "WKT",
        "currency": "EUR",
        "version_number": GMNS_VERSION,
        "id_type": "string",
    }
    return pd.DataFrame([row])


def _uses() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "use": ["cars", "lorries", "buses"],
            "persons_per_vehicle": [np.nan, np.nan, np.nan],
            "pce": [np.nan, np.nan, np.nan],
            "description": ["passenger cars", "lorries and deliveries", "buses"],
        }
    )


def _nodes(city: City) -> pd.DataFrame:
    import pandas as pd

    junctions = city.junctions
    return pd.DataFrame(
        {
            "node_id": junctions["id"],
            "x_coord": junctions.geometry.x,
            "y_coord": junctions.geometry.y,
            "node_type": "intersection",
            "ctrl_type": junctions["kind"].map(_NODE_CONTROL).fillna("none"),
            "kind": junctions["kind"],
        }
    )


def _links(city: City) -> pd.DataFrame:
    import pandas as pd

    streets = city.streets
    node = city.junctions["id"].to_numpy()
    return pd.DataFrame(
        {
            "link_id": streets["id"],
            "name": streets["name"],
            "from_node_id": node[streets["from_junction"].to_numpy()],
            "to_node_id": node[streets["to_junction"].to_numpy()],
            "directed": True,
            "geometry": streets.geometry.to_wkt(rounding_precision=3),
            "dir_flag": 1,
            "length": streets["length_m"] / 1000.0,
            "facility_type": streets["highway"],
            "free_speed": (streets["speed_m_s"] * 3.6).round(4),
            "lanes": streets["lanes"],
            "allowed_uses": _allowed(streets),
            "priority": streets["priority"],
        }
    )


def _lanes(city: City) -> pd.DataFrame:
    import pandas as pd

    lanes = city.lanes
    return pd.DataFrame(
        {
            "lane_id": lanes["id"],
            "link_id": city.streets["id"].to_numpy()[lanes["street"].to_numpy()],
            "lane_num": _from_left(city),
            "allowed_uses": _allowed(lanes),
            "width": lanes["width_m"],
        }
    )


def _movements(city: City) -> pd.DataFrame:
    import pandas as pd

    movements = city.movements
    street = city.streets["id"].to_numpy()
    lane_number = _from_left(city)
    control = movements["right_of_way"].map(_MOVEMENT_CONTROL).fillna("no_control")
    return pd.DataFrame(
        {
            "mvmt_id": movements.index,
            "node_id": city.junctions["id"].to_numpy()[movements["junction"].to_numpy()],
            "ib_link_id": street[movements["street"].to_numpy()],
            "start_ib_lane": lane_number[movements["lane"].to_numpy()],
            "ob_link_id": street[movements["to_street"].to_numpy()],
            "start_ob_lane": lane_number[movements["to_lane"].to_numpy()],
            "type": movements["direction"].map(_TURNS).fillna("thru"),
            "ctrl_type": control.where(movements["signal"] < 0, "signal"),
            "geometry": movements.geometry.to_wkt(rounding_precision=3),
        }
    )


def _signals(city: City) -> dict[str, pd.DataFrame]:
    """Return the controllers, plans, phases, and which movements each phase serves."""
    import pandas as pd

    signals, movements = city.signals, city.movements
    plans = signals.groupby("signal", sort=True).agg(
        id=("id", "first"), cycle=("duration_s", "sum"), kind=("kind", "first"),
        program=("program", "first"), offset=("offset_s", "first"),
    )  # fmt: skip
    phases = pd.DataFrame(
        {
            "timing_phase_id": signals.index,
            "timing_plan_id": signals["id"],
            "signal_phase_num": signals["phase"] + 1,
            "min_green": signals["min_s"],
            "max_green": signals["max_s"],
            "ring": 1,
            "barrier": 1,
            "position": signals["phase"] + 1,
            "duration": signals["duration_s"],
        }
    )
    rows_of = {int(k): v.tolist() for k, v in movements.groupby("signal").groups.items()}
    link = movements["link"].tolist()
    served = [
        (phase, row, "protected" if state[link[row]] == "G" else "permitted")
        for phase, (signal, state) in enumerate(
            zip(signals["signal"].tolist(), signals["state"].tolist(), strict=True)
        )
        for row in rows_of.get(signal, [])
        if state[link[row]] in "Gg"
    ]
    pairs = pd.DataFrame(served, columns=["timing_phase_id", "mvmt_id", "protection"])
    pairs.insert(0, "signal_phase_mvmt_id", pairs.index)
    plan = {"timing_plan_id": plans["id"], "controller_id": plans["id"],
            "time_day": "11111111_0000_2400", "cycle_length": plans["cycle"],
            "program": plans["program"], "kind": plans["kind"],
            "offset": plans["offset"]}  # fmt: skip
    return {
        "signal_controller": pd.DataFrame({"controller_id": plans["id"]}),
        "signal_timing_plan": pd.DataFrame(plan),
        "signal_timing_phase": phases,
        "signal_phase_mvmt": pairs,
    }


def _from_left(city: City) -> np.ndarray:
    """Return each lane's number from the left, starting at 1."""
    lanes = city.lanes
    count = city.streets["lanes"].to_numpy()[lanes["street"].to_numpy()]
    number: np.ndarray = count - lanes["index"].to_numpy()
    return number


def _allowed(frame: pd.DataFrame) -> list[str]:
    uses = ("cars", "lorries", "buses")
    rows = zip(*(frame[use].tolist() for use in uses), strict=True)
    return [",".join(u for u, allowed in zip(uses, row, strict=True) if allowed) for row in rows]
