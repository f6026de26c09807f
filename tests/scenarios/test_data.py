"""Results as data: asked in SQL, and written for other programs."""

from __future__ import annotations

import io
import json
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest

from scenarios import cli
from scenarios.compare import compare
from scenarios.export import Export, export_run, read_export
from scenarios.query import answer, contents, query, save_answer
from twin.city import City
from twin.errors import InputError, OutputError
from viz.palette import Scale

DOCS = Path(__file__).parents[2] / "docs"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def trips(folder: Path) -> pd.DataFrame:
    """The trips as pandas reads them, without the code under test."""
    parts = [
        pd.read_parquet(path).assign(
            run=path.parts[-3], seed=int(path.parts[-2].removeprefix("seed-"))
        )
        for path in sorted(folder.glob("*/seed-*/trips.parquet"))
    ]
    return pd.concat(parts, ignore_index=True)


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


# --- query ---------------------------------------------------------------------------------------


def test_sums_of_sql_are_those_of_the_files(ran_once: Path) -> None:
    found = query(
        ran_once,
        "SELECT run, seed, count(*) AS n, sum(route_length_m) AS metres FROM trips "
        "GROUP BY ALL ORDER BY ALL",
    )
    expected = trips(ran_once).groupby(["run", "seed"])["route_length_m"].agg(["size", "sum"])
    assert found["n"].tolist() == expected["size"].tolist()
    np.testing.assert_allclose(found["metres"], expected["sum"], rtol=1e-12)
    assert found["run"].unique().tolist() == ["base", "idle", "slow"]


def test_every_table_of_the_replications_and_of_the_city_is_there(ran_once: Path) -> None:
    listed = contents(ran_once).set_index("table")
    files = {p.stem for p in ran_once.glob("*/seed-*/*.parquet")}
    city = {f"city_{p.stem}" for p in (ran_once / "city").glob("*.parquet")}
    assert set(listed.index) == files | city
    assert listed.loc["trips", "rows"] == len(trips(ran_once))
    assert listed.loc["equilibrium", "columns"].split(", ").count("seed") == 1


def test_positions_join_results_with_the_city(ran_once: Path) -> None:
    city = City.load(ran_once / "city")
    found = query(
        ran_once / "slow",
        "SELECT street, any_value(name) AS name, any_value(geometry) AS wkt, sum(entered) AS n "
        "FROM streets JOIN city_streets USING (street) GROUP BY street ORDER BY n DESC LIMIT 5",
    )
    rows = city.streets.iloc[found["street"]]
    assert found["name"].tolist() == rows["name"].tolist()
    drawn = gpd.GeoSeries.from_wkt(found["wkt"], crs=city.crs)
    assert drawn.geom_equals_exact(rows.geometry.reset_index(drop=True), 1e-6).all()
    assert pd.api.types.is_integer_dtype(found["n"])


