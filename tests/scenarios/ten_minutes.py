"""A scenario that runs in a moment, for tests."""

from __future__ import annotations

from pathlib import Path

from scenarios.loading import Source, parse_scenario

TEXT = """\
name: Ten minutes
city: {city}
period: {{day: 2026-09-15, begin: 12:00, end: 12:10, warmup_minutes: 5}}
demand: {{scale: 0.3}}
equilibrium: {{iterations: 2}}
replications: {replications}
alternatives:
  - name: slow
    title: 20 km/h on Unioninkatu
    measures: [{{kind: speed, street: Unioninkatu, kmh: 20}}]
  - name: idle
    measures: [{{kind: reopen, street: Unioninkatu, response: none}}]
"""


def scenario(city: Path, replications: int = 2, text: str = TEXT) -> Source:
    written = text.format(city=city, replications=replications)
    return parse_scenario(written, Path("ten.yaml"))
