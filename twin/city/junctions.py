"""The way across a junction: internal lanes, and the numbers of the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin.city.netxml import Net


class JunctionPaths:
    """Internal lanes of a network, and which of them follow each other."""

    def __init__(self, net: Net) -> None:
        self.lanes = {
            lane["id"]: lane
            for edge in net.edges
            if edge.attributes.get("function") == "internal"
            for lane in edge.lanes
        }
        self.next = {
            f"{c['from']}_{c['fromLane']}": c["via"]
            for c in net.connections
            if c["from"].startswith(":") and "via" in c
        }
        self.index_of = {
            j.attributes["id"]: {n: k for k, n in enumerate(j.attributes["intLanes"].split())}
            for j in net.junctions
            if j.attributes.get("intLanes")
        }
        self.order = self._connection_order(net)

    @staticmethod
    def _connection_order(net: Net) -> dict[str, list[int]]:
        """Return, for each incoming lane, its connections in the order of the file."""
        order: dict[str, list[int]] = {}
        for c in net.connections:
            order.setdefault(f"{c['from']}_{c['fromLane']}", []).append(id(c))
        return order

    def follow(self, connection: dict[str, str]) -> list[dict[str, str]]:
        """Return the internal lanes of a movement from entry to exit."""
        path: list[dict[str, str]] = []
        via = connection.get("via")
        while via is not None and len(path) < 20:
            path.append(self.lanes[via])
            via = self.next.get(via)
        return path

    def request_index(
        self, connection: dict[str, str], path: list[dict[str, str]], node: Any
    ) -> int:
        """Return the movement's number in its junction's requests, or -1.

        A junction lists in `intLanes` one internal lane per request, in order: that of
        the movement, or the later one where it continues over an internal junction.
        Without internal lanes it counts the connections by incoming lane.
        """
        index_of = self.index_of.get(node.attributes["id"])
        if index_of:
            return next((index_of[p["id"]] for p in path if p["id"] in index_of), -1)
        count = 0
        for lane in node.attributes.get("incLanes", "").split():
            for candidate in self.order.get(lane, []):
                if candidate == id(connection):
                    return count if node.requests else -1
                count += 1
        return -1
