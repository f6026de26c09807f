"""Results for other programs: GeoPackage for QGIS, GeoJSON, CSV and Excel."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.query import refuse_existing
from scenarios.runs import RunInfo, open_runs
from twin.city.store import cannot_write, replacing_file
from twin.errors import InputError, OutputError
from twin.system import Layer, indicators, layers

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

    from scenarios.qgis import Shape, Style
    from twin.city import City

SUFFIX = {"gpkg": ".gpkg", "geojson": ".geojson", "csv": ".zip", "xlsx": ".xlsx"}
NAMED = ["id", "osm_id", "name", "highway", "lanes", "length_m"]  # of a street
SHEET_ROWS, CELL = 1_048_576, 32_767  # limits of Excel: rows, characters
WIDEST = 48  # characters of a column


@dataclass(frozen=True, eq=False)
class Export:
    """What is exported.

    Attributes
    ----------
    runs, city
        The runs, the base first, and their city.
    indicators
        The comparison's table; of a run alone its means over replications.
    streets
        One row an alternative and street of the city, with each map layer of the base
        (`base_...`), of the alternative, their difference (`diff_...`) and that in per cent of the
        base (`percent_...`); of a run alone its own. Sums over the period, means over
        replications.
    layers
        Name, title and unit of the map layers.
    places
        Zones, junctions, approaches and groups of travellers, by these names
        (`scenarios.export_places`); what the runs lack is left out.
    areas
        Areas of the zones, by position; None where they are not known.
    measures
        Streets that measures touch, one row a run, measure and street.
    provenance
        Where each run comes from.
    """

    runs: Sequence[RunInfo]
    city: City
    indicators: pd.DataFrame
    streets: pd.DataFrame
    layers: pd.DataFrame
    places: dict[str, pd.DataFrame]
    areas: gpd.GeoDataFrame | None
    measures: pd.DataFrame
    provenance: pd.DataFrame

    @property
    def drawn(self) -> list[str]:
        """Runs that have rows in `streets`."""
        return [str(name) for name in self.streets["alternative"].unique()]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """What has no geometry, by name."""
        more = {"layers": self.layers, "runs": self.provenance}
        return {"indicators": self.indicators, **self.places, **more}


def export_run(
    folder: Path, kind: str, path: Path | None = None, *, overwrite: bool = False
) -> Path:
    """Write results of runs to one file, whole or not at all; return it.

    Parameters
    ----------
    folder
        Folder of `twin run`, or one run in it.
    kind
        "gpkg", "geojson", "csv" (a zip of tables) or "xlsx".
    path
        The file; beside the folder and named as it unless given.
    overwrite
        Whether a file that is there may be replaced.

    Raises
    ------
    InputError
        If the folder holds no complete run, or runs that cannot be compared.
    OutputError
        If the file exists, has another suffix than the format's, or cannot be written.
    """
    suffix = SUFFIX[kind]
    whole = folder.resolve()
    target = path if path is not None else whole.with_name(whole.name + suffix)
    if target.suffix != suffix:
        msg = f"{target}: {kind} is written to a file that ends in {suffix}"
        raise OutputError(msg)
    refuse_existing(target, overwrite=overwrite)
    found = read_export(folder)
    writers: dict[str, Callable[[Export, Path, Path], None]] = {
        "gpkg": _gpkg, "geojson": _geojson, "csv": _csv, "xlsx": _xlsx,
    }  # fmt: skip
    with replacing_file(target) as part:
        writers[kind](found, part, target)
    return target


def read_export(folder: Path) -> Export:
    """Return what is exported of runs.

    Raises
    ------
    InputError
        As `export_run`.
    """
    import pandas as pd

    from scenarios import export_places
    from scenarios.compare import compare
    from twin.city import City

    runs = open_runs(folder)
    city = City.load(runs[0].city_folder)
    if len(runs) > 1:
        comparison = compare(folder)
        table = comparison.table
        parts = [
            _whole(comparison.streets[comparison.streets["alternative"] == run.name], run, city)
            for run in comparison.alternatives
        ]
        places = export_places.compared(comparison)
    else:
        table, alone = _alone(runs[0])
        parts = [_whole(alone, runs[0], city)]
        places = export_places.alone(runs[0])
    streets = pd.concat(parts, ignore_index=True)
    shown = [(x.name, x.title, x.unit, x.better) for x in layers().values() if x.name in streets]
    told = pd.DataFrame(shown, columns=["layer", "title", "unit", "better"])
    measures, provenance = _measures(runs, city), _provenance(runs)
    areas = export_places.areas(runs[0])
    return Export(runs, city, table, streets, told, places, areas, measures, provenance)


def _alone(run: RunInfo) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means of a run's indicators, and its map layers by street."""
    import pandas as pd

    from scenarios.compare import indicator_values, layer_means

    if not run.seeds:
        msg = f"{run.folder}: no replication is complete; start 'twin run' again, it goes on"
        raise InputError(msg)
    values = indicator_values(run, run.seeds)
    known = indicators()
    rows = [
        (run.name, name, known[name].title, known[name].unit, len(run.seeds), mean)
        for name, mean in values.mean().items()
        if name in known
    ]
    columns = ["alternative", "indicator", "title", "unit", "n", "mean"]
    means = {name: layer_means(run, run.seeds, layer) for name, layer in layers().items()}
    found = pd.DataFrame({k: v for k, v in means.items() if v is not None})
    return pd.DataFrame(rows, columns=columns), found.rename_axis("street").reset_index()


