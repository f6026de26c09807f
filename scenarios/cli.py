"""The command line `twin`: nothing heavy is imported before a command runs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scenarios.cli_assign import assign
from scenarios.cli_check import check, library
from scenarios.cli_data import export, query
from scenarios.cli_present import present
from scenarios.cli_signals import evaluate, leaderboard, train
from scenarios.cli_validate import validate
from scenarios.cli_view import movie, scene, show
from scenarios.screen import errors_told
from viz.language import Language


class _Group(TyperGroup):
    """The commands, with every error told in one line."""

    def invoke(self, ctx: Any) -> Any:
        with errors_told(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder that the results go to.")]
Workers = Annotated[
    int | None, typer.Option(min=1, max=1024, help="Processes; default one per core.")
]


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"twin {version('stadtzwilling')}")
        raise typer.Exit


@app.callback()
def _twin(
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Try a traffic policy on an open digital twin of a city before the city pays for it.

    Start with [bold]twin demo[/bold]: it needs no data and shows every step in a few minutes.
    """


@app.command()
def build(
    source: Annotated[
        str,
        typer.Argument(
            help="helsinki, an OpenStreetMap extract (.osm.pbf, .osm), a SUMO network (.net.xml), "
            "a folder of GMNS tables (node.csv, link.csv), building models (.gml, .city.json), "
            'or a place "Town, Country" (asks the internet).'
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the city.")],
    name: Annotated[str | None, typer.Option(help="What the city is called.")] = None,
    buildings: Annotated[
        list[Path] | None,
        typer.Option(help="Building models (CityGML, CityJSON) to put in; may be repeated."),
    ] = None,
    terrain: Annotated[
        Path | None, typer.Option(help="Terrain (GeoTIFF, ASCII grid, xyz) to put under it.")
    ] = None,
) -> None:
    """Build a city model from open geodata and save it as a folder.

    Examples:

      twin build helsinki -o helsinki

      twin build gelsenkirchen.osm.pbf -o ge --buildings lod2.gml --terrain dgm1.tif
    """
    from scenarios import screen
    from twin.city.opening import completed, open_city

    city = open_city(source, name=name, say=screen.say)
    city = completed(city, buildings or [], terrain, screen.say)
    city.save(out)
    _city_table(city.summary())
    screen.say(f"City saved in {out}")


@app.command()
def run(
    scenario: Annotated[
        str, typer.Argument(help="Scenario file (.yaml), or a name of 'twin library'.")
    ],
    out: Out,
    workers: Workers = None,
    replications: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Random days, instead of what the file says."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help='Run on a Ray cluster: "auto", HOST:PORT, ray://HOST:PORT; "local" starts one.',
        ),
    ] = None,
) -> None:
    """Run a scenario: the base and each alternative on the same random days.

    Interrupted with Ctrl-C, the same command goes on where it stopped. More replications can
    be added later to the same folder.

    Examples:

      twin run signals.yaml -o results

      twin run signals.yaml -o results --replications 20 --workers 4

      twin run signals.yaml -o results --ray auto
    """
    from scenarios import screen
    from scenarios.compare import refused_rows
    from scenarios.library import find_scenario
    from scenarios.loading import load_scenario, with_replications
    from scenarios.replications import gridlock_rows
    from scenarios.runner import run_scenario

    source = load_scenario(find_scenario(scenario))
    if replications is not None:
        source = with_replications(source, replications)
    with screen.progress_shown() as progress:
        done = run_scenario(source, out, workers=workers, progress=progress, cluster=ray)
    for found in done:
        screen.say(f"{found.title}: {len(found.seeds)} replications in {found.folder}")
    for line in [*refused_rows(done[0]), *gridlock_rows(done)]:
        screen.say(line)
    if len(done) > 1:
        screen.say(f"Next: twin compare {out} -o {out}-compared, twin present {out} -o {out}.html")


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folder of 'twin run', or two or more runs, base first.")
    ],
    out: Out,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every indicator, not the key ones only.")
    ] = False,
    precision: Annotated[
        float,
        typer.Option(
            min=0.01, max=100.0, help="Tolerated error of each run's mean, % of the base."
        ),
    ] = 5.0,
    within: Annotated[
        list[str] | None,
        typer.Option(help="INDICATOR=ERROR, tolerated in the indicator's unit; may be repeated."),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(min=2, max=10_000, help="Replications that there shall be in the end."),
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Compare runs of different seeds (Welch's test).")
    ] = False,
    lang: Annotated[
        Language, typer.Option("--lang", help="Language of the report: en or de (German).")
    ] = "en",
    pdf: Annotated[bool, typer.Option("--pdf", help="Write report.pdf, too.")] = False,
) -> None:
    """Compare alternatives with the base, pair by pair of the same random day.

    Writes report.html, comparison.csv, comparison.parquet and streets.parquet. Differences
    come with 95 % confidence intervals; a verdict says where the evidence is weak. Whoever adds
    replications and compares again gets wider intervals, so that all looks together stay honest;
    --most, told at the first look, makes them nearly as short as those of a single look.

    Examples:

      twin compare results -o compared

      twin compare results/base results/max-pressure -o compared

      twin compare results -o compared --lang de --pdf
    """
    from scenarios import compare as comparing
    from scenarios import screen
    from scenarios.precision import Precision
    from scenarios.report import write_report
    from scenarios.report_pdf import check_pdf, write_pdf

    if pdf:
        check_pdf()
    wanted = Precision.parse(precision / 100.0, within or [])
    comparison = comparing.compare(runs, precision=wanted, most=most, unpaired=unpaired)
    comparison.save(out)
    title = str(comparison.base.manifest.get("scenario", "Comparison"))
    report = write_report([comparison], out / "report.html", title=title, language=lang)
    screen.comparison_table(comparison, title, everything=everything)
    screen.say(f"Report: {report}")
    if pdf:
        screen.say(f"Report to print: {write_pdf(report)}")