def test_a_saved_city_is_asked_before_anything_ran(
    city_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    streets = City.load(city_folder).streets
    found = query(city_folder, "SELECT DISTINCT name FROM city_streets ORDER BY name")
    assert found["name"].tolist() == sorted(set(streets["name"]))
    assert set(contents(city_folder)["table"]) == {
        f"city_{path.stem}" for path in city_folder.glob("*.parquet")
    }
    code, _, err = call(capsys, "query", city_folder, "FROM streets")
    assert (code, err.count("\n")) == (1, 1)
    assert "no table 'streets'" in err
    assert "city_streets" in err


def test_one_run_alone(ran_once: Path) -> None:
    assert query(ran_once / "idle", "SELECT DISTINCT run FROM trips")["run"].tolist() == ["idle"]


def test_incomplete_replications_do_not_count(ran: Path) -> None:
    (ran / "slow" / "seed-0002" / "indicators.parquet").unlink()
    found = query(ran, "SELECT DISTINCT run, seed FROM trips WHERE run = 'slow'")
    assert found["seed"].tolist() == [1]


def test_columns_that_only_some_replications_have_are_missing_elsewhere(ran: Path) -> None:
    path = ran / "slow" / "seed-0002" / "trips.parquet"
    pd.read_parquet(path).assign(mode="car").to_parquet(path)
    found = query(ran, "SELECT run, seed, count(mode) AS n FROM trips GROUP BY ALL")
    assert found.loc[found["n"] > 0, ["run", "seed"]].to_numpy().tolist() == [["slow", 2]]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{run}/x.csv'",
        "COPY (SELECT 1) TO '{run}/base/seed-0001/trips.parquet'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{run}/x.csv'",
        "ATTACH '{run}/x.db'",
        "SET enable_external_access = true",
        "SELECT 1; COPY (SELECT 1) TO '{run}/x.csv'",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{run}/x.csv''')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{run}/base/seed-0001/../../../secret.csv')",
        "FROM '{secret}'",
        "SELECT * FROM glob('{run}/../*')",
        "SELECT * FROM read_text('{run}/base/manifest.json')",
        "SELECT * FROM read_csv('https://example.org/x.csv')",
        "INSTALL spatial",
        "SELECT * FROM frame_of_python",
        "CREATE TABLE x AS SELECT 1",
        "",
    ],
)
def test_sql_cannot_write_or_read_anything_else(ran: Path, sql: str) -> None:
    frame_of_python = pd.DataFrame({"a": [1]})  # noqa: F841
    secret = ran.parent / "secret.csv"
    secret.write_text("a\n1\n")
    before = {p: p.read_bytes() for p in ran.parent.rglob("*") if p.is_file()}
    with pytest.raises(InputError):
        query(ran, sql.format(run=ran, secret=secret))
    assert {p: p.read_bytes() for p in ran.parent.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT run FROM tripz", "did you mean 'trips'?"),
        ("SELECT duration FROM trips", '"duration_s"'),
        ("SELEC 1", "syntax error"),
        ("SELECT id::INT FROM trips", "Could not convert"),
    ],
)
def test_wrong_sql_is_one_line_with_the_nearest_name(
    ran_once: Path, capsys: pytest.CaptureFixture[str], sql: str, said: str
) -> None:
    code, out, err = call(capsys, "query", ran_once, sql)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err


@pytest.mark.parametrize("keep", [0, 100, 3000])
def test_a_file_that_is_cut_off_is_named(ran: Path, keep: int) -> None:
    path = ran / "slow" / "seed-0002" / "trips.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"slow/seed-0002/trips\.parquet: cannot be read") as told:
        query(ran, "SELECT avg(duration_s) FROM trips")
    assert "\n" not in str(told.value)
    assert len(query(ran, "FROM indicators"))


def test_the_screen_shows_the_first_rows_and_how_many_there_are(
    ran_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = call(capsys, "query", ran_once, "SELECT vehicle, run FROM trips ORDER BY ALL")
    lines = out.splitlines()
    assert len(lines) == 1 + 40 + 1
    assert lines[-1] == f"{len(trips(ran_once)):,} rows, the first 40 are shown"


def test_text_of_data_cannot_steer_the_terminal(
    ran_once: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = call(capsys, "query", ran_once, "SELECT chr(27) || '[31m' || chr(10) AS x")
    assert "\x1b" not in out
    assert len(out.splitlines()) == 3


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_answers_are_written_whole(ran_once: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    sql = "SELECT run, vehicle, arrival_s FROM trips ORDER BY ALL"
    number = save_answer(ran_once, sql, path)
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[suffix]
    found = read(path)
    pd.testing.assert_frame_equal(found, query(ran_once, sql), check_dtype=False, atol=1e-9)
    assert number == len(found)
    with pytest.raises(OutputError, match="exists"):
        save_answer(ran_once, sql, path)
    assert save_answer(ran_once, "SELECT 1 AS one", path, overwrite=True) == 1


def test_nothing_is_written_for_wrong_sql_or_suffix(ran_once: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        save_answer(ran_once, "SELECT nothing FROM trips", tmp_path / "a.csv")
    with pytest.raises(OutputError, match=r"\.csv, \.parquet, \.json"):
        save_answer(ran_once, "SELECT 1", tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())


def test_whole_numbers_stay_whole_where_some_are_missing(ran_once: Path, tmp_path: Path) -> None:
    save_answer(ran_once, "SELECT unnest([9007199254740993, NULL]) AS n", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().split() == ["n", "9007199254740993", '""']


def test_batches_come_while_the_context_lasts(ran_once: Path) -> None:
    with answer(ran_once, "SELECT range AS n FROM range(1_000_000)") as reader:
        assert sum(batch.num_rows for batch in reader) == 1_000_000


@pytest.mark.parametrize("command", ["query", "export"])
def test_commands_have_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, command, "--help")
    assert code == 0
    assert "Examples:" in out


# --- export --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package(ran_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_run(ran_once, "gpkg", tmp_path_factory.mktemp("gpkg") / "ten.gpkg")


def comparison_csv(ran: Path, tmp_path: Path) -> pd.DataFrame:
    compare(ran).save(tmp_path / "compared")
    return pd.read_csv(tmp_path / "compared" / "comparison.csv")


def sheet(path: Path, number: int) -> list[dict[str, tuple[str, str]]]:
    """Rows of a sheet: type and text by column letter; strings looked up."""
    with zipfile.ZipFile(path) as book:
        names = [n for n in book.namelist() if n.endswith("sharedStrings.xml")]
        items = ET.fromstring(book.read(names[0])) if names else []
        shared = ["".join(t.text or "" for t in item.iter(f"{MAIN}t")) for item in items]
        root = ET.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
    assert root.find(f".//{MAIN}pane").get("state") == "frozen"
    assert root.find(f".//{MAIN}cols") is not None
    assert root.find(f".//{MAIN}f") is None  # no formula
    rows = []
    for row in root.iter(f"{MAIN}row"):
        cells = {}
        for cell in row:
            kind = cell.get("t", "n")
            text = "".join(t.text or "" for t in cell.iter() if t.tag in (f"{MAIN}v", f"{MAIN}t"))
            column = cell.get("r", "").rstrip("0123456789")
            cells[column] = (kind, shared[int(text)] if kind == "s" else text)
        rows.append(cells)
    return rows


def as_frame(rows: list[dict[str, tuple[str, str]]]) -> pd.DataFrame:
    names = {column: text for column, (_, text) in rows[0].items()}
    values = {"n": float, "b": lambda t: t == "1"}
    return pd.DataFrame(
        [
            {names[c]: values.get(row[c][0], str)(row[c][1]) if c in row else np.nan for c in names}
            for row in rows[1:]
        ]
    )


def test_indicators_of_every_format_are_those_of_comparison_csv(
    ran_once: Path, package: Path, tmp_path: Path
) -> None:
    expected = comparison_csv(ran_once, tmp_path)
    archive = export_run(ran_once, "csv", tmp_path / "ten.zip")
    book = export_run(ran_once, "xlsx", tmp_path / "ten.xlsx")
    with zipfile.ZipFile(archive) as files:
        assert files.read("indicators.csv") == (tmp_path / "compared/comparison.csv").read_bytes()
    for found in (pyogrio.read_dataframe(package, layer="indicators"), as_frame(sheet(book, 1))):
        found = found[list(expected)].replace("", np.nan)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-14, atol=0.0)


def test_streets_of_every_format_are_those_of_the_comparison(
    ran_once: Path, package: Path, tmp_path: Path
) -> None:
    comparison = compare(ran_once)
    expected = comparison.streets[comparison.streets["alternative"] == "slow"].set_index("street")
    archive = export_run(ran_once, "csv", tmp_path / "ten.zip")
    places = export_run(ran_once, "geojson", tmp_path / "ten.geojson")
    book = export_run(ran_once, "xlsx", tmp_path / "ten.xlsx")
    with zipfile.ZipFile(archive) as files:
        table = pd.read_csv(io.BytesIO(files.read("streets.csv")))
    for found in (
        pyogrio.read_dataframe(package, layer="streets_slow"),
        table,
        pyogrio.read_dataframe(places),
        as_frame(sheet(book, 2)),
    ):
        rows = found[found["alternative"] == "slow"].set_index("street")
        assert len(rows) == len(comparison.city.streets)
        for column in ("base_load", "load", "diff_load", "base_delay_h", "delay_h", "diff_delay_h"):
            np.testing.assert_allclose(
                rows.loc[expected.index, column], expected[column], rtol=1e-13, atol=1e-300
            )
            assert (rows.drop(expected.index)[column] == 0.0).all()
        known = rows[rows["base_load"] > 0]
        share = 100.0 * (known["load"] / known["base_load"] - 1.0)
        np.testing.assert_allclose(known["percent_load"], share, atol=1e-9)
        assert rows.loc[rows["base_load"] == 0, "percent_load"].isna().all()


def test_layers_lie_where_the_city_is(ran_once: Path, package: Path) -> None:
    city = City.load(ran_once / "city")
    streets = pyogrio.read_dataframe(package, layer="streets_slow")
    assert streets.crs == city.crs
    assert streets.geometry.geom_equals_exact(city.streets.geometry, 0.0).all()
    junctions = pyogrio.read_dataframe(package, layer="junctions_slow")
    at = city.junctions.iloc[junctions["junction"]]
    assert junctions["id"].tolist() == at["id"].tolist()
    assert junctions.geometry.geom_equals_exact(at.geometry.reset_index(drop=True), 0.0).all()
    zones = pyogrio.read_dataframe(package, layer="zones_slow")
    areas = gpd.read_parquet(ran_once / "zones.parquet")
    assert zones.geometry.geom_equals(areas.geometry.iloc[zones["zone"]], align=False).all()
    measures = pyogrio.read_dataframe(package, layer="measures")
    slowed = measures[measures["alternative"] == "slow"]
    named = city.streets.index[city.streets["name"] == "Unioninkatu"]
    assert sorted(slowed["street"]) == sorted(named)


def test_places_are_means_over_replications_and_their_difference(
    ran_once: Path, package: Path
) -> None:
    def mean(run: str, table: str, key: str, value: str) -> pd.Series[float]:
        files = sorted((ran_once / run).glob(f"seed-*/{table}.parquet"))
        rows = pd.concat([pd.read_parquet(file) for file in files])
        if table == "junctions":  # those of whole junctions, over the whole period
            whole = rows["interval_s"] == rows["interval_s"].max()
            rows = rows[whole & (rows["street"] < 0)]
        return rows.groupby(key)[value].mean().dropna()

    for layer, table, key, value in (
        ("zones_slow", "zones", "zone", "people_5"),
        ("zones_slow", "zones", "zone", "trips"),
        ("junctions_slow", "junctions", "junction", "vehicles"),
        ("groups", "groups", "group", "trips"),
    ):
        rows = pyogrio.read_dataframe(package, layer=layer)
        rows = rows[rows["alternative"] == "slow"].set_index(key)
        base, slow = (mean(run, table, key, value) for run in ("base", "slow"))
        common = base.index.intersection(slow.index)
        assert set(common) <= set(rows.index)
        both = rows.loc[common]
        everywhere = both[both[f"n_{value}"] == 2]
        assert len(everywhere) > 3
        here = everywhere.index
        np.testing.assert_allclose(everywhere[f"base_{value}"], base[here], rtol=1e-9)
        np.testing.assert_allclose(everywhere[value], slow[here], rtol=1e-9)
        np.testing.assert_allclose(everywhere[f"diff_{value}"], slow[here] - base[here], atol=1e-6)
    junctions = pyogrio.read_dataframe(package, layer="junctions_slow")
    assert set(junctions["hbs"]) <= {*"ABCDEF", "–"}
    assert junctions["hbs"].isin(list("ABCDEF")).any()


def test_qgis_finds_a_style_that_draws_every_value(package: Path) -> None:
    """The table, its columns and '' for no schema are what QGIS asks for when it opens a layer."""
    with sqlite3.connect(package) as file:
        styles = pd.read_sql("SELECT * FROM layer_styles", file)
        columns = dict(file.execute("SELECT table_name, column_name FROM gpkg_geometry_columns"))
        (check,) = file.execute("PRAGMA integrity_check").fetchone()
    file.close()
    assert check == "ok"
    assert dict(zip(styles["f_table_name"], styles["f_geometry_column"], strict=True)) == columns
    assert (styles["f_table_schema"] == "").all()
    assert (styles.groupby("f_table_name")["useAsDefault"].sum() == 1).all()
    for style in styles.itertuples():
        renderer = ET.fromstring(style.styleQML).find("renderer-v2")
        rules = ET.fromstring(style.styleSLD).iter("{http://www.opengis.net/sld}Rule")
        symbols = {s.get("name") for s in renderer.find("symbols")}
        if renderer.get("type") == "singleSymbol":
            assert symbols == {"0"}
            continue
        ranges = renderer.find("ranges")
        ends = [(float(r.get("lower")), float(r.get("upper"))) for r in ranges]
        assert [a for _, a in ends[:-1]] == [b for b, _ in ends[1:]]  # no gap between classes
        assert {r.get("symbol") for r in ranges} == symbols
        assert len(list(rules)) == len(ranges)
        column = pyogrio.read_dataframe(package, layer=style.f_table_name)[renderer.get("attr")]
        assert ends[0][0] <= column.min()
        assert column.max() <= ends[-1][1]


def test_the_default_style_has_the_colours_of_the_report(package: Path) -> None:
    streets = pd.concat(
        [pyogrio.read_dataframe(package, layer=f"streets_{a}") for a in ("slow", "idle")]
    )
    scale = Scale.of(streets["diff_delay_h"], diverging=True)
    with sqlite3.connect(package) as file:
        (qml,) = file.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_name = 'streets_slow' AND useAsDefault"
        ).fetchone()
    file.close()
    renderer = ET.fromstring(qml).find("renderer-v2")
    assert renderer.get("attr") == "diff_delay_h"
    drawn = [o.get("value") for o in renderer.iter("Option") if o.get("name") == "line_color"]
    less, same, more = (scale.rgb([v])[0] for v in (-0.75 * scale.high, 0.0, 0.75 * scale.high))
    for colour, text in ((less, drawn[0]), (same, drawn[3]), (more, drawn[6])):
        assert text == ",".join([*map(str, colour), "255"])


def test_geojson_is_what_rfc_7946_asks_for(ran_once: Path, tmp_path: Path) -> None:
    found = json.loads(export_run(ran_once, "geojson", tmp_path / "t.geojson").read_text())
    assert found["type"] == "FeatureCollection"
    assert "crs" not in found
    ends = np.array([f["geometry"]["coordinates"][0] for f in found["features"]])
    assert ends[:, 0].min() > 24.9  # longitude comes first: Helsinki
    assert ends[:, 1].max() < 60.2
    assert {f["properties"]["alternative"] for f in found["features"]} == {"slow", "idle"}


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")', "{=1}", "http://x"]
)
def test_names_are_never_formulas(ran: Path, tmp_path: Path, name: str) -> None:
    path = ran / "slow" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "title": name}))
    book = export_run(ran, "xlsx", tmp_path / "t.xlsx")
    runs = sheet(book, 4)
    title = next(c for c, (_, text) in runs[0].items() if text == "title")
    kind, text = runs[2][title]
    assert (kind in ("s", "inlineStr"), text) == (True, name)


@pytest.mark.parametrize("kind", ["gpkg", "geojson", "csv", "xlsx"])
def test_a_run_alone_has_its_own_values(ran_once: Path, tmp_path: Path, kind: str) -> None:
    suffix = {"csv": "zip"}.get(kind, kind)
    assert export_run(ran_once / "slow", kind, tmp_path / f"t.{suffix}").is_file()
    found: Export = read_export(ran_once / "slow")
    means = compare(ran_once).means("slow")
    named = dict(zip(found.indicators["indicator"], found.indicators["mean"], strict=True))
    assert named == {k: v for k, v in means.items() if k in named}
    assert not [c for c in found.streets if c.startswith(("base_", "diff_", "percent_"))]
    assert {"zones", "junctions", "approaches", "groups"} == set(found.places)
    assert found.places["zones"]["people_15"].gt(0.0).any()


def test_foreign_files_stay(ran_once: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.xlsx"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        export_run(ran_once, "xlsx", path)
    with pytest.raises(OutputError, match=r"ends in \.gpkg"):
        export_run(ran_once, "gpkg", path, overwrite=True)
    assert path.read_text() == "mine"
    assert export_run(ran_once, "xlsx", path, overwrite=True).read_bytes()[:2] == b"PK"


@pytest.mark.skipif(sys.platform == "win32", reason="no limits to files")
@pytest.mark.parametrize("kind", ["gpkg", "geojson", "csv", "xlsx"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    ran_once: Path, tmp_path: Path, kind: str
) -> None:
    """A limit to the size of files fails as a full disk does, in the middle of a write."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    path = tmp_path / f"t.{'zip' if kind == 'csv' else kind}"
    done = subprocess.run(
        [sys.executable, "-m", "scenarios.cli", "export", ran_once, "-f", kind, "-o", path],
        capture_output=True, text=True, preexec_fn=limit, cwd=DOCS.parent, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {path}: cannot be written")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_default_file_lies_beside_the_runs(
    ran: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, "export", ran, "-f", "csv")
    assert code == 0
    assert str(ran.with_name("ten.zip")) in out.replace("\n", "")
    assert ran.with_name("ten.zip").is_file()


# --- notebook ------------------------------------------------------------------------------------


def test_the_notebook_runs_as_it_is(tmp_path: Path) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    shutil.copy(DOCS / "results.yaml", tmp_path)
    book = nbformat.read(DOCS / "results.ipynb", as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum(bool(line.strip()) for cell in code for line in cell.source.splitlines()) <= 10
    nbclient.NotebookClient(
        book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert "image/png" in code[-1].outputs[-1].data
    assert len(query(tmp_path / "slow-street", "SELECT DISTINCT run FROM trips")) == 2
