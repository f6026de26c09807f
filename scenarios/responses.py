"""How drivers respond to the measures of a run: what they have learnt, what they meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twin.system import Measure, Outlook, Response


class Responses(NamedTuple):
    """What drivers do about measures.

    Parameters
    ----------
    each
        Response to each measure, in their order.
    """

    each: tuple[Response, ...]

    def learned(self, measures: Sequence[Measure]) -> tuple[Measure, ...]:
        """Measures that drivers have learnt to live with."""
        pairs = zip(measures, self.each, strict=True)
        return tuple(m for m, response in pairs if response == "equilibrium")

    @property
    def on_the_way(self) -> Response:
        """What drivers do who meet a closure."""
        found: Response = "en_route" if {"en_route", "equilibrium"} & set(self.each) else "none"
        return found


def responses(
    measures: Sequence[Measure], run: Outlook, stated: Response | None = None
) -> Responses:
    """Return the response to each measure: its own, that of its alternative, or the usual one."""
    return Responses(tuple(m.response or stated or m.usual_response(run) for m in measures))
