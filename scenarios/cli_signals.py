"""Commands about policies for signals: `twin train`, `twin evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scenarios.roads_commands import Options

SIGNALS_ONLY = frozenset(
    {"copies", "hyperparameters", "begin", "end", "engine", "closed", "failed", "noise"}
)
ROADS_ONLY = frozenset({"sections", "budget", "truth", "joint"})

Begin = Annotated[str | None, typer.Option(help="Time of day that an episode begins, HH:MM.")]
End = Annotated[str | None, typer.Option(help="Time of day that it ends, HH:MM.")]
Scale = Annotated[float, typer.Option(min=0.01, help="Factor on the demand.")]
Sections = Annotated[int, typer.Option(min=0, help="Roads: sections of each network; 0 takes all.")]
Budget = Annotated[float, typer.Option(help="Roads: factor on a budget of 2.20 EUR/m2 a year.")]


def train(
    ctx: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="ENV_OR_MAP...",
            help="Where: a map of RESCO, a city, a .sumocfg, or Twin/SignalControl-v0; roads:CITY, "
            "roads:generated:SEED; of several one agent learns all.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the agent.")],
    algo: Annotated[
        str,
        typer.Option(
            help="Algorithm: docs/signals.md has all; of roads es (its default), ppo, maskable_ppo."
        ),
    ] = "frap",
    steps: Annotated[int, typer.Option(min=1, help="Decisions to learn from.")] = 1_000_000,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Wall time after which it ends in any case.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    copies: Annotated[int | None, typer.Option(min=1, help="Simulations at once.")] = None,
    hyperparameters: Annotated[
        Path | None, typer.Option(help="YAML to read instead of the project's.")
    ] = None,
    begin: Begin = None,
    end: End = None,
    scale: Scale = 1.0,
    sections: Sections = 100,
    budget: Budget = 1.0,
) -> None:
    """Train an agent that controls signals or keeps roads; killed, signals go on.

    OUT gets agent.zip (the weights that were best on days of their own) and training.json, for
    signals also logs for TensorBoard and checkpoints. Name the agent in a scenario: agents:
    {mine: OUT/agent.zip}, then {kind: signal_policy, policy: mine}, or for roads {kind:
    maintenance, policy: mine}.

    Examples:

      twin train cologne1 -o cologne1

      twin train cologne3 ingolstadt7 --algo attention --steps 5000000 -o both

      twin train roads:generated:0 roads:helsinki --algo es --minutes 10 -o roads
    """
    from scenarios import roads_commands, screen

    if roads_commands.are_roads(places):
        _refuse(ctx, SIGNALS_ONLY, "roads")
        algo = algo if "algo" in _given(ctx) else "es"
        scale = scale if "scale" in _given(ctx) else 0.3
        networks = roads_commands.Options(sections, budget, scale)
        _train_roads(places, out, algo, steps, minutes, seed, networks)
        return
    _refuse(ctx, ROADS_ONLY, "signals")
    from agents.train import Plan
    from scenarios.training import open_scenes, train_signals

    period = _period(begin, end)
    given = {
        "algo": algo, "steps": steps, "minutes": minutes, "seed": seed, "copies": copies,
        "hyperparameters": hyperparameters, "begin": begin, "end": end, "scale": scale,
    }  # fmt: skip
    options = [f"--{name} {value}" for name, value in given.items() if value is not None]
    command = " ".join(["twin train", *places, *options, "-o", out.name])
    plan = Plan(
        algo, steps, minutes, seed, copies, hyperparameters=hyperparameters, command=command
    )
    with screen.progress_shown() as progress:
        done = train_signals(open_scenes(places, period, scale), out, plan, progress=progress)
    state = done.state
    best = min(state.history, key=lambda row: sum(row["delay_per_trip_s"].values()))
    rows = [(name, f"{value:.1f} s") for name, value in best["delay_per_trip_s"].items()]
    screen.table("Mean delay of a trip in validation", ("scene", "delay"), rows)
    screen.say(f"{done.path}: {state.decisions:,} decisions in {state.wall_s:.0f} s")


def evaluate(
    ctx: typer.Context,
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY...", help="Names, or files of agents (.zip).")
    ],
    on: Annotated[list[str], typer.Option("--on", metavar="MAP", help="Where; may be repeated.")],
    engine: Annotated[str, typer.Option(help="twin, or sumo as the judge.")] = "twin",
    seeds: Annotated[int, typer.Option(min=1, help="Days of each.")] = 10,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="CSV file, one row a day.")
    ] = None,
    begin: Begin = None,
    end: End = None,
    scale: Scale = 1.0,
    closed: Annotated[
        list[str] | None,
        typer.Option(metavar="STREET", help="Street that is shut: id, OSM id, name. Repeatable."),
    ] = None,
    failed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of detectors that are dead.")
    ] = 0.0,
    noise: Annotated[
        float, typer.Option(min=0.0, help="Standard deviation of detectors, share of a reading.")
    ] = 0.0,
    sections: Sections = 100,
    budget: Budget = 1.0,
    truth: Annotated[str, typer.Option(help="Roads: markov, curve; how pavements age.")] = "markov",
    joint: Annotated[
        bool, typer.Option("--joint", help="Roads: simulate the works of a day together.")
    ] = False,
) -> None:
    """Compare policies for signals, or for roads, on days or decades that no training sees.

    Examples:

      twin evaluate max_pressure webster cologne1/agent.zip --on cologne1 --seeds 10

      twin evaluate frap_resco --on cologne1 --on ingolstadt7 --engine sumo --seeds 5

      twin evaluate frap_resco max_pressure --on cologne8 --scale 1.3 --failed 0.1

      twin evaluate worst_first greedy_knapsack rolling_optimum --on roads:helsinki --seeds 100
    """
    from agents.evaluation import REPORTED
    from scenarios import screen
    from scenarios.training import evaluate_signals, open_scenes, with_interval
    from twin.errors import OutputError

    if out is not None and not out.parent.is_dir():
        msg = f"{out.parent} is no folder; make it, or name another place for the table"
        raise OutputError(msg)
    if out is not None and out.is_dir():
        msg = f"{out} is a folder; name a file for the table, as {out / 'table.csv'}"
        raise OutputError(msg)
    from scenarios import roads_commands

    if roads_commands.are_roads(on):
        _refuse(ctx, SIGNALS_ONLY, "roads")
        scale = scale if "scale" in _given(ctx) else 0.3
        networks = roads_commands.Options(sections, budget, scale, truth, joint=joint)
        _evaluate_roads(policies, on, seeds, out, networks)
        return
    _refuse(ctx, ROADS_ONLY, "signals")
    period = _period(begin, end)
    with screen.stopped("Stopped; nothing is kept."), screen.progress_shown() as progress:
        table = evaluate_signals(
            policies,
            open_scenes(on, period, scale, closed or ()),
            seeds,
            engine=engine,
            progress=progress,
            failed=failed,
            noise=noise,
        )
    columns = [name for name in REPORTED if name not in ("delay_per_trip_s", "arrived_percent")]
    heads = ("delay, s", "95 % wait, s", "99 %", "longest", "stops", "CO2, g")
    for place, rows in table.groupby("map", sort=False):
        lines = [
            (
                str(policy),
                with_interval(days["delay_per_trip_s"]),
                *(f"{days[name].mean():.1f}" for name in columns),
            )
            for policy, days in rows.groupby("policy", sort=False)
        ]
        screen.table(f"{place}, {engine}, {seeds} days", ("policy", *heads), lines)
    if out is not None:
        table.to_csv(out, index=False)
        screen.say(f"Table: {out}")


def leaderboard(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for trainings and results.")],
    on: Annotated[
        list[str] | None, typer.Option("--on", metavar="MAP", help="Maps; RESCO's unless given.")
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="Baselines; all unless given. May be repeated.")
    ] = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            help="What to train, frap unless given: ALGORITHM, on each map by itself, or "
            "NAME=ALGORITHM:SCENE,SCENE, one for all maps. May be repeated."
        ),
    ] = None,
    engine: Annotated[list[str] | None, typer.Option(help="twin, sumo; both unless given.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Decisions of each training.")] = 1_000_000,
    minutes: Annotated[float, typer.Option(min=0.01, help="Longest time of each.")] = 10.0,
    trainings: Annotated[int, typer.Option(min=1, help="Training seeds.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Days of evaluation.")] = 10,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
    page: Annotated[Path, typer.Option(help="Markdown page to write.")] = Path(
        "docs/leaderboard.md"
    ),
) -> None:
    """Compare baselines and trained agents on maps, in the twin and in SUMO: a page of Markdown.

    Takes hours for all maps; stopped, the same command goes on.

    Examples:

      twin leaderboard -o board

      twin leaderboard -o small --on cologne1 --policy greedy --engine twin --trainings 1
      --steps 100000 --page small.md

      twin leaderboard -o all --agent towns=frap:generated:0-20,helsinki --steps 7000000
    """
    from envs.opening import RESCO
    from scenarios import leaderboard as board_of
    from scenarios import leaderboard_page, screen
    from scenarios.runs import write_text
    from twin.errors import OutputError

    if not page.parent.is_dir() and page.parent.resolve() != out.resolve():
        msg = f"{page.parent} is no folder; make it, or name another --page"
        raise OutputError(msg)
    board = board_of.Board(
        tuple(on or RESCO),
        tuple(policy or board_of.BASELINES),
        tuple(board_of.Learner.parse(text) for text in agent or ["frap"]),
        steps,
        minutes,
        trainings,
        seeds,
        tuple(engine or ["twin", "sumo"]),
    )
    board_of.check_names(board)
    with screen.progress_shown() as progress:
        table = board_of.make_board(board, out, workers=workers, progress=progress)
    write_text(page, leaderboard_page.page(table, board))
    screen.say(f"Page: {page}")


def _train_roads(
    places: list[str],
    out: Path,
    algo: str,
    steps: int,
    minutes: float | None,
    seed: int,
    options: Options,
) -> None:
    from scenarios import screen
    from scenarios.roads_commands import open_tasks, train_roads

    command = (
        f"twin train {' '.join(places)} --algo {algo} --steps {steps} --seed {seed} "
        f"--sections {options.sections} --budget {options.budget:g} --scale {options.scale:g}"
    )
    with screen.progress_shown() as progress:
        tasks = open_tasks(places, options, report=progress)
        file = train_roads(
            tasks, out, algo=algo, steps=steps, minutes=minutes, seed=seed, command=command,
            report=progress,
        )  # fmt: skip
    screen.say(f"Agent: {file}")


def _evaluate_roads(
    policies: list[str],
    on: list[str],
    seeds: int,
    out: Path | None,
    options: Options,
) -> None:
    from scenarios import screen
    from scenarios.roads_commands import evaluate_roads, lines_of, open_tasks

    with screen.stopped("Stopped; nothing is kept."), screen.progress_shown() as progress:
        tasks = open_tasks(on, options, report=progress)
        table = evaluate_roads(policies, tasks, seeds, joint=options.joint, report=progress)
    heads = ("cost", "ratio", "city", "bad", "delay", "worse")
    for scene, rows in table.groupby("scene", sort=False):
        title = (
            f"{scene}, {seeds} decades: social cost, M€; its ratio to worst_first; what the city "
            "pays, M€; roads in bad condition, %; delay by works, veh·h; orders that found worse"
        )
        screen.table(title, ("policy", *heads), lines_of(rows))
    if options.joint:
        delays = table.groupby("policy", sort=False)[["delay_h", "summed_delay_h"]].mean()
        said = [f"{name} {s - d:+.1f} of {d:.1f}" for name, (d, s) in delays.iterrows()]
        screen.say(f"The table of delays would be off by, veh·h: {', '.join(said)}")
    if out is not None:
        table.to_csv(out, index=False)
        screen.say(f"Table: {out}")


def _given(ctx: typer.Context) -> set[str]:
    """Names of the options that stand on the command line."""
    return {
        name
        for name in ctx.params
        if (source := ctx.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }


def _refuse(ctx: typer.Context, options: frozenset[str], domain: str) -> None:
    """Refuse options that mean nothing for a domain."""
    from twin.errors import InputError

    wrong = sorted(_given(ctx) & options)
    if wrong:
        msg = f"--{wrong[0]} means nothing for {domain}: leave it out"
        raise InputError(msg)


def _period(begin: str | None, end: str | None) -> tuple[str, str] | None:
    from twin.errors import InputError

    if begin is None and end is None:
        return None
    if begin is None or end is None:
        msg = "--begin and --end belong together: give both, or neither"
        raise InputError(msg)
    return begin, end
