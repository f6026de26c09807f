"""What happened: events while the clock runs, then tables and indicators as Parquet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Event:
    """Something that somebody may want to know later."""

    time_s: float
    system: str
    kind: str
    street: int
    text: str


@dataclass
class Ledger:
    """Collects events in the order in which they happen."""

    events: list[Event] = field(default_factory=list)

    def record(self, time_s: float, system: str, kind: str, text: str, street: int = -1) -> None:
        """Note an event."""
        self.events.append(Event(time_s, system, kind, street, text))


@dataclass(frozen=True)
class Results:
    """What one replication leaves.

    Attributes
    ----------
    indicators
        Value by indicator name; units and meaning are in the system registry.
    tables
        Tables by name ("trips", "streets", "events" and what further systems add).
    """

    indicators: dict[str, float]
    tables: dict[str, pd.DataFrame]

    def save(self, folder: Path) -> None:
        """Write a folder of Parquet files, whole or not at all.

        Raises
        ------
        OutputError
            Where the folder cannot be written.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {"indicator": list(self.indicators), "value": list(self.indicators.values())}
        )
        temporary = folder.with_name(f".{folder.name}.part")
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            for name, table in {**self.tables, "indicators": frame}.items():
                table.to_parquet(temporary / f"{name}.parquet", index=False, **_writing(table))
            if folder.exists():
                shutil.rmtree(folder)
            temporary.rename(folder)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            why = error.strerror or error
            msg = f"cannot write results to {folder}: {why}; free space or name another folder"
            raise OutputError(msg) from None
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    @classmethod
    def load(cls, folder: Path) -> Results:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            Where the folder is no replication or a file of it is broken.
        """
        import pandas as pd

        if not (folder / "indicators.parquet").is_file():
            msg = f"{folder} holds no replication (no indicators.parquet); run the scenario again"
            raise InputError(msg)
        tables: dict[str, Any] = {}
        for path in sorted(folder.glob("*.parquet")):
            try:
                tables[path.stem] = pd.read_parquet(path)
            except (OSError, ValueError) as error:
                why = str(error).splitlines()[0]
                msg = f"{path} cannot be read ({why}); delete {folder} and run again"
                raise InputError(msg) from None
        frame = tables.pop("indicators")
        values = dict(zip(frame["indicator"], frame["value"].astype(float), strict=True))
        return cls(values, tables)


def _writing(table: pd.DataFrame) -> dict[str, Any]:
    """How a table is written: one of whole numbers alone by differences, it may be long."""
    if not len(table.columns) or any(kind.kind != "i" for kind in table.dtypes):
        return {}
    encoding = dict.fromkeys(table.columns, "DELTA_BINARY_PACKED")
    return {"compression": "zstd", "use_dictionary": False, "column_encoding": encoding}
