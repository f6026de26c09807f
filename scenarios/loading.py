"""Scenario files read, checked, and refused with the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios._nodes import MAX_BYTES, Document, Mark, NodeError, read_document
from twin.errors import ScenarioError
from twin.suggest import suggestion

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from scenarios.schema import Scenario

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Source:
    """A scenario, where it comes from, and which line says what.

    Parameters
    ----------
    scenario
        What the file says.
    text
        The file as it is written.
    path
        The file; relative references in the scenario start at its folder.
    marks
        Line of each value by its path, e.g. ("alternatives", 0, "name").
    """

    scenario: Scenario
    text: str
    path: Path
    marks: Mapping[Place, Mark] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder at which relative references start."""
        return self.path.parent

    def at(self, *place: str | int) -> str:
        """Return "FILE:LINE" of a value, or "FILE" where it is not written."""
        mark = _nearest(self.marks, place)
        return f"{self.path}:{mark.line}" if mark else str(self.path)


def load_scenario(path: str | Path) -> Source:
    """Return the scenario of a YAML file.

    Raises
    ------
    ScenarioError
        If the file is missing or says what no scenario may say; the message begins with
        "FILE:LINE:".
    """
    path = Path(path)
    return parse_scenario(read_text(path), path)


def parse_scenario(text: str, path: Path) -> Source:
    """Return the scenario of a YAML text; `path` is what errors name.

    Raises
    ------
    ScenarioError
        If the text says what no scenario may say.
    """
    from pydantic import ValidationError

    from scenarios.schema import scenario_model

    try:
        document = read_document(text)
    except NodeError as error:
        msg = f"{path}:{error.line}: {error.text}"
        raise ScenarioError(msg) from None
    if not isinstance(document.value, dict):
        msg = f"{path}:1: is no scenario but {_shown(document.value)}; begin with 'name: ...'"
        raise ScenarioError(msg)
    model = scenario_model()
    value = document.value
    for last in (False, True):
        try:
            return Source(model.model_validate(value), text, path, document.marks)
        except ValidationError as error:
            rewritten = None if last else _as_written(value, error, document)
            if rewritten is None:
                raise ScenarioError(_message(path, model, document, error)) from None
            value = rewritten
    raise AssertionError


def dump_scenario(scenario: Scenario) -> str:
    """Return a scenario as YAML that `parse_scenario` reads back."""
    import yaml

    value = scenario.model_dump(mode="json", exclude_unset=True, serialize_as_any=True)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)


def with_replications(source: Source, number: int) -> Source:
    """Return the scenario with another number of replications, which its text says too."""
    text, known = re.subn(
        r"^(replications:\s*)[^\s#]+", rf"\g<1>{number}", source.text, flags=re.MULTILINE
    )
    if not known:
        text = f"{source.text.rstrip()}\nreplications: {number}\n"
    changed = source.scenario.model_copy(update={"replications": number})
    try:
        return parse_scenario(text, source.path)
    except ScenarioError:  # the text has another form, e.g. all of it in braces
        return replace(source, scenario=changed, text=dump_scenario(changed))


