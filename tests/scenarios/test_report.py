"""The report: its numbers are the table's, its words no surer than the intervals."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenarios import report_words as words
from scenarios.compare import _row
from scenarios.report import write_report
from scenarios.runs import RunInfo
from scenarios.statistics import paired
from twin.errors import InputError, OutputError
from twin.system import indicators, layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twin.city import City

SEEDS = tuple(range(1, 11))
EVIL = "<script>alert('x')</script>"
# The rule wins, the agent loses; the third only makes noise. Shares of the base.
EFFECTS = {"rule": -0.08, "agent": 0.12, "noise": 0.0}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True, eq=False)
class MadeUp:
    """A comparison with made-up numbers, as the report sees one."""

    base: RunInfo
    alternatives: list[RunInfo]
    table: pd.DataFrame
    streets: pd.DataFrame
    city: City
    notes: tuple[str, ...] = ("a note",)
    unpaired: bool = False

    @property
    def seeds(self) -> dict[str, tuple[int, ...]]:
        return {run.name: SEEDS for run in (self.base, *self.alternatives)}

    def run(self, name: str) -> RunInfo:
        return next(run for run in (self.base, *self.alternatives) if run.name == name)

    def each(
        self, name: str, table: str, columns: list[str] | None = None
    ) -> Iterator[pd.DataFrame]:
        if table == "trips":
            trips = self.trips(name)
            for seed in SEEDS[:2]:
                yield trips[columns].assign(seed=seed)

    def means(self, name: str) -> dict[str, float]:
        return {}

    def rows(self, name: str, table: str) -> pd.DataFrame | None:
        return self.trips(name) if table == "trips" else None

    def trips(self, name: str) -> pd.DataFrame:
        rng = np.random.default_rng(len(name))
        due = np.sort(rng.uniform(23_400.0, 32_400.0, 3000))
        duration = rng.gamma(4.0, 90.0, 3000)
        arrival = np.where(rng.random(3000) < 0.9, due + duration, np.nan)
        return pd.DataFrame(
            {"due_s": due, "depart_s": due, "arrival_s": arrival, "duration_s": duration,
             "seed": rng.integers(1, 11, 3000)}
        )  # fmt: skip


def run_info(folder: Path, name: str, title: str) -> RunInfo:
    manifest: dict[str, Any] = {
        "scenario": "Signals in the morning peak",
        "city": {"name": "helsinki", "digest": "c0ffee"},
        "demand": {"scale": 1.0, "digest": "deadbeef"},
        "period": {"day": "2026-09-15", "begin": "07:00", "end": "09:00", "warmup_minutes": 30},
        "equilibrium": {"iterations": 4, "gap": 0.02},
        "seeds": list(SEEDS),
        "versions": {"python": "3.11", "stadtzwilling": "0.1"},
        "measures": [{"kind": "signal_policy", "describe": f"signals by {name}"}],
        "response": "none",
        "input_hash": f"hash-of-{name}",
    }
    seed = folder / name / "seed-0001"
    seed.mkdir(parents=True)
    pd.DataFrame({"indicator": [], "value": []}).to_parquet(seed / "indicators.parquet")
    pd.DataFrame(
        {"time_s": [32_400.0, 97_200.0], "system": "roads", "kind": ["works_begin", "works_end"],
         "street": 3, "text": [f"works of {name} begin", "works end"]}
    ).to_parquet(seed / "events.parquet")  # fmt: skip
    return RunInfo(name, title, folder / name, manifest)


def made_up_table() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    rows = []
    for name, share in EFFECTS.items():
        for k, meta in enumerate(indicators().values()):
            level = 50.0 * (k + 1)
            base = level * (1.0 + 0.05 * rng.standard_normal(len(SEEDS)))
            good = share if meta.better == "lower" else -share
            other = base * (1.0 + good + 0.01 * rng.standard_normal(len(SEEDS)))
            if meta.name == "trips":
                other = base.copy()
            rows.append(_row(name, meta, paired(base, other), 0.001 if share else 0.9))
    from scenarios.compare import COLUMNS

    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture(scope="module")
def made_up(helsinki: City, tmp_path_factory: pytest.TempPathFactory) -> MadeUp:
    folder = tmp_path_factory.mktemp("runs") / "peak"
    streets = helsinki.streets.copy()
    streets.loc[0, "name"] = EVIL
    rng = np.random.default_rng(7)
    parts = []
    for name in EFFECTS:
        frame = pd.DataFrame({"alternative": name, "street": np.arange(len(streets))})
        for layer in layers():
            frame[f"base_{layer}"] = rng.gamma(1.0, 5.0, len(streets))
            frame[f"diff_{layer}"] = rng.normal(0.0, 2.0, len(streets))
            frame.loc[0, f"diff_{layer}"] = 99.0
            frame[layer] = frame[f"base_{layer}"] + frame[f"diff_{layer}"]
        parts.append(frame)
    runs = {n: run_info(folder, n, f"The {n}") for n in ("base", "rule", "noise")}
    runs["agent"] = run_info(folder, "agent", f"The agent {EVIL}")
    gaps = [(s, k, 0.2 / k**2) for s in SEEDS for k in range(1, 5)]
    pd.DataFrame(gaps, columns=["seed", "iteration", "gap"]).to_parquet(
        folder / "equilibrium.parquet"
    )
    return MadeUp(
        runs["base"], [runs[n] for n in EFFECTS], made_up_table(),
        pd.concat(parts, ignore_index=True), replace(helsinki, streets=streets),
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(made_up: MadeUp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    Image.new("RGB", (192, 108), "#e6e1d7").save(folder / "picture.png")
    return write_report(
        [made_up, made_up], folder / "report.html", title=f"A town {EVIL}",
        picture=folder / "picture.png", notes=("A further note.",),
    )  # type: ignore[list-item]  # fmt: skip


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_every_number_of_the_table_is_in_the_report(html: str, made_up: MadeUp) -> None:
    for row in words.records(made_up.table):
        shown = words.table_row(row)
        for key in ("base", "mean", "difference", "interval", "percent"):
            assert shown[key] in html


def test_printed_numbers_are_those_of_the_table(made_up: MadeUp) -> None:
    for row in words.records(made_up.table):
        shown = words.table_row(row)
        for key, column in (("difference", "difference"), ("low", "ci_low"), ("high", "ci_high")):
            value = float(shown[key].replace("\u202f", "").replace("−", "-"))
            decimals = len(shown[key].partition(".")[2])
            assert abs(value - row[column]) <= 0.5 * 10.0**-decimals + 1e-9


def test_it_says_who_wins_who_loses_and_what_is_open(html: str) -> None:
    results = re.findall(r'<p class="(better|worse|other)">(.*?)<br>', html)[:3]
    assert [effect for effect, _ in results] == ["better", "worse", "other"]
    assert "which is better" in results[0][1]
    assert "which is worse" in results[1][1]
    assert "no clear difference" in results[2][1]
    assert "not calibrated to counts" in html
    assert "In 10 of 10 runs drivers had not settled" not in html  # 0.2/16 is below 0.02


def test_text_from_data_is_never_markup(html: str) -> None:
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert") > 4


def test_nothing_is_asked_of_the_network(html: str) -> None:
    links = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", html)
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "default-src 'none'" in html


def test_it_is_light_enough_to_be_mailed(page: Path) -> None:
    assert page.stat().st_size < 5_000_000


def opened(page: Path, tmp_path: Path) -> tuple[str, str, set[str]]:
    """Return the page's DOM, what the browser's console said, and the hosts that were asked."""
    log = tmp_path / "net.json"
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}", "--dump-dom",
         page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    asked = re.findall(r'"url":\s*"(?:https?|wss?)://([^/":]+)', log.read_text(encoding="utf-8"))
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    # What the browser asks its maker on its own account, for an empty page too.
    own = (".google.com", ".googleapis.com")
    return done.stdout, console, {host for host in asked if not host.endswith(own)}


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the report in")
def test_a_browser_opens_it_without_errors_or_requests(page: Path, tmp_path: Path) -> None:
    dom, console, asked = opened(page, tmp_path)
    assert "The key numbers" in dom
    assert dom.count("<svg") > 10
    assert console == ""
    assert asked == set()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open a page in")
def test_a_page_that_errs_and_asks_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "canary.html"
    page.write_text('<img src="http://canary.example/a.png"><script>console.error("a")</script>')
    _, console, asked = opened(page, tmp_path)
    assert asked == {"canary.example"}
    assert "CONSOLE" in console


@given(
    difference=st.floats(-10, 10), half=st.floats(0, 10), n=st.integers(2, 30),
    better=st.sampled_from(["lower", "higher", "neither"]), p_holm=st.floats(0, 1),
)  # fmt: skip
def test_an_effect_is_never_surer_than_its_interval(
    difference: float, half: float, n: int, better: str, p_holm: float
) -> None:
    row = {"difference": difference, "ci_low": difference - half, "ci_high": difference + half,
           "n": n, "identical": False, "better": better, "p_holm": p_holm}  # fmt: skip
    found = words.effect(row)
    clear = row["ci_low"] > 0.0 or row["ci_high"] < 0.0
    assert (found in words.CLEAR) == (clear and p_holm <= 0.05)
    if found == "better":
        assert (difference < 0.0) == (better == "lower")


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"n": 1, "ci_low": math.nan, "ci_high": math.nan}, "single"),
        ({"n": 5, "ci_low": math.nan, "ci_high": math.nan}, "unclear"),
        ({"n": 0, "difference": math.nan}, "missing"),
        ({"identical": True}, "same"),
    ],
)
def test_what_cannot_be_known_is_not_claimed(changes: dict[str, Any], effect: str) -> None:
    row = {"difference": -3.0, "ci_low": -4.0, "ci_high": -2.0, "n": 5, "identical": False,
           "better": "lower", "p_holm": 0.01, **changes}  # fmt: skip
    assert words.effect(row) == effect


def test_a_single_pair_of_runs_and_a_base_of_nought_still_make_a_report(
    made_up: MadeUp, tmp_path: Path
) -> None:
    table = made_up.table.assign(
        n=1, ci_low=math.nan, ci_high=math.nan, percent=math.nan, percent_low=math.nan,
        percent_high=math.nan, base_mean=0.0,
    )  # fmt: skip
    bare = replace(made_up, table=table, streets=made_up.streets[["alternative", "street"]])
    text = write_report([bare], tmp_path / "r.html", title="A").read_text(encoding="utf-8")  # type: ignore[list-item]
    assert "says nothing about chance" in text
    assert "With only 1 pairs" not in text


def test_it_says_how_drivers_choose_and_who_knows_of_closures(
    html: str, made_up: MadeUp, tmp_path: Path
) -> None:
    assert "C-logit" not in html
    assert "learn of a closure" not in html
    manifest = {
        **made_up.base.manifest,
        "equilibrium": {"iterations": 4, "gap": 0.02, "route_choice": "c_logit"},
    }
    first, *rest = made_up.alternatives
    told = replace(first, manifest={**first.manifest, "response": "en_route", "informed": 0.4})
    other = replace(
        made_up, base=replace(made_up.base, manifest=manifest), alternatives=[told, *rest]
    )
    text = write_report([other], tmp_path / "r.html", title="A").read_text(encoding="utf-8")  # type: ignore[list-item]
    assert "share of drivers who would choose otherwise if all chose anew" in text
    assert "40\u202f% of the drivers learn of a closure when it begins" in text


def test_a_report_that_cannot_be_made_is_told_in_one_line(made_up: MadeUp, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no picture")
    with pytest.raises(InputError, match="no comparison"):
        write_report([], tmp_path / "r.html", title="A")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        write_report([made_up], tmp_path / "r.html", title="A", picture=tmp_path / "file")  # type: ignore[list-item]
    with pytest.raises(OutputError, match="cannot be written"):
        write_report([made_up], tmp_path / "file" / "r.html", title="A")  # type: ignore[list-item]
    assert not (tmp_path / "r.html").exists()


def test_the_table_can_be_taken_out_of_the_page(html: str, made_up: MadeUp, tmp_path: Path) -> None:
    import base64

    data = re.search(r'download="comparison-1.csv" href="data:text/csv;base64,([^"]+)"', html)
    assert data is not None
    (tmp_path / "c.csv").write_bytes(base64.b64decode(data[1]))
    back = pd.read_csv(tmp_path / "c.csv")
    assert np.allclose(back["difference"], made_up.table["difference"])
    assert json.dumps(sorted(back.columns)) == json.dumps(sorted(made_up.table.columns))
