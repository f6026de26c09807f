"""A domain that lives here alone is seen by scenario, runner, comparison and registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ten_minutes import TEXT, scenario

from scenarios.compare import compare
from scenarios.present_values import layers_of_names
from scenarios.presenting import Content
from scenarios.runner import run_scenario
from scenarios.schema import json_schema, measure_models
from scenarios.viewing import open_view
from scenarios.views import Choice
from twin import system
from twin.ledger import Results


@pytest.fixture
def benches() -> Iterator[system.System]:
    from benches import BENCHES

    system.register(BENCHES)
    yield BENCHES
    system.unregister("benches")


def test_a_new_domain_needs_no_change_elsewhere(
    benches: system.System, city_folder: Path, tmp_path: Path
) -> None:
    kinds = json_schema()["properties"]["base"]["items"]["discriminator"]["mapping"]
    assert "benches" in kinds
    text = TEXT.replace(
        "  - name: idle",
        "  - name: seated\n    measures: [{{kind: benches, street: Unioninkatu, number: 4}}]\n  - name: idle",
    )
    run_scenario(scenario(city_folder, text=text), tmp_path / "out", workers=2)
    comparison = compare(tmp_path / "out")
    row = comparison.table.set_index(["alternative", "indicator"]).loc[("seated", "seats")]
    assert (row["title"], row["unit"], row["base_mean"]) == ("Seats on benches", "seats", 1.5)
    assert (row["difference"], row["verdict"]) == (12.0, "better")
    streets = comparison.streets[comparison.streets["alternative"] == "seated"]
    assert streets["diff_bench_number"].sum() == 4
    assert "bench_number" in system.layers()
    seen = open_view(
        str(tmp_path / "out"), Choice("bench_number", "beside", "seated"), lambda _: None
    )
    shown = seen.panels[1].values
    assert shown is not None
    assert shown.sum() == 4
    assert seen.caption(None).unit == system.layers()["bench_number"].unit
    content = Content(comparison.city, [comparison.base, *comparison.alternatives])
    header = content.header("de", None, None)
    assert "bench_number" in {layer["name"] for layer in header["layers"]}
    assert "layer.bench_number" in header["my"]  # "what changes on my street"
    found = layers_of_names(content.city, content.names, content.runs, [[1]] * len(content.runs))
    mine = found["seated"]["layer.bench_number"]
    known = {content.names.names[k]: mine.mean[k] for k in np.flatnonzero(np.isfinite(mine.mean))}
    assert known == {"Unioninkatu": 4.0}
    assert np.nansum(mine.base) == 0.0
    events = Results.load(tmp_path / "out" / "seated" / "seed-0001").tables["events"]
    assert "benches" in set(events["system"])


def test_without_it_nothing_knows_it() -> None:
    system.unregister("benches")
    assert all(model.__name__ != "Benches" for model in measure_models())
