from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios import cli, screen
from scenarios.compare import compare
from twin.city.opening import open_city
from twin.errors import InputError

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "build", "run", "compare", "show", "train", "simulate", "demo", "schema", "assign", "validate",
    "evaluate", "leaderboard",
)  # fmt: skip


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        cli.main([str(a) for a in arguments])
    code = end.value.code
    out, err = capsys.readouterr()
    return (code if isinstance(code, int) else 0), out, err


def test_help_imports_nothing_heavy() -> None:
    """So that it comes at once."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "scenarios.cli", "--help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "typer" in imported
    heavy = {"numpy", "pandas", "geopandas", "numba", "torch", "pyvista", "matplotlib", "scipy"}
    assert not imported & heavy


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(capsys, command, "--help")
    assert code == 0
    assert "Examples:" in out or command in ("demo", "schema")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "nothing.yaml", "-o", "x"),
        ("compare", "nothing", "-o", "x"),
        ("build", "nothing.osm.pbf", "-o", "x"),
        ("build", "helsinky", "-o", "x"),
        ("show", "[bold]nothing[/bold]\x1b[31m\n.osm"),
    ],
)
def test_errors_are_one_line_on_stderr(
    arguments: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, *arguments)
    assert code == 1
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert "\x1b[31m" not in err
    assert not list(tmp_path.iterdir())


def test_markup_in_data_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = call(capsys, "show", "[red]x[/red]")
    assert "[red]x[/red]" in err


def test_check_tells_who_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "check", "bridge_closed")
    closed, one_lane = out.split("one-lane")
    assert code == 0
    assert "cars have no other way to or from" in closed
    assert "Pitkänsillanranta" in closed
    assert "no other way" not in one_lane


def test_check_takes_what_the_base_closes_and_reopens(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        """\
name: Bridge
city: helsinki
period: {day: 2026-09-15, begin: "07:00", end: "08:00"}
base:
  - {kind: headways, minutes: {"73": 10}}
  - {kind: close, street: Pitkäsilta}
alternatives:
  - {name: again, measures: [{kind: reopen, street: Pitkäsilta}]}
  - {name: also, measures: [{kind: close, street: Kirkkokatu}]}
""",
        encoding="utf-8",
    )
    code, out, err = call(capsys, "check", file)
    assert (code, err) == (0, "")
    base, rest = out.split("again\n")
    assert "no other way" in base
    again, also = rest.split("also\n")
    assert "no other way" not in again
    assert "no other way" in also


def test_usage_errors_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "run")[0] == 2
    assert call(capsys, "runn")[0] == 2
    assert call(capsys, "run", "x.yaml", "-o", "y", "--workers", "0")[0] == 2


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "the same command goes on"),
        (MemoryError(), 1, "out of memory"),
        (OSError(28, "No space left on device"), 1, "free some space"),
        (ZeroDivisionError("x"), 1, "unexpected ZeroDivisionError"),
    ],
)
def test_whatever_goes_wrong_is_told_in_one_line(
    raised: BaseException,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr("scenarios.showing.show", fail)
    got, _, err = call(capsys, "show", "x")
    assert got == code
    assert words in err
    assert "Traceback" not in err
    _, _, err = call(capsys, "show", "x", "--debug")
    assert ("Traceback" in err) == (code == 1)


def test_run_compare_and_show(
    ran: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = call(capsys, "show", ran)
    assert code == 0
    assert "Ten minutes: 12:00 to 12:10" in out
    assert "20 km/h on Unioninkatu: 20 km/h on Unioninkatu" in out
    screen.comparison_table(compare(ran), "Ten minutes")
    out, _ = capsys.readouterr()
    assert "idle: no key indicator differs from the base" in out
    assert "Mean trip" in out


def test_city_references(city_folder: Path, tmp_path: Path) -> None:
    assert open_city(city_folder.name, folder=city_folder.parent).name
    with pytest.raises(InputError, match="did you mean 'helsinki'"):
        open_city("helsinky")
    (tmp_path / "x.csv").write_text("x")
    with pytest.raises(InputError, match="no kind of file"):
        open_city(str(tmp_path / "x.csv"))
