"""Tables that planners save as CSV, those of a German spreadsheet included.

Fields may be separated by commas, semicolons or tabs; text may be UTF-8 with or without a mark,
UTF-16 or Windows-1252. In a file with semicolons "1.234,5" is 1234.5.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.errors import InputError
from twin.rows import LARGEST_BYTES, shown
from twin.suggest import suggestion

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

_DECIMAL = re.compile(r"-?[\d.]+,\d+")
_THOUSANDS = r"-?\d{1,3}(?:\.\d{3})+"


@dataclass(frozen=True, eq=False)
class Table:
    """The fields of a CSV, all text.

    Parameters
    ----------
    name : of the file, for messages
    header : of each column, as written
    rows : str [rows, columns], without the header and empty rows
    line : int64 [rows], of the file, the header being line 1
    separator : of fields
    comma : whether it is the decimal mark
    """

    name: str
    header: tuple[str, ...]
    rows: NDArray[np.object_]
    line: NDArray[np.int64]
    separator: str
    comma: bool

    def column(self, name: str) -> NDArray[np.object_] | None:
        """Return a column by its name in any case, or None."""
        names = [title.lower() for title in self.header]
        found: NDArray[np.object_] | None
        found = self.rows[:, names.index(name)] if name in names else None
        return found

    def need(self, name: str) -> NDArray[np.object_]:
        """Return a column by its name in any case.

        Raises
        ------
        InputError : there is none
        """
        found = self.column(name)
        if found is None:
            has = shown(", ".join(self.header))
            msg = f"{self.name}: has no column {name!r}; it has {has}"
            raise InputError(msg)
        return found

    def numbers(self, fields: NDArray[np.object_]) -> Floats:
        """Return the numbers that fields state, NaN where a field is none.

        Raises
        ------
        InputError : all points may be decimal or separate thousands, and nothing tells which
        """
        import pandas as pd

        text = pd.Series(fields.ravel(), dtype=str)
        if self.separator == ";":
            thousands = text.str.fullmatch(_THOUSANDS + r"(?:,\d+)?")
            if self.comma:
                plain = text.where(~thousands, text.str.replace(".", "", regex=False))
                text = plain.str.replace(",", ".", regex=False)
            elif thousands.any() and thousands.sum() == text.str.contains(".", regex=False).sum():
                first = text[thousands].iloc[0]
                msg = (
                    f"{self.name}: {first!r} may be {first.replace('.', '')} or {float(first):g}; "
                    "save it without separators of thousands"
                )
                raise InputError(msg)
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64)
        return np.asarray(values.reshape(fields.shape))


def read_table(path: Path) -> Table:
    """Return the fields of a CSV.

    Raises
    ------
    InputError : it cannot be read, is empty, or a row has more fields than the header
    """
    import pandas as pd

    text = _text(path)
    first = next(iter(text.splitlines()), "")
    separator = max(";\t,", key=first.count)
    if not first.strip() or separator not in first:
        msg = f"{path.name}: is no table; line 1 must name columns, separated by commas"
        raise InputError(msg)
    try:
        frame: pd.DataFrame = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False,
            skip_blank_lines=False, skipinitialspace=True,
        )  # fmt: skip
    except pd.errors.ParserError as error:
        raise InputError(_refusal(path.name, str(error))) from None
    cells = frame.fillna("").to_numpy(dtype=object)
    cells = np.array([[str(field).strip() for field in row] for row in cells], dtype=object)
    filled = cells != ""
    cells, line = cells[:, filled.any(axis=0)], np.arange(1, len(cells) + 1)
    used = filled.any(axis=1)
    used[0] = False
    rows = cells[used]
    comma = separator == ";" and any(_DECIMAL.fullmatch(field) for field in rows.ravel())
    return Table(path.name, tuple(cells[0]), rows, line[used], separator, comma)


def identifier(value: Any) -> str:
    """Return the id of a zone as text: 7, 7.0 and " 7" are "7"."""
    text = str(value).strip()
    return text[:-2] if re.fullmatch(r"-?\d+\.0", text) else text


def check_columns(table: Table, known: Sequence[str]) -> None:
    """Refuse a table that has a column that is unknown, or one twice."""
    names = [title.lower() for title in table.header]
    for title in names:
        if title not in known:
            msg = f"{table.name}: column {title!r} is unknown; {suggestion(title, known)}"
            raise InputError(msg)
        if names.count(title) > 1:
            msg = f"{table.name}: has the column {title!r} twice; remove or rename one"
            raise InputError(msg)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            msg = f"{path.name}: is larger than {LARGEST_BYTES >> 20} MiB; cut it into several"
            raise InputError(msg)
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}"
        raise InputError(msg) from None
    try:
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _refusal(name: str, why: str) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", why)
    if found:
        return (
            f"{name} line {found[2]}: has {found[3]} fields, line 1 has {found[1]}; in a file with "
            "commas write 7.5, not 7,5, and quote text with commas"
        )
    return f"{name}: is no CSV ({(why.splitlines() or ['?'])[0][:120]})"
