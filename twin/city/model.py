"""The city: an immutable set of tables in one metric CRS, with their provenance."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin.city import schema
from twin.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import geopandas as gpd
    import networkx as nx
    import pandas as pd
    import pyproj

    from twin.city.terrain import Terrain

    Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False, repr=False)
class City:
    """A city's streets, signals, buildings and places.

    The tables follow `twin.city.schema.TABLES`. Treat them as read-only: whoever needs
    other values copies the table.
    """

    name: str
    crs: pyproj.CRS
    streets: gpd.GeoDataFrame
    lanes: gpd.GeoDataFrame
    junctions: gpd.GeoDataFrame
    movements: gpd.GeoDataFrame
    conflicts: pd.DataFrame
    signals: pd.DataFrame
    buildings: gpd.GeoDataFrame
    surfaces: gpd.GeoDataFrame
    places: gpd.GeoDataFrame
    landuse: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    stops: gpd.GeoDataFrame
    lines: gpd.GeoDataFrame
    line_streets: pd.DataFrame
    line_stops: pd.DataFrame
    sources: list[dict[str, str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    net: bytes = field(default=b"", repr=False)
    terrain: Terrain | None = None

    @classmethod
    def from_osm(
        cls,
        path: str | Path,
        name: str | None = None,
        *,
        crs: str | None = None,
        progress: Progress | None = None,
    ) -> City:
        """Build a city from an OpenStreetMap extract.

        Parameters
        ----------
        path
            An `.osm.pbf`, `.pbf`, `.osm`, `.osm.gz` or `.osm.bz2` file, or `helsinki`
            for the extract of central Helsinki that is always at hand.
        name
            What the city is called; the file's name unless given.
        crs
            A metric CRS such as `EPSG:25832`; the UTM zone of the centre unless given.
        progress
            Called with a line of text as each stage begins.

        Raises
        ------
        InputError
            If the file is missing, damaged, no OSM data or without drivable streets.
        """
        from twin.city.osm import build_city

        return build_city(path, name, crs, progress)

    @classmethod
    def from_sumo(
        cls, path: str | Path, name: str | None = None, *, progress: Progress | None = None
    ) -> City:
        """Build a city from a SUMO network; it has streets and signals, no buildings.

        Parameters
        ----------
        path
            A `.net.xml` or `.net.xml.gz` file.
        name
            What the city is called; the file's name unless given.
        progress
            Called with a line of text as each stage begins.

        Raises
        ------
        InputError
            If the file is missing, damaged, no SUMO network or without drivable streets.
        """
        from twin.city.sumo import build_city

        return build_city(path, name, progress)

    @classmethod
    def from_gmns(
        cls,
        folder: str | Path,
        name: str | None = None,
        *,
        crs: str | None = None,
        progress: Progress | None = None,
    ) -> City:
        """Build a city from GMNS tables; it has streets and signals, no buildings.

        Parameters
        ----------
        folder
            A folder with `node.csv` and `link.csv`; `config`, `lane`, `movement`, `geometry`,
            `use_group` and the signal tables are read where they are there.
        name
            What the city is called; the data set's or the folder's name unless given.
        crs
            A metric CRS such as `EPSG:25832`; that of the tables if it is metric, else the
            UTM zone of the centre.
        progress
            Called with a line of text as each stage begins.

        Raises
        ------
        InputError
            If a table is missing, a value in it has no meaning, or no link is for vehicles.
        """
        from twin.city.gmns import build_city

        return build_city(folder, name, crs, progress)

    @classmethod
    def from_place(
        cls,
        query: str,
        name: str | None = None,
        *,
        crs: str | None = None,
        nominatim_url: str | None = None,
        overpass_url: str | None = None,
        progress: Progress | None = None,
    ) -> City:
        """Build a city from a place name, asking Nominatim and Overpass on the internet.

        Parameters
        ----------
        query
            A place such as `Gelsenkirchen, Germany`.
        name
            What the city is called; the query unless given.
        crs
            A metric CRS; the UTM zone of the centre unless given.
        nominatim_url, overpass_url
            Other servers to ask.
        progress
            Called with a line of text as each stage begins.

        Raises
        ------
        InputError
            If the place is unknown, the servers do not answer, or it has no streets.
        """
        from twin.city.place import build_city

        return build_city(query, name, crs, nominatim_url, overpass_url, progress)

    @classmethod
    def from_buildings(
        cls,
        paths: Sequence[str | Path],
        name: str | None = None,
        *,
        crs: str | None = None,
        progress: Progress | None = None,
    ) -> City:
        """Build a city from building models alone; it has no streets, so nothing drives in it.

        Parameters
        ----------
        paths
            Files of CityGML 1.0 or 2.0 and CityJSON 1.1 or 2.0, also packed by gzip.
        name
            What the city is called; the first file's name unless given.
        crs
            A metric CRS such as `EPSG:25832`; that of the first file if it is metric, else the
            UTM zone of the centre.
        progress
            Called with a line of text on each file, and on buildings that are left out.

        Raises
        ------
        InputError
            If a file is missing, damaged, of another kind, or without a usable building.
        """
        from twin.city.buildings import build_city

        return build_city([Path(path) for path in paths], name, crs, progress)

    def with_buildings(
        self, paths: Sequence[str | Path], *, progress: Progress | None = None
    ) -> City:
        """Return the city with the buildings of models in place of those that they cover.

        A building of the city goes where a model's footprint overlaps it by more than a third
        of either's area. Models outside the city's bounds are left out.

        Parameters
        ----------
        paths, progress
            As in `from_buildings`.

        Raises
        ------
        InputError
            As `from_buildings`; also if no model lies in the city.
        """
        from twin.city.buildings import with_buildings

        return with_buildings(self, [Path(path) for path in paths], progress)

    def with_terrain(
        self, path: str | Path, *, step_m: float | None = None, progress: Progress | None = None
    ) -> City:
        """Return the city with the terrain of a file on a regular grid of its CRS.

        Parameters
        ----------
        path
            A raster that GDAL reads (GeoTIFF, ASCII grid, ...), or points of a regular grid as
            text: lines of x, y and z, or the axes and then the heights, each under its heading.
        step_m
            Distance of the posts in metres; that of the file unless given. It grows where there
            would be more than a million posts.
        progress
            Called with a line of text on what was read and how much of the city it covers.

        Raises
        ------
        InputError
            If the file is missing, damaged, no terrain, or covers nothing of the city.
        """
        from dataclasses import replace

        from twin.city.terrain import read_terrain

        terrain, source = read_terrain(Path(path), self, step_m, progress)
        others = [s for s in self.sources if s.get("what") != source["what"]]
        return replace(self, terrain=terrain, sources=[*others, source])

    @classmethod
    def load(cls, folder: str | Path) -> City:
        """Return the city saved in a folder, after checking its hashes.

        Raises
        ------
        InputError
            If the folder is no saved city, was changed, is incomplete or too new.
        """
        from twin.city.store import load

        return load(Path(folder))

    def save(self, folder: str | Path) -> Path:
        """Write the city as GeoParquet tables and `city.json`; return the folder.

        A saved city that is already there is replaced, all at once.

        Raises
        ------
        OutputError
            If the folder exists and is no city, or cannot be written.
        """
        from twin.city.store import save

        return save(self, Path(folder))

    def to_gpkg(self, path: str | Path) -> Path:
        """Write every table as a layer of a GeoPackage, for QGIS; return the path.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from twin.city.export import to_gpkg

        return to_gpkg(self, Path(path))

    def to_gmns(self, folder: str | Path) -> Path:
        """Write the network as GMNS tables (General Modeling Network Specification).

        Raises
        ------
        OutputError
            If the folder exists and is not empty, or cannot be written.
        """
        from twin.city.export import to_gmns

        return to_gmns(self, Path(folder))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the streets in metres; of the buildings without any."""
        frame = self.streets if len(self.streets) else self.buildings
        west, south, east, north = (float(v) for v in frame.total_bounds)
        return west, south, east, north

    def need_streets(self) -> None:
        """Refuse a city without streets, such as one of building models alone.

        Raises
        ------
        InputError
            In one line with what to do.
        """
        if not len(self.streets):
            msg = (
                f"city {self.name}: has no streets, only buildings, so nothing drives in it; build"
                " it from an OpenStreetMap extract with --buildings"
            )
            raise InputError(msg)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name, in the order of the contract."""
        return {name: getattr(self, name) for name in schema.TABLES}

    def summary(self) -> dict[str, Any]:
        """Return what the city holds: counts, kilometres by class, floor area, bounds."""
        streets, signals = self.streets, self.signals
        length = streets["length_m"].groupby(streets["highway"]).sum() / 1000.0
        uses = self.buildings["use"].value_counts()
        return {
            "name": self.name,
            "crs": self.crs.to_string() if self.crs.to_authority() else self.crs.name,
            "bounds_m": [round(v, 1) for v in self.bounds],
            "streets": len(streets),
            "street_km": round(float(length.sum()), 3),
            "km_by_class": {
                str(k): round(float(v), 3)
                for k, v in length.sort_values(ascending=False, kind="stable").items()
            },
            "lanes": len(self.lanes),
            "lane_km": round(float(self.lanes["length_m"].sum()) / 1000.0, 3),
            "junctions": len(self.junctions),
            "movements": len(self.movements),
            "signals": int(signals["signal"].nunique()),
            "buildings": len(self.buildings),
            "buildings_by_use": {str(k): int(v) for k, v in sorted(uses.items())},
            "floor_area_m2": round(float(self.buildings["floor_area_m2"].sum())),
            "surfaces": len(self.surfaces),
            "terrain_step_m": round(self.terrain.step_m, 3) if self.terrain else None,
            "places": len(self.places),
            "landuse": len(self.landuse),
            "water": len(self.water),
            "bus_stops": len(self.stops),
            "bus_lines": len(self.lines),
        }

    @cached_property
    def graph(self) -> nx.MultiDiGraph:
        """The streets as a graph: junction rows as nodes, street rows as edge keys.

        Nodes carry `x`, `y`, `id` and `kind`; edges every column of their street but the
        geometry, and `travel_time_s` at free speed.
        """
        import networkx as nx

        graph = nx.MultiDiGraph(crs=self.crs.to_wkt(), name=self.name)
        points = self.junctions.geometry
        nodes = zip(
            points.x.tolist(),
            points.y.tolist(),
            self.junctions["id"].tolist(),
            self.junctions["kind"].tolist(),
            strict=True,
        )
        for row, (x, y, identifier, kind) in enumerate(nodes):
            graph.add_node(row, x=x, y=y, id=identifier, kind=kind)
        columns = [c for c in schema.TABLES["streets"] if c != "geometry"]
        rows = zip(*(self.streets[c].tolist() for c in columns), strict=True)
        for row, values in enumerate(rows):
            data = dict(zip(columns, values, strict=True))
            start, end = data.pop("from_junction"), data.pop("to_junction")
            data["travel_time_s"] = data["length_m"] / data["speed_m_s"]
            graph.add_edge(start, end, key=row, **data)
        return graph

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the CRS and the content of every table, whatever the file format."""
        crs = self.crs.to_json_dict()
        crs.pop("$schema", None)
        total = hashlib.sha256(json.dumps(crs, sort_keys=True).encode())
        for name, frame in self.tables.items():
            if name in schema.LATER and not len(frame):
                continue
            total.update(name.encode())
            total.update(table_digest(frame).encode())
        if self.terrain is not None:
            total.update(b"terrain" + self.terrain.digest.encode())
        return total.hexdigest()

    def __repr__(self) -> str:
        """Return the city's name and size in one line."""
        return (
            f"City({self.name!r}, {len(self.streets)} streets, {len(self.lanes)} lanes,"
            f" {self.signals['signal'].nunique()} signals, {len(self.buildings)} buildings)"
        )


def table_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a table's columns, their order, types and values."""
    import shapely

    digest = hashlib.sha256(str(len(frame)).encode())
    for column in frame.columns:
        values = frame[column]
        kind = str(values.dtype)
        digest.update(f"|{column}:{kind}|".encode())
        if kind == "geometry":
            parts = shapely.to_wkb(values.to_numpy(), byte_order=1)
            digest.update(b"".join(len(p).to_bytes(8, "little") + p for p in parts))
        elif kind == "str":
            parts = [text.encode() for text in values.tolist()]
            digest.update(b"".join(len(p).to_bytes(8, "little") + p for p in parts))
        else:
            array = np.ascontiguousarray(values.to_numpy())
            digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