def _whole(rows: pd.DataFrame, run: RunInfo, city: City) -> pd.DataFrame:
    """Return every street of the city with its map layers; 0 where nothing was."""
    import pandas as pd

    values = rows.drop(columns="alternative", errors="ignore").set_index("street")
    values = values.reindex(range(len(city.streets)))
    columns: dict[str, Any] = {}
    for name, layer in layers().items():
        for column in (f"base_{name}", name, f"diff_{name}"):
            if column in values:
                given = values[column].astype(float)
                columns[column] = given.fillna(0.0) if layer.shown == "difference" else given
        if f"diff_{name}" in columns and layer.shown == "difference":
            base = columns[f"base_{name}"]
            share = 100.0 * columns[f"diff_{name}"] / base.where(base != 0.0)
            columns[f"percent_{name}"] = share
    first = {"alternative": run.name, "street": values.index.astype("int32")}
    streets = pd.DataFrame(city.streets[NAMED])
    return pd.concat([pd.DataFrame(first), streets, pd.DataFrame(columns)], axis=1)


def _measures(runs: Sequence[RunInfo], city: City) -> pd.DataFrame:
    """Return the streets that measures touch, by the files that the run keeps; none if gone."""
    import pandas as pd

    from scenarios.touched import effects_of

    rows = [
        (run.name, measure.kind, measure.describe(), street)
        for run in runs
        for measure, effect in effects_of(run, city)
        for street in sorted(effect.streets or ())
    ]
    columns = ["alternative", "kind", "measure", "street"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(ignore_index=True)


def _provenance(runs: Sequence[RunInfo]) -> pd.DataFrame:
    """Return one row a run: what it is, how often it ran, with what it was made."""
    import pandas as pd

    rows = []
    for run in runs:
        said = run.manifest
        measures = said.get("measures", []) or said.get("base_measures", [])
        versions = said.get("versions", {})
        rows.append(
            {
                "run": run.name,
                "title": run.title,
                "scenario": said.get("scenario"),
                "measures": "; ".join(str(m.get("describe") or m.get("kind")) for m in measures),
                "replications": len(run.seeds),
                "seeds": ", ".join(map(str, run.seeds)),
                "city": said["city"].get("name"),
                "city_digest": said["city"].get("digest"),
                "day": said["period"].get("day"),
                "begin": said["period"].get("begin"),
                "end": said["period"].get("end"),
                "input_hash": said.get("input_hash"),
                "stadtzwilling": versions.get("stadtzwilling"),
                "git_revision": said.get("git_revision"),
            }
        )
    return pd.DataFrame(rows)


def _placed(found: Export, rows: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return rows with the geometry of their streets."""
    import geopandas as gpd

    geometry = found.city.streets.geometry.iloc[rows["street"].to_numpy()].reset_index(drop=True)
    return gpd.GeoDataFrame(rows.reset_index(drop=True), geometry=geometry, crs=found.city.crs)


def _gpkg(found: Export, part: Path, target: Path) -> None:
    """Write layers, tables without geometry, and the styles of the layers."""
    from scenarios import qgis

    spatial: dict[str, gpd.GeoDataFrame] = {}
    styles: dict[str, list[Style]] = {}
    for name in found.drawn:
        rows = found.streets[found.streets["alternative"] == name]
        spatial[f"streets_{name}"] = _placed(found, rows)
        styles[f"streets_{name}"] = _styles(found, name)
    for name, (rows, style) in _places(found).items():
        spatial[name], styles[name] = rows, [style]
    if len(found.measures):
        spatial["measures"] = _placed(found, found.measures)
        styles["measures"] = [qgis.single("Streets of measures", "#009e73", 1.8)]
    placed = {name for name in found.places if f"{name}_{found.drawn[0]}" in spatial}
    tables = {name: table for name, table in found.tables.items() if name not in placed}
    _write_layers(part, target, {**spatial, **tables, "layer_styles": _style_table(styles)})


def _places(found: Export) -> dict[str, tuple[gpd.GeoDataFrame, Style]]:
    """Return junctions and zones of each alternative, or as they are, with how they are drawn."""
    import geopandas as gpd

    from scenarios import qgis
    from viz.palette import Scale

    kinds: dict[str, tuple[gpd.GeoDataFrame | None, str, Shape]] = {
        "junctions": (found.city.junctions, "junction", "point"),
        "zones": (found.areas, "zone", "area"),
    }
    drawn: dict[str, tuple[gpd.GeoDataFrame, Style]] = {}
    for kind, (ground, key, shape) in kinds.items():
        if ground is None:
            continue
        if kind not in found.places:
            drawn[kind] = ground, qgis.single(kind.capitalize(), "#6b7280", 0.8, shape)
            continue
        table = found.places[kind]
        column = "diff_delay_s" if "diff_delay_s" in table else "delay_s"
        scale = Scale.of(table[column].dropna(), diverging=column != "delay_s")
        title = "Delay: difference" if scale.diverging else "Delay"
        style = qgis.graduated(title, column, scale, table[column], "s", shape)
        named = ground[[c for c in ("id", "label") if c in ground]]
        for run, rows in table.groupby("alternative", sort=False):
            at = rows[key].to_numpy()
            placed = gpd.GeoDataFrame(
                rows.reset_index(drop=True).join(named.iloc[at].reset_index(drop=True)),
                geometry=ground.geometry.iloc[at].reset_index(drop=True), crs=found.city.crs,
            )  # fmt: skip
            drawn[f"{kind}_{run}"] = placed, style
    return drawn


def _write_layers(part: Path, target: Path, frames: dict[str, Any]) -> None:
    import pyogrio
    from pyogrio import errors

    refused = (errors.DataSourceError, errors.DataLayerError, errors.FeatureError)
    with warnings.catch_warnings():
        # The plane of a network without projection is known to no CRS registry.
        warnings.filterwarnings("ignore", ".*crs.*", UserWarning)
        for name, frame in frames.items():
            options = {"FID": "id"} if name == "layer_styles" else {}
            try:
                pyogrio.write_dataframe(
                    frame, part, layer=name, driver="GPKG", append=part.exists(),
                    layer_options=options,
                )  # fmt: skip
            except refused as error:
                raise OutputError(cannot_write(target, error)) from None


def _styles(found: Export, name: str) -> list[Style]:
    """Return the styles of a run's streets; the first is the default."""
    differences: list[Style] = []
    levels: list[Style] = []
    for layer in layers().values():
        if layer.name not in found.streets:
            continue
        if f"diff_{layer.name}" in found.streets and layer.shown == "difference":
            differences.append(_difference_style(found, layer))
        levels += _level_styles(found, layer, name)
    return differences + levels


def _difference_style(found: Export, layer: Layer) -> Style:
    """Return diverging colours for a layer's difference, the same for all alternatives."""
    from scenarios import qgis
    from viz.palette import Scale

    column = f"diff_{layer.name}"
    ends = Scale.of(found.streets[column], diverging=True)
    scale = Scale(ends.low, ends.high, diverging=True, flipped=layer.better == "higher")
    title = f"{layer.title}: difference"
    return qgis.graduated(title, column, scale, found.streets[column], layer.unit)


def _level_styles(found: Export, layer: Layer, name: str) -> list[Style]:
    """Return colours for a layer itself, of the run and of the base, on one scale for all runs."""
    import pandas as pd

    from scenarios import qgis
    from viz.palette import Scale

    columns = {f"{layer.title}: {name}": layer.name, f"{layer.title}: base": f"base_{layer.name}"}
    columns = {title: column for title, column in columns.items() if column in found.streets}
    every = pd.concat([found.streets[column] for column in columns.values()]).dropna()
    if layer.shown == "difference":
        scale = Scale.of(every)
    else:
        every = every[every.ne(0.0) | (layer.better != "neither")]
        if every.empty:
            return []
        low, high = float(every.min()), float(every.max())
        scale = Scale.between(low, high, flipped=layer.better == "higher")
    return [qgis.graduated(t, c, scale, every, layer.unit) for t, c in columns.items()]


def _style_table(styles: dict[str, list[Style]]) -> pd.DataFrame:
    """Return the table in which QGIS looks for styles."""
    import pandas as pd

    rows = [
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": table,
            "f_geometry_column": "geom",
            "styleName": style.name,
            "styleQML": style.qml,
            "styleSLD": style.sld,
            "useAsDefault": k == 0,
            "description": "",
            "owner": "",
            "ui": "",
            "update_time": pd.Timestamp.now("UTC").tz_localize(None).floor("s"),
        }
        for table, some in styles.items()
        for k, style in enumerate(some)
    ]
    return pd.DataFrame(rows)


def _geojson(found: Export, part: Path, target: Path) -> None:
    """Write a feature for every alternative and street, in WGS 84 (RFC 7946)."""
    import pyogrio
    from pyogrio import errors
    from pyproj.exceptions import CRSError, ProjError

    placed = _placed(found, found.streets)
    try:
        placed = placed.to_crs(4326)
    except (CRSError, ProjError, ValueError):
        msg = f"{target}: city {found.city.name} lies nowhere on earth; write gpkg or csv"
        raise OutputError(msg) from None
    try:
        pyogrio.write_dataframe(
            placed, part, driver="GeoJSON", layer="streets", layer_options={"RFC7946": "YES"}
        )
    except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
        raise OutputError(cannot_write(target, error)) from None


def _csv(found: Export, part: Path, target: Path) -> None:  # noqa: ARG001
    """Write a zip with a CSV file for each table."""
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, frame in {**found.tables, "streets": found.streets}.items():
            archive.writestr(f"{name}.csv", frame.to_csv(index=False))


def _xlsx(found: Export, part: Path, target: Path) -> None:
    """Write a sheet for each table; what is text stays text, whatever it begins with."""
    import xlsxwriter
    from xlsxwriter.exceptions import XlsxWriterException

    sheets = {
        "Indicators": found.indicators, "Streets": found.streets, "Layers": found.layers,
        "Runs": found.provenance,
        **{name.capitalize(): table for name, table in found.places.items()},
    }  # fmt: skip
    long = [name for name, frame in sheets.items() if len(frame) >= SHEET_ROWS]
    if long:
        msg = f"{target}: {long[0]} has more rows than a sheet may have; write csv or gpkg"
        raise OutputError(msg)
    try:
        with xlsxwriter.Workbook(part, {"constant_memory": True}) as book:
            for name, frame in sheets.items():
                _sheet(book, name, frame)
    except XlsxWriterException as error:
        cause = error.__context__ or error
        raise OutputError(cannot_write(target, cause)) from None


def _sheet(book: Any, name: str, frame: pd.DataFrame) -> None:
    """Write a table with a head that stays in view."""
    import pandas as pd

    sheet = book.add_worksheet(name)
    bold, number = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.0###"})
    sheet.freeze_panes(1, 0)
    kinds: list[Callable[[Any], Any]] = []
    for k, column in enumerate(frame):
        values = frame[column]
        boolean, numeric = (pd.api.types.is_bool_dtype(values),
                            pd.api.types.is_numeric_dtype(values))  # fmt: skip
        fractional = pd.api.types.is_float_dtype(values)
        kinds.append(bool if boolean else (float if fractional else int) if numeric else str)
        size = 12 if numeric else int(values.head(1000).astype(str).str.len().max() or 0)
        sheet.set_column(k, k, min(WIDEST, max(len(str(column)), size) + 2),
                         number if fractional else None)  # fmt: skip
        sheet.write_string(0, k, str(column), bold)
    sheet.autofilter(0, 0, len(frame), max(0, len(kinds) - 1))
    for r, row in enumerate(frame.itertuples(index=False), 1):
        for k, (value, kind) in enumerate(zip(row, kinds, strict=True)):
            if pd.isna(value):
                continue
            if kind is bool:
                sheet.write_boolean(r, k, bool(value))
            elif kind is str:
                sheet.write_string(r, k, str(value)[:CELL])
            else:
                sheet.write_number(r, k, kind(value))
