"""From a place name to a city: Nominatim for its border, Overpass for its data."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.city import osm
from twin.errors import InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twin.city.model import City, Progress

NOMINATIM_VARIABLE = "STADTZWILLING_NOMINATIM_URL"
OVERPASS_VARIABLE = "STADTZWILLING_OVERPASS_URL"
USER_AGENT = "stadtzwilling (https://wiki.openstreetmap.org/wiki/Nominatim_Usage_Policy)"

MAX_DOWNLOAD_BYTES = 4 * 2**30
BORDER_TOLERANCE_DEG = 0.0005
"""The border is simplified to about 50 m, so that the query stays short."""

_KEYS = ("building", "amenity", "shop", "office", "tourism", "leisure", "landuse", "natural",
         "waterway", "public_transport")  # fmt: skip
_REMARK = b"<remark>"


def build_city(
    query: str,
    name: str | None = None,
    crs: str | None = None,
    nominatim_url: str | None = None,
    overpass_url: str | None = None,
    progress: Progress | None = None,
) -> City:
    """Return the city of a place; see `City.from_place`.

    Servers are taken from the arguments, else from the environment variables
    STADTZWILLING_NOMINATIM_URL and STADTZWILLING_OVERPASS_URL, else from osmnx.

    Raises
    ------
    InputError
        If the place is unknown, the servers do not answer, or it has no streets.
    """
    if not query.strip():
        msg = "place: the name is empty; name one such as 'Gelsenkirchen, Germany'."
        raise InputError(msg)
    say = progress or (lambda _: None)
    nominatim_url = nominatim_url or os.environ.get(NOMINATIM_VARIABLE)
    overpass_url = overpass_url or os.environ.get(OVERPASS_VARIABLE)
    try:
        with tempfile.TemporaryDirectory(prefix="stadtzwilling-") as folder:
            file = Path(folder) / "place.osm"
            with _servers(nominatim_url, overpass_url) as settings:
                say(f"asking Nominatim for {query}")
                border, found = _border(query)
                say(f"fetching {found} from Overpass")
                _download(overpass_query(border, settings.requests_timeout), file, settings)
                source = {"place": found, "url": settings.overpass_url}
            return osm.build_city(file, name or query, crs, progress, source)
    except OSError as error:
        msg = f"place {query!r}: cannot be stored, {error.strerror or error}; free some space."
        raise OutputError(msg) from error


@contextmanager
def _servers(nominatim_url: str | None, overpass_url: str | None) -> Iterator[Any]:
    """Give osmnx's settings with the servers in place; put them back at the end."""
    from osmnx import settings

    changed = {"use_cache": False, "http_user_agent": USER_AGENT}
    if nominatim_url:
        changed["nominatim_url"] = nominatim_url
    if overpass_url:
        changed["overpass_url"] = overpass_url
    before = {key: getattr(settings, key) for key in changed}
    try:
        for key, value in changed.items():
            setattr(settings, key, value)
        yield settings
    finally:
        for key, value in before.items():
            setattr(settings, key, value)


def _border(query: str) -> tuple[Any, str]:
    """Return the polygon of a place in degrees and its full name."""
    import osmnx
    import requests

    try:
        found = osmnx.geocode_to_gdf(query)
        return found.geometry.iloc[0], str(found["display_name"].iloc[0])
    except requests.RequestException as error:
        msg = f"place {query!r}: Nominatim does not answer ({_reason(error)}); try again later."
        raise InputError(msg) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"place {query!r}: Nominatim knows no such area; check the name or name an OSM file."
        raise InputError(msg) from error


def overpass_query(border: Any, timeout_s: float) -> str:
    """Return the Overpass query for everything a city is made of within a border."""
    import shapely

    simple = border.simplify(BORDER_TOLERANCE_DEG)
    clauses = []
    for part in shapely.get_parts(simple):
        corners = " ".join(f"{y:.6f} {x:.6f}" for x, y in part.exterior.coords)
        area = f'(poly:"{corners}")'
        clauses.append(f'way["highway"]{area};relation["type"="restriction"]{area};')
        clauses.append(f'node["highway"="bus_stop"]{area};')
        for key in _KEYS:
            clauses.append(f'node["{key}"]{area};way["{key}"]{area};')
            clauses.append(f'relation["type"="multipolygon"]["{key}"]{area};')
    return f"[out:xml][timeout:{int(timeout_s)}];({''.join(clauses)});(._;>;);out meta;"


def _download(query: str, target: Path, settings: Any) -> None:
    """Write the answer of Overpass to a file.

    Raises
    ------
    InputError
        If the server does not answer, refuses, or says that its answer is incomplete.
    """
    import requests

    url = settings.overpass_url.rstrip("/") + "/interpreter"
    try:
        with requests.post(
            url,
            data={"data": query},
            headers={"User-Agent": USER_AGENT},
            timeout=settings.requests_timeout,
            stream=True,
            **settings.requests_kwargs,
        ) as answer:
            answer.raise_for_status()
            tail = _store(answer, target, url)
    except requests.RequestException as error:
        msg = f"Overpass at {url}: does not answer ({_reason(error)}); try again later."
        raise InputError(msg) from error
    if _REMARK in tail:
        remark = tail.split(_REMARK)[1].split(b"<")[0].decode("utf-8", "replace").strip()
        msg = f"Overpass at {url}: the answer is incomplete ({remark}); ask for a smaller place."
        raise InputError(msg)


def _store(answer: Any, target: Path, url: str) -> bytes:
    """Write an answer to a file piece by piece; return its last bytes."""
    size, tail = 0, b""
    with target.open("wb") as stream:
        for piece in answer.iter_content(2**20):
            size += len(piece)
            if size > MAX_DOWNLOAD_BYTES:
                msg = f"Overpass at {url}: more than {MAX_DOWNLOAD_BYTES} bytes; ask for less."
                raise InputError(msg)
            stream.write(piece)
            tail = (tail + piece)[-4096:]
    return tail


def _reason(error: Exception) -> str:
    """Return a short reason of a failed request, without the address asked."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    return type(error).__name__
