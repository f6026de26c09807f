"""From a place name to a city, against a server on this machine."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import pytest
from osmnx import settings

from twin.city import City
from twin.errors import InputError

from .tiny import tiny_osm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = {
    "place_id": 1, "osm_type": "relation", "osm_id": 7, "importance": 0.5,
    "display_name": "Kleinstadt, Bayern, Deutschland", "lat": "49.0", "lon": "11.0",
    "class": "boundary", "type": "administrative", "name": "Kleinstadt",
    "boundingbox": ["48.99", "49.01", "10.99", "11.01"],
    "geojson": {
        "type": "Polygon",
        "coordinates": [[[10.99, 48.99], [11.01, 48.99], [11.01, 49.01], [10.99, 49.01],
                         [10.99, 48.99]]],
    },
}  # fmt: skip


class Servers(ThreadingHTTPServer):
    """Nominatim and Overpass in one; remembers what it was asked."""

    places: list[dict[str, object]]
    answer: tuple[int, bytes]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    """Answers a search with the place and a query with the town."""

    server: Servers

    def do_GET(self) -> None:
        """Answer as Nominatim's search."""
        query = parse_qs(urlparse(self.path).query)["q"][0]
        self.server.asked.append(query)
        found = [p for p in self.server.places if query in str(p["display_name"])]
        self._send(200, json.dumps(found).encode(), "application/json")

    def do_POST(self) -> None:
        """Answer as Overpass's interpreter."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(parse_qs(body)["data"][0])
        self._send(*self.server.answer, "application/osm3s+xml")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Servers]:
    """Return the server, named to the city by environment variables."""
    monkeypatch.setattr("time.sleep", lambda _: None)  # osmnx's courtesy to the real server
    monkeypatch.chdir(tmp_path)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    with Servers(("127.0.0.1", 0), Handler) as server:
        server.places, server.answer, server.asked = [PLACE], (200, tiny_osm().encode()), []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("STADTZWILLING_NOMINATIM_URL", f"{base}/nominatim")
        monkeypatch.setenv("STADTZWILLING_OVERPASS_URL", f"{base}/api")
        yield server
        server.shutdown()
        thread.join()


def test_place_gives_the_city_of_its_data(servers: Servers, tiny: City, tmp_path: Path) -> None:
    before = settings.overpass_url, settings.nominatim_url, settings.use_cache
    city = City.from_place("Kleinstadt")
    assert city.digest == tiny.digest
    assert city.name == "Kleinstadt"
    assert city.sources[0]["place"] == "Kleinstadt, Bayern, Deutschland"
    assert city.sources[0]["licence"] == "ODbL 1.0"
    name, query = servers.asked
    assert name == "Kleinstadt"
    assert "out meta" in query
    assert "48.990000 10.990000" in query
    assert (settings.overpass_url, settings.nominatim_url, settings.use_cache) == before
    assert list(tmp_path.iterdir()) == []


def test_unknown_place_is_refused(servers: Servers) -> None:
    with pytest.raises(InputError, match="Nominatim knows no such area"):
        City.from_place("Atlantis")
    with pytest.raises(InputError, match="name is empty"):
        City.from_place("  ")
    assert servers.asked == ["Atlantis"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((429, b"busy"), "HTTP 429"),
        ((200, b"<html>rate limited</html>"), "not readable"),
        ((200, tiny_osm(streets=False).encode()), "no drivable street"),
        (
            (200, tiny_osm().replace("</osm>", "<remark>Query timed out</remark></osm>").encode()),
            r"incomplete \(Query timed out\)",
        ),
    ],
)
def test_bad_answer_is_refused(servers: Servers, answer: tuple[int, bytes], message: str) -> None:
    servers.answer = answer
    with pytest.raises(InputError, match=message) as caught:
        City.from_place("Kleinstadt")
    assert "\n" not in str(caught.value)


def test_silent_server_is_reported(servers: Servers) -> None:
    assert servers.places
    with pytest.raises(InputError, match="Nominatim does not answer"):
        City.from_place("Kleinstadt", nominatim_url="http://127.0.0.1:9/")
    with pytest.raises(InputError, match="Overpass"):
        City.from_place("Kleinstadt", overpass_url="http://127.0.0.1:9/")