@app.command()
def simulate(
    net: Annotated[Path, typer.Option(help="SUMO network (.net.xml).")],
    routes: Annotated[list[Path], typer.Option(help="SUMO routes (.rou.xml); may be repeated.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file, one row a vehicle.")],
    begin: Annotated[float, typer.Option(min=0.0, help="First second simulated.")] = 0.0,
    end: Annotated[float, typer.Option(min=1.0, help="Second at which it ends.")] = 3600.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the drivers.")] = 0,
) -> None:
    """Simulate SUMO's own network and routes, to compare with SUMO.

    Routes may also be additional files with vehicle types. Times are in seconds, lengths in
    metres; a vehicle under way has no arrival, one that never entered has no departure.

    Examples:

      twin simulate --net cologne8.net.xml --routes cologne8.rou.xml --begin 25200 --end 28800
      -o trips.csv
    """
    from scenarios import screen
    from twin.traffic.peer import simulate_files

    done = simulate_files(net, routes, begin, end, seed, out)
    rows = [(what, f"{getattr(done, what):,}") for what in ("due", "departed", "arrived")]
    rows += [(f"left out: {why}", f"{number:,}") for why, number in done.skipped.items()]
    screen.table(f"{net.name}, {begin:g} to {end:g} s", ("vehicles", ""), rows)
    screen.say(f"Loaded in {done.load_s:.2f} s, simulated in {done.run_s:.4f} s; trips in {out}")


app.command()(show)
app.command()(movie)
app.command()(scene)
app.command()(check)
app.command()(library)
app.command()(query)
app.command()(export)
app.command()(present)
app.command()(train)
app.command()(evaluate)
app.command()(leaderboard)
app.command()(assign)
app.command()(validate)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for all of it.")] = Path(
        "twin-demo"
    ),
    short: Annotated[
        bool, typer.Option("--short", help="Two replications and a short training.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Show every step on central Helsinki: city, demand, an agent, two scenarios, one report.

    Takes a few minutes on two cores. Interrupted, the same command goes on.
    """
    from scenarios.demo import run_demo

    run_demo(out, short=short, workers=workers)


@app.command()
def schema() -> None:
    """Print the JSON schema of scenario files, for editors that complete and check YAML."""
    import json

    from scenarios.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; always ends with `SystemExit`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--debug" in given:
        given = ["--debug", *(a for a in given if a != "--debug")]
    signal.signal(signal.SIGTERM, _interrupt)
    app(given, prog_name="twin")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _city_table(summary: dict[str, Any]) -> None:
    from scenarios.showing import city_table

    city_table(summary)


if __name__ == "__main__":
    main()
