"""A small town as OSM XML, made by hand."""

from __future__ import annotations

from collections.abc import Collection

# Two streets cross at a signal; beside them a house with storeys, a hospital with a
# courtyard (multipolygon), a school, a bus stop, a park and a stream.
_NODES = {
    1: (11.0000, 49.0000), 2: (10.9970, 49.0000), 3: (11.0030, 49.0000),
    4: (11.0000, 48.9980), 5: (11.0000, 49.0020),
    10: (11.0010, 49.0005), 11: (11.0012, 49.0005), 12: (11.0012, 49.0006), 13: (11.0010, 49.0006),
    20: (11.0015, 49.0010), 21: (11.0020, 49.0010), 22: (11.0020, 49.0013), 23: (11.0015, 49.0013),
    24: (11.0016, 49.0011), 25: (11.0019, 49.0011), 26: (11.0019, 49.0012), 27: (11.0016, 49.0012),
    30: (10.9990, 49.0005), 31: (10.9995, 49.0005), 32: (10.9995, 49.0008), 33: (10.9990, 49.0008),
    40: (10.9980, 48.9990), 41: (10.9990, 48.9990), 42: (10.9990, 48.9995), 43: (10.9980, 48.9995),
    50: (10.9975, 48.9985), 51: (11.0025, 48.9986), 60: (11.0001, 49.0010),
}  # fmt: skip
_NODE_TAGS = {
    1: {"highway": "traffic_signals"},
    60: {"highway": "bus_stop", "name": "Rathaus"},
}
_WAYS = {
    100: ([2, 1, 3], {"highway": "primary", "name": "Hauptstraße", "lanes": "2"}),
    101: ([4, 1, 5], {"highway": "secondary", "name": "Bergstraße", "maxspeed": "30"}),
    110: ([10, 11, 12, 13, 10], {"building": "house", "building:levels": "2", "name": "Haus"}),
    120: ([20, 21, 22, 23, 20], {}),
    121: ([24, 25, 26, 27, 24], {}),
    130: ([30, 31, 32, 33, 30], {"amenity": "school", "building": "yes", "height": "9.5 m"}),
    140: ([40, 41, 42, 43, 40], {"leisure": "park"}),
    150: ([50, 51], {"waterway": "stream"}),
}
_RELATIONS = {
    200: (
        [(120, "outer"), (121, "inner")],
        {"type": "multipolygon", "building": "hospital", "building:levels": "5"},
    )
}


def tiny_osm(*, signals: bool = True, streets: bool = True, without: Collection[int] = ()) -> str:
    """Return the small town as OSM XML, without some ways, relations and tags of nodes."""

    def tags(values: dict[str, str]) -> str:
        return "".join(f'<tag k="{k}" v="{v}"/>' for k, v in values.items())

    meta = 'version="1" timestamp="2024-05-06T07:08:09Z"'
    parts = ['<?xml version="1.0" encoding="UTF-8"?><osm version="0.6">']
    for node, (lon, lat) in _NODES.items():
        tagged = node not in without and (signals or node != 1)
        extra = _NODE_TAGS.get(node, {}) if tagged else {}
        parts.append(f'<node id="{node}" lat="{lat}" lon="{lon}" {meta}>{tags(extra)}</node>')
    for way, (nodes, values) in _WAYS.items():
        if way in without or ("highway" in values and not streets):
            continue
        refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
        parts.append(f'<way id="{way}" {meta}>{refs}{tags(values)}</way>')
    for relation, (members, values) in _RELATIONS.items():
        if relation in without:
            continue
        refs = "".join(f'<member type="way" ref="{m}" role="{r}"/>' for m, r in members)
        parts.append(f'<relation id="{relation}" {meta}>{refs}{tags(values)}</relation>')
    return "".join([*parts, "</osm>"])
