"""The command `twin assign`: static user equilibrium on TNTP files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twin.traffic.static import Assignment


def assign(
    net: Annotated[Path, typer.Option(help="Network (_net.tntp).")],
    trips: Annotated[Path, typer.Option(help="Trips (_trips.tntp).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV file, one row a link.")],
    gap: Annotated[float, typer.Option(min=0.0, help="Relative gap to reach.")] = 1e-4,
    toll_factor: Annotated[float, typer.Option(help="Cost of a unit of toll.")] = 0.0,
    distance_factor: Annotated[float, typer.Option(help="Cost of a unit of length.")] = 0.0,
    max_iterations: Annotated[int, typer.Option(min=1, help="Most rounds over origins.")] = 1000,
    time_limit: Annotated[float, typer.Option(min=0.0, help="Most seconds.")] = float("inf"),
) -> None:
    """Assign trips to a network in user equilibrium (Wardrop), as TransportationNetworks does.

    Reads the files of that collection; cost = time + toll factor * toll + distance factor *
    length. The CSV holds from, to, flow and cost of each link in the order of the network.

    Examples:

      twin assign --net SiouxFalls_net.tntp --trips SiouxFalls_trips.tntp --gap 1e-6
      -o flows.csv

      twin assign --net ChicagoSketch_net.tntp --trips ChicagoSketch_trips.tntp
      --toll-factor 0.02 --distance-factor 0.04 -o flows.csv
    """
    from scenarios import screen
    from twin.city.store import replacing_file
    from twin.traffic import static, tntp

    network, demand = tntp.read_network(net), tntp.read_trips(trips)
    with screen.console(stderr=True).status("first round over all origins") as shown:
        done = static.assign(
            network, demand, gap=gap, toll_factor=toll_factor, distance_factor=distance_factor,
            max_iterations=max_iterations, time_limit_s=time_limit,
            progress=lambda k, g: shown.update(f"round {k}, relative gap before it about {g:.1e}"),
        )  # fmt: skip
    with replacing_file(out) as part:
        done.table(network).to_csv(part, index=False, lineterminator="\n")
    generalised = toll_factor != 0.0 or distance_factor != 0.0
    screen.table(net.name, ("user equilibrium", ""), _rows(done, generalised=generalised))
    if not done.converged:
        screen.say(
            f"Stopped at relative gap {done.gap:.2e}, above {gap:g}: allow more --max-iterations"
            " or a longer --time-limit."
        )
    screen.say(f"Flows of {len(done.flow):,} links in {out}")


def _rows(done: Assignment, *, generalised: bool) -> list[tuple[str, str]]:
    rows = [
        ("Beckmann objective", f"{done.objective:,.3f}"),
        ("total travel time", f"{done.total_time:,.3f}"),
        ("relative gap", f"{done.gap:.3e}"),
        ("iterations", f"{done.iterations:,}"),
        ("seconds", f"{done.seconds:,.2f}"),
        ("paths in use", f"{done.paths:,}"),
    ]
    if generalised:
        rows.insert(2, ("total generalised cost", f"{done.total_cost:,.3f}"))
    if done.inside_zones > 0.0:
        rows.append(("trips inside a zone, left out", f"{done.inside_zones:,.1f}"))
    return rows