def read_text(path: Path, what: str = "scenario") -> str:
    """Return the text of a file that people write by hand: a scenario, or a tour.

    Raises
    ------
    ScenarioError
        If it cannot be read, is too large, or no UTF-8.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read, {error.strerror or error}; name a {what} file (.yaml)"
        raise ScenarioError(msg) from None
    if len(data) > MAX_BYTES:
        msg = f"{path}: is larger than {MAX_BYTES} bytes; a {what} is a short text"
        raise ScenarioError(msg)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        msg = (
            f"{path}:{line}: holds the byte 0x{data[error.start]:02x}, not UTF-8; save it as UTF-8"
        )
        raise ScenarioError(msg) from None


def _as_written(value: Any, error: ValidationError, document: Document) -> Any:
    """Return the value with numbers where text is asked for replaced by what is written.

    So an OSM id or a title such as 2026 needs no quotes. None if there is nothing to replace.
    """
    import copy

    wrong = [_place(e["loc"], document) for e in error.errors() if e["type"] == "string_type"]
    texts = {
        place: mark.text
        for place in wrong
        if (mark := document.marks.get(place)) is not None and mark.text
    }
    if not texts:
        return None
    changed = copy.deepcopy(value)
    for place, text in texts.items():
        inner = changed
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = text
    return changed


def _message(path: Path, model: type[BaseModel], document: Document, error: ValidationError) -> str:
    """Return one line for the first error of the file, unknown keys before missing ones."""
    found = []
    for detail in error.errors():
        mark = _nearest(document.marks, _place(detail["loc"], document)) or Mark(1, 1)
        # A misspelt key is reported before the key that is missing because of it.
        found.append(((detail["type"] == "missing", mark.line, mark.column), detail))
    (_, line, _), detail = min(found, key=lambda item: item[0])
    more = f" ({len(found) - 1} more after it)" if len(found) > 1 else ""
    return f"{path}:{line}: {_explain(model, document, detail)}{more}"


def _explain(model: type[BaseModel], document: Document, detail: ErrorDetails) -> str:
    """Return what is wrong, the value, and what to do."""
    loc, kind = detail["loc"], detail["type"]
    place = _place(loc, document)
    name = ".".join(str(step) for step in place) or "the scenario"
    if kind == "extra_forbidden":
        known = _keys(model, loc[:-1])
        return f"unknown key {str(loc[-1])!r}; {suggestion(str(loc[-1]), known)}"
    if kind == "missing":
        return f"{name} has no {str(loc[-1])!r}; add '{loc[-1]}: ...'"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = _kinds()
        if kind == "union_tag_not_found":
            return f"{name} has no 'kind'; write one of: {', '.join(known)}"
        written = str((detail.get("ctx") or {}).get("tag"))
        return f"there is no measure {written!r}; {suggestion(written, known)}"
    text = str(detail["msg"]).removeprefix("Value error, ").splitlines()[0]
    if kind == "value_error" and isinstance(detail["input"], (dict, list, tuple)):
        return f"{name} {text}"
    if kind == "value_error" and text.startswith(repr(detail["input"])):
        return f"{name}: {text}"
    if kind == "value_error":
        return f"{name} is {_shown(detail['input'])}, which {text}"
    return f"{name} is {_shown(detail['input'])}; {text[:1].lower()}{text[1:]}"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool)) else type(value).__name__
    text = {"dict": "a mapping", "list": "a list", "NoneType": "empty"}.get(text, text)
    return text if len(text) <= 60 else text[:57] + "..."


def _place(loc: tuple[str | int, ...], document: Document) -> Place:
    """Return the part of a location that is in the file: tags of unions and the like left out."""
    place: Place = ()
    for step in loc:
        if (*place, step) in document.marks:
            place = (*place, step)
    return place


def _nearest(marks: Mapping[Place, Mark], place: Place) -> Mark | None:
    while place and place not in marks:
        place = place[:-1]
    return marks.get(place)


def _kinds() -> list[str]:
    from scenarios.schema import measure_models

    return [str(_kind(model)) for model in measure_models()]


def _kind(model: type[BaseModel]) -> Any:
    from typing import get_args

    return (get_args(model.model_fields["kind"].annotation) or ("",))[0]


def _keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are valid at a location of a model."""
    from scenarios.schema import measure_models
    from twin.system import Measure

    by_kind = {_kind(m): m for m in measure_models()}
    for step in loc:
        if isinstance(step, int):
            continue
        if step in by_kind and issubclass(model, Measure):
            model = by_kind[step]
        elif step in model.model_fields:
            model = _model_of(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the first model inside an annotation such as `tuple[Alternative, ...]`."""
    from typing import get_args

    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_of(inner)
        if found is not None:
            return found
    return None
