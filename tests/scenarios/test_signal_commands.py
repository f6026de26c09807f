"""`twin train`, `twin evaluate`, `twin leaderboard`, as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from envs.opening import resco_folder
from scenarios import cli
from scenarios.leaderboard import Board, Learner, make_board
from scenarios.leaderboard_page import interval, page
from twin.errors import InputError

pytest.importorskip("libsumo")
if resco_folder() is None:
    pytest.skip("the maps of RESCO are not installed", allow_module_level=True)


LEARNERS = (Learner("ppo", "ppo"), Learner.parse("towns=ppo:generated:1,cologne1"))


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    code = end.value.code
    out, err = capsys.readouterr()
    return (code if isinstance(code, int) else 0), out, err


def test_an_agent_is_trained_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "agent"
    period = ("--begin", "07:00", "--end", "07:10")
    code, out, _ = call(
        capsys, "train", "cologne1", "-o", folder, "--algo", "ppo", "--steps", 8000,
        "--copies", 4, *period,
    )  # fmt: skip
    assert code == 0
    assert "cologne1" in out
    summary = json.loads((folder / "training.json").read_text())
    command = summary["agent"]["training"]["command"]
    assert command.startswith("twin train cologne1 --algo ppo --steps 8000 --seed 0 --copies 4")
    assert command.endswith("-o agent")
    assert summary["training"]["decisions"] >= 8000
    table = tmp_path / "table.csv"
    code, out, _ = call(
        capsys, "evaluate", folder / "agent.zip", "greedy", "--on", "cologne1", "--seeds", 3,
        "-o", table, *period,
    )  # fmt: skip
    assert code == 0
    assert "greedy" in out
    rows = pd.read_csv(table)
    assert len(rows) == 6
    assert set(rows["seed"]) == {5_000_000, 5_000_001, 5_000_002}
    assert (rows["delay_per_trip_s"] > 1.0).all()


def test_a_board_is_made_once_and_goes_on(tmp_path: Path) -> None:
    board = Board(("cologne1",), ("greedy",), LEARNERS, 2000, 10.0, 1, 1, ("twin",))
    first = make_board(board, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("agent.zip")}
    assert len(stamps) == 2
    both = Board(("cologne1",), ("greedy",), LEARNERS, 2000, 10.0, 1, 1, ("twin", "sumo"))
    second = make_board(both, tmp_path)
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("agent.zip")}
    assert len(first) == 3
    assert len(second) == 6
    again = second[second["engine"] == "twin"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, first, check_like=True)
    with pytest.raises(InputError, match="holds the agent of 'twin train"):
        make_board(replace(board, steps=3000), tmp_path)
    more = Board(("cologne1",), ("greedy",), (), 2000, 10.0, 1, 2, ("twin",))
    assert make_board(more, tmp_path)["seed"].nunique() == 2
    text = page(second, both)
    assert "Judged by SUMO" in text
    assert text.count("| cologne1 |") == 2 + 6 + 2
    assert "nan" not in text


def test_the_interval_holds_the_spread_of_trainings() -> None:
    """Ten days each of trainings that differ: days alone would promise too much."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        [
            {"training": str(t), "seed": d, "x": 10.0 * t + rng.normal(0.0, 1.0)}
            for t in range(3)
            for d in range(10)
        ]
    )
    mean, low, high = interval(rows, "x")
    assert mean == pytest.approx(10.0, abs=1.0)
    assert low < 3.0
    assert high > 17.0
    alone = interval(rows[rows["training"] == "1"], "x")
    assert 0.5 < alone[2] - alone[1] < 3.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("train", "cologne2", "-o", "x"), "did you mean"),
        (("train", "cologne1", "-o", "x", "--algo", "pppo"), "algorithm 'pppo' is unknown"),
        (("train", "cologne1", "-o", "x", "--begin", "07:00"), "--begin and --end belong together"),
        (("evaluate", "greedyy", "--on", "cologne1"), "did you mean 'greedy'"),
        (("evaluate", "greedy", "--on", "cologne1", "--engine", "vissim"), "there are twin, sumo"),
        (
            ("evaluate", "rolling_horizon", "--on", "cologne1", "--engine", "sumo"),
            "cannot be copied",
        ),
        (("evaluate", "greedy", "--on", "cologne1", "-o", "no/where.csv"), "is no folder"),
        (("evaluate", "greedy", "--on", "cologne1", "-o", "."), "is a folder; name a file"),
        (("evaluate", "greedy", "--on", "cologne1", "--on", "cologne1"), "cologne1 stands twice"),
        (("evaluate", "greedy", "greedy", "--on", "cologne1"), "greedy stands twice"),
        (("leaderboard", "-o", "x", "--on", "cologn1", "--page", "p.md"), "did you mean"),
        (("leaderboard", "-o", "x", "--page", "no/where.md"), "is no folder"),
        (("leaderboard", "-o", "x", "--agent", "a=", "--page", "p.md"), "write ALGORITHM"),
        (("leaderboard", "-o", "x", "--agent", "sotl=ppo:cologne1", "--page", "p.md"), "twice"),
        (("leaderboard", "-o", "x", "--agent", "a=frap:x1", "--page", "p.md"), "x1"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, *arguments)
    assert code == 1
    line = " ".join(err.split())
    assert says in line
    assert "Traceback" not in err
