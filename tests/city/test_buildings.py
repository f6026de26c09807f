"""Building models: what is read from CityGML and CityJSON, against hand-made houses and Essen."""

from __future__ import annotations

import collections
import gzip
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely

from twin.city import City, schema
from twin.city.solids import use_of
from twin.errors import InputError
from viz.scene.buildings import building_blocks
from viz.scene.ground import Ground

from .solid_files import (
    X0,
    Y0,
    Z0,
    bounded,
    building,
    citygml,
    cityjson,
    house,
    json_solid,
    polygon,
    solid,
)  # fmt: skip
from .test_store import _fields

KINDS = {"roof": 2, "wall": 4, "ground": 1}
GOOD = building("good", bounded(house()))


def write(path: Path, text: str | dict[str, Any]) -> Path:
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def counted(city: City) -> dict[str, int]:
    return {str(k): int(v) for k, v in city.surfaces["kind"].value_counts().items()}


def heights(city: City) -> np.ndarray:
    """Lowest and highest corner of each building's surfaces."""
    at, of = shapely.get_coordinates(
        city.surfaces.geometry.to_numpy(), include_z=True, return_index=True
    )
    low = np.full(len(city.buildings), np.inf)
    high = -low
    owner = city.surfaces["building"].to_numpy()[of]
    np.minimum.at(low, owner, at[:, 2])
    np.maximum.at(high, owner, at[:, 2])
    return np.column_stack([low, high])


def open_edges(city: City, row: int) -> int:
    """How many edges of a building are not shared by exactly two of its surfaces."""
    edges: collections.Counter[Any] = collections.Counter()
    for shape in city.surfaces.geometry[city.surfaces["building"] == row]:
        for ring in (shape.exterior, *shape.interiors):
            corners = [tuple(c) for c in np.asarray(ring.coords)]
            edges.update(frozenset(e) for e in itertools.pairwise(corners))
    return sum(v != 2 for v in edges.values())


ATTRIBUTES = (
    "<gml:name>Rathaus</gml:name><bldg:function>31001_3012</bldg:function>"
    "<bldg:measuredHeight>9.2</bldg:measuredHeight>"
    "<bldg:storeysAboveGround>2</bldg:storeysAboveGround>"
)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("pack", [False, True])
def test_house_of_citygml(tmp_path: Path, version: str, pack: bool) -> None:
    text = citygml(building("a", ATTRIBUTES + bounded(house())), version=version)
    path = tmp_path / ("h.gml.gz" if pack else "h.gml")
    path.write_bytes(gzip.compress(text.encode()) if pack else text.encode())
    city = City.from_buildings([path])
    row = city.buildings.iloc[0]
    assert row[["id", "use", "height_m", "height_source", "levels", "name"]].tolist() == [
        "a", "public", 9.2, "height", 2.0, "Rathaus",
    ]  # fmt: skip
    assert row["footprint_m2"] == pytest.approx(100.0)
    assert row["floor_area_m2"] == pytest.approx(200.0)
    assert row["geometry"].equals(shapely.box(X0, Y0, X0 + 10, Y0 + 10))
    assert counted(city) == KINDS
    assert heights(city).tolist() == [[Z0, Z0 + 9.0]]
    assert open_edges(city, 0) == 0
    assert city.crs.to_epsg() == 25832


def test_kinds_follow_the_normals_where_the_file_says_none(tmp_path: Path) -> None:
    for k, surfaces in enumerate((house(), [(kind, [r[0][::-1]]) for kind, r in house()])):
        path = write(tmp_path / f"{k}.gml", citygml(building("a", solid(surfaces))))
        city = City.from_buildings([path])
        assert counted(city) == KINDS  # also of a solid that is turned inside out
        assert city.buildings["height_m"][0] == 9.0
        assert city.buildings["height_source"][0] == "geometry"
        assert city.buildings["levels"][0] == 3.0


def test_better_level_of_detail_counts_and_links_are_followed(tmp_path: Path) -> None:
    linked = bounded(house()).replace("<gml:Polygon>", '<gml:Polygon gml:id="p0">', 1)
    refer = (
        "<bldg:lod2Solid><gml:Solid><gml:exterior><gml:CompositeSurface>"
        '<gml:surfaceMember xlink:href="#p0"/></gml:CompositeSurface></gml:exterior></gml:Solid>'
        "</bldg:lod2Solid>"
    )
    text = citygml(building("a", solid(house(size=50.0)) + refer + linked))
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert counted(city) == KINDS
    assert city.buildings["footprint_m2"][0] == pytest.approx(100.0)
    # Surfaces that refer to the polygons of the solid.
    inner = solid(house(), 2)
    for k in range(7):
        inner = inner.replace("<gml:Polygon>", f'<gml:Polygon gml:id="q{k}">', 1)
    for k, (kind, _) in enumerate(house()):
        inner += (
            f"<bldg:boundedBy><bldg:{kind}><bldg:lod2MultiSurface><gml:MultiSurface>"
            f'<gml:surfaceMember xlink:href="#q{k}"/></gml:MultiSurface></bldg:lod2MultiSurface>'
            f"</bldg:{kind}></bldg:boundedBy>"
        )
    city = City.from_buildings([write(tmp_path / "l.gml", citygml(building("a", inner)))])
    assert counted(city) == KINDS


def test_parts_belong_to_their_building(tmp_path: Path) -> None:
    parts = "".join(
        "<bldg:consistsOfBuildingPart>"
        + building(f"p{k}", bounded(house(x=10.0 * k, ridge=9.0 + k)), "BuildingPart")
        + "</bldg:consistsOfBuildingPart>"
        for k in range(3)
    )
    city = City.from_buildings([write(tmp_path / "h.gml", citygml(building("a", parts)))])
    assert city.buildings["id"].tolist() == ["a"]
    assert city.buildings["footprint_m2"][0] == pytest.approx(300.0)
    assert city.buildings["height_m"][0] == 11.0
    assert counted(city) == {k: 3 * n for k, n in KINDS.items()}


def test_ground_with_a_courtyard(tmp_path: Path) -> None:
    ground = ("GroundSurface", [house(size=20.0)[0][1][0], house(5.0, 5.0, 5.0)[0][1][0][::-1]])
    path = write(
        tmp_path / "h.gml", citygml(building("a", bounded([ground, *house(size=20.0)[1:]])))
    )
    city = City.from_buildings([path])
    assert city.buildings["footprint_m2"][0] == pytest.approx(375.0)
    shape = city.surfaces.geometry[city.surfaces["kind"] == "ground"].iloc[0]
    assert len(shape.interiors) == 1
    assert shape.has_z


@pytest.mark.parametrize("version", ["1.1", "2.0"])
@pytest.mark.parametrize("semantics", [True, False])
def test_cityjson_holds_the_same_as_citygml(
    tmp_path: Path, version: str, semantics: bool
) -> None:  # fmt: skip
    corners: list[Any] = []
    objects = {
        "a": {
            "type": "Building",
            "attributes": {"measuredHeight": 9.2, "storeysAboveGround": 2, "name": "Rathaus",
                           "function": "31001_3012"},
            "geometry": [
                json_solid(house(size=50.0), corners, semantics=False, lod="1"),
                json_solid(house(), corners, semantics=semantics),
            ],
        },
        "b": {"type": "Building", "children": ["b1"]},
        "b1": {
            "type": "BuildingPart",
            "parents": ["b"],
            "geometry": [json_solid(house(x=30.0), corners, semantics=semantics, lod="2.2")],
        },
    }  # fmt: skip
    data = cityjson(objects, corners, version=version)
    city = City.from_buildings([write(tmp_path / "h.city.json", data)])
    part = (
        "<bldg:consistsOfBuildingPart>"
        + building("b1", bounded(house(x=30.0)), "BuildingPart")
        + "</bldg:consistsOfBuildingPart>"
    )
    text = citygml(building("a", ATTRIBUTES + bounded(house())), building("b", part))
    other = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.digest != ""
    for column in ("id", "use", "height_m", "height_source", "levels", "footprint_m2", "name"):
        assert city.buildings[column].tolist() == other.buildings[column].tolist()
    assert city.surfaces["kind"].tolist() == other.surfaces["kind"].tolist()
    assert all(
        a.normalize().equals_exact(b.normalize(), 1e-6)
        for a, b in zip(city.surfaces.geometry, other.surfaces.geometry, strict=True)
    )
    assert heights(city).tolist() == heights(other).tolist()


def test_roads_waters_and_trees_of_cityjson(tmp_path: Path) -> None:
    corners: list[Any] = []
    body = json_solid(house(), corners, semantics=True)
    flat = {"type": "MultiSurface", "lod": "1", "boundaries": [body["boundaries"][0][0]]}
    objects = {
        "a": {"type": "Building", "geometry": [body]},
        "r": {"type": "Road", "geometry": [flat]},
        "w": {"type": "WaterBody", "geometry": [flat]},
        "g": {"type": "PlantCover", "geometry": [flat]},
        "t": {"type": "SolitaryVegetationObject", "geometry": [flat]},
        "x": {"type": "Road", "geometry": [{**flat, "boundaries": [[[0, 1, 999]]]}]},
    }
    city = City.from_buildings([write(tmp_path / "h.json", cityjson(objects, corners))])
    assert city.landuse["kind"].tolist() == ["road", "grass"]
    assert city.water["kind"].tolist() == ["water"]
    assert city.places["kind"].tolist() == ["tree"]
    assert city.landuse.geometry.area.tolist() == pytest.approx([100.0, 100.0])
    assert (city.places.geometry[0].x, city.places.geometry[0].y) == (X0 + 5.0, Y0 + 5.0)


def test_saved_and_exported_surfaces_keep_their_heights(tmp_path: Path) -> None:
    city = City.from_buildings(
        [write(tmp_path / "h.gml", citygml(building("a", bounded(house()))))]
    )
    again = City.load(city.save(tmp_path / "city"))
    assert again.digest == city.digest
    assert (again.surfaces.geometry.to_wkt() == city.surfaces.geometry.to_wkt()).all()
    layer = pyogrio.read_dataframe(city.to_gpkg(tmp_path / "city.gpkg"), layer="surfaces")
    assert layer.geometry.has_z.all()
    assert (layer.geometry.to_wkt() == city.surfaces.geometry.to_wkt()).all()
    assert (shapely.area(layer.geometry.to_numpy()) == 0.0).sum() == KINDS["wall"]
    higher = city.surfaces.copy()
    higher["geometry"] = shapely.transform(
        higher.geometry.to_numpy(), lambda c: np.add(c, [0.0, 0.0, 1.0]), include_z=True
    )
    assert City(**(_fields(city) | {"surfaces": higher})).digest != city.digest
    assert json.loads(json.dumps(city.summary()))["surfaces"] == 7


def test_surfaces_are_checked(tmp_path: Path) -> None:
    city = City.from_buildings(
        [write(tmp_path / "h.gml", citygml(building("a", bounded(house()))))]
    )
    flat = city.surfaces.copy()
    flat["geometry"] = shapely.force_2d(flat.geometry.to_numpy())
    for surfaces, message in (
        (flat, "corners have heights"),
        (city.surfaces.assign(kind="door"), "surfaces.kind in row 0 is door"),
        (city.surfaces.assign(building=np.int32(1)), "no row of buildings"),
    ):
        with pytest.raises(InputError, match=message):
            schema.validate(city.tables | {"surfaces": surfaces}, "here")


def test_city_of_an_earlier_version_has_neither_surfaces_nor_terrain(
    tiny: City, tmp_path: Path
) -> None:
    folder = tiny.save(tmp_path / "city")
    manifest = json.loads((folder / "city.json").read_text(encoding="utf-8"))
    del manifest["tables"]["surfaces"]
    (folder / "surfaces.parquet").unlink()
    (folder / "city.json").write_text(json.dumps(manifest), encoding="utf-8")
    city = City.load(folder)
    assert len(city.surfaces) == 0
    assert city.terrain is None
    assert city.digest == tiny.digest


# -- What files leave out, double or slip ---------------------------------------------------------


def outline(what: str, z: float, size: float = 10.0) -> str:
    """The footprint or the edge of the roof of a house, as LoD0 has it."""
    ring = [(x, y, z) for x, y, _ in house(size=size)[0][1][0]]
    return (
        f"<bldg:lod0{what}><gml:MultiSurface>{polygon([ring])}</gml:MultiSurface></bldg:lod0{what}>"
    )


@pytest.mark.parametrize(
    ("inner", "height", "source"),
    [
        (outline("FootPrint", Z0), 6.0, "default"),
        (outline("RoofEdge", Z0 + 8.0), 6.0, "default"),
        (outline("FootPrint", Z0) + outline("RoofEdge", Z0 + 8.0), 8.0, "geometry"),
        ("<bldg:measuredHeight>7</bldg:measuredHeight>" + outline("FootPrint", Z0), 7.0, "height"),
    ],
)
def test_outlines_alone_become_blocks(
    tmp_path: Path, inner: str, height: float, source: str
) -> None:
    city = City.from_buildings([write(tmp_path / "h.gml", citygml(building("a", inner)))])
    assert len(city.surfaces) == 0
    assert city.buildings["footprint_m2"][0] == pytest.approx(100.0)
    assert city.buildings[["height_m", "height_source"]].iloc[0].tolist() == [height, source]
    some = building_blocks(city, Ground.of(city))
    assert (some.top - some.base).tolist() == [height]


def test_outline_of_cityjson_becomes_a_block(tmp_path: Path) -> None:
    corners: list[Any] = []
    flat = json_solid(house()[:1], corners, semantics=False)["boundaries"][0]
    geometry = {"type": "MultiSurface", "lod": "0", "boundaries": flat}
    one = {"type": "Building", "attributes": {"measuredHeight": 8.0}, "geometry": [geometry]}
    path = write(tmp_path / "h.json", cityjson({"a": one}, corners))
    city = City.from_buildings([path])
    assert len(city.surfaces) == 0
    assert city.buildings["height_m"].tolist() == [8.0]


def slipped(by: float, identifier: str = "bad") -> str:
    """A house one of whose corners lies so many metres farther east."""
    east = f"{X0 + 10:.3f} {Y0:.3f}"
    return building(identifier, bounded(house())).replace(east, f"{X0 + 10 + by:.10g} {Y0:.3f}")


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (4000.0, "is 4010 m wide, more than 2000 m: a corner slipped"),
        (9e6, "a corner is at 9360010 5706010, outside the area of use of ETRS89 / UTM zone 32N"),
        (
            1e300,
            "a corner is at 1e\\+300 5706010, outside the area of use of ETRS89 / UTM zone 32N",
        ),
    ],
)
def test_slips_are_left_out_and_displace_nobody(tmp_path: Path, by: float, why: str) -> None:
    said: list[str] = []
    for order in ((slipped(by), GOOD), (GOOD, slipped(by))):
        city = City.from_buildings(
            [write(tmp_path / "h.gml", citygml(*order))], progress=said.append
        )
        assert city.buildings["id"].tolist() == ["good"]
        assert city.bounds == pytest.approx((X0, Y0, X0 + 10, Y0 + 10))
        assert re.search(f"1 of 2 buildings left out, building bad: {why}", said[-1])
    with pytest.raises(InputError, match=f"none of its 1 buildings can be used, .*{why}"):
        City.from_buildings([write(tmp_path / "bad.gml", citygml(slipped(by)))])


def test_slip_in_degrees_does_not_choose_the_zone(tmp_path: Path) -> None:
    urn = "urn:ogc:def:crs:EPSG::4258"
    good = building("good", bounded(moved_to(4258, True)))
    bad = building("bad", bounded(moved_to(4258, True)))
    bad = re.sub(r"<gml:posList>51\.", "<gml:posList>151.", bad)
    text = citygml(bad, good, good.replace("good", "too"), crs=urn)
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.crs.to_epsg() == 32632
    assert city.buildings["id"].tolist() == ["good", "too"]


def test_solid_beside_surfaces_for_some_of_it(tmp_path: Path) -> None:
    some = bounded(house()[1:3])  # the roof; floor and walls are in the solid alone
    text = citygml(building("a", solid(house(), 2) + some))
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert counted(city) == KINDS
    assert open_edges(city, 0) == 0
    assert city.buildings["height_m"][0] == 9.0
    # What a surface of closure shows is not seen, the rest of the solid is.
    closure = bounded([("ClosureSurface", house()[3][1])])
    text = citygml(building("a", solid(house(), 2) + closure))
    city = City.from_buildings([write(tmp_path / "c.gml", text)])
    assert counted(city) == KINDS | {"wall": 3}


def test_solid_cut_otherwise_does_not_double_its_surfaces(tmp_path: Path) -> None:
    (a, b, c, d, _) = house()[0][1][0]
    halves = [("GroundSurface", [[a, b, c, a]]), ("GroundSurface", [[a, c, d, a]])]
    text = citygml(building("a", solid(house(), 2) + bounded([*halves, *house()[1:]])))
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert counted(city) == KINDS | {"ground": 2}


def part(identifier: str, inner: str) -> str:
    body = building(identifier, inner, "BuildingPart")
    return f"<bldg:consistsOfBuildingPart>{body}</bldg:consistsOfBuildingPart>"


def test_whole_and_parts_are_not_drawn_through_each_other(tmp_path: Path) -> None:
    def surfaces(inner: str) -> dict[str, int]:
        text = citygml(building("a", inner))
        return counted(City.from_buildings([write(tmp_path / "h.gml", text)]))

    two = part("p", bounded(house())) + part("q", bounded(house(x=10.0)))
    twice = {k: 2 * n for k, n in KINDS.items()}
    block = solid(house(eaves=8.0, ridge=8.01), 1)
    assert surfaces(block + two) == twice  # a worse whole that they cover
    assert surfaces(bounded(house()) + two) == twice  # as good a one
    assert surfaces(bounded(house(x=20.0)) + two) == {k: 3 * n for k, n in KINDS.items()}
    assert surfaces(bounded(house()) + part("p", block)) == KINDS  # the part is worse
    assert surfaces(block + part("p", bounded(house(x=20.0)))) == twice  # it is elsewhere


def test_whole_and_part_of_cityjson(tmp_path: Path) -> None:
    corners: list[Any] = []
    whole = json_solid(house(eaves=8.0, ridge=8.01), corners, semantics=False, lod="1.2")
    flat = {"type": "MultiSurface", "lod": "0", "boundaries": [whole["boundaries"][0][0]]}
    inner = {"type": "BuildingPart", "parents": ["a"],
             "geometry": [json_solid(house(), corners, semantics=True, lod="2.2")]}  # fmt: skip
    for own in (whole, flat):
        objects = {"a": {"type": "Building", "children": ["p"], "geometry": [own]}, "p": inner}
        city = City.from_buildings([write(tmp_path / "h.json", cityjson(objects, corners))])
        assert counted(city) == KINDS


def test_surface_that_is_turned_round(tmp_path: Path) -> None:
    turned = [(kind, [rings[0][::-1]]) for kind, rings in house()[1:3]]
    text = solid([house()[0], *turned, *house()[3:]])
    for _, rings in turned:
        plain = polygon(rings)
        inner = plain.removeprefix("<gml:surfaceMember>").removesuffix("</gml:surfaceMember>")
        minus = (
            '<gml:surfaceMember><gml:OrientableSurface orientation="-"><gml:baseSurface>'
            f"{inner}</gml:baseSurface></gml:OrientableSurface></gml:surfaceMember>"
        )
        assert plain in text
        text = text.replace(plain, minus)
    city = City.from_buildings([write(tmp_path / "h.gml", citygml(building("a", text)))])
    assert counted(city) == KINDS


def test_rings_of_lines_are_read_and_arcs_are_told(tmp_path: Path) -> None:
    def lines(text: str, tag: str = "LineString") -> str:
        head = f"<gml:Ring><gml:curveMember><gml:{tag}>"
        tail = f"</gml:{tag}></gml:curveMember></gml:Ring>"
        return text.replace("<gml:LinearRing>", head).replace("</gml:LinearRing>", tail)

    path = write(tmp_path / "h.gml", citygml(building("a", lines(bounded(house())))))
    city = City.from_buildings([path])
    assert counted(city) == KINDS
    assert open_edges(city, 0) == 0
    path = write(tmp_path / "arc.gml", citygml(building("a", lines(bounded(house()), "Arc"))))
    with pytest.raises(InputError, match="a ring is made of Arc, not of straight lines"):
        City.from_buildings([path])


@pytest.mark.parametrize("where", ["MultiSurface", "Envelope"])
def test_corners_without_heights_wherever_it_is_said(tmp_path: Path, where: str) -> None:
    ring = [v for x, y, _ in house()[0][1][0] for v in (x, y)]
    ring = [*ring[:2], X0 - 1.0, Y0 + 5.0, *ring[2:]]  # six corners, twelve numbers: as four of 3
    flat = bounded([("GroundSurface", [" ".join(map(str, ring))])])
    good = building("good", bounded(house()))
    text = citygml(building("bad", flat), good)
    text = text.replace(f"<gml:{where}", f'<gml:{where} srsDimension="2"', 1)
    said: list[str] = []
    city = City.from_buildings([write(tmp_path / "h.gml", text)], progress=said.append)
    assert city.buildings["id"].tolist() == ["good"]  # an envelope's dimension is its own
    assert "building bad: its corners have no height" in said[-1]


def test_links_that_lead_nowhere_and_circles(tmp_path: Path) -> None:
    refer = (
        '<bldg:lod2Solid><gml:Solid><gml:exterior><gml:CompositeSurface gml:id="c">'
        '<gml:surfaceMember xlink:href="#{}"/></gml:CompositeSurface></gml:exterior></gml:Solid>'
        "</bldg:lod2Solid>"
    )
    for target, why in (("x", "refers to #x, which is not in it"), ("c", "has no surface")):
        path = write(tmp_path / "h.gml", citygml(building("a", refer.format(target))))
        with pytest.raises(InputError, match=why):
            City.from_buildings([path])


def test_what_cityjson_has_and_is_not_read_is_named(tmp_path: Path) -> None:
    corners: list[Any] = [(X0, Y0, Z0)]
    instance = {"type": "GeometryInstance", "template": 0, "boundaries": [0],
                "transformationMatrix": list(np.eye(4).ravel())}  # fmt: skip
    one = {"type": "Building", "geometry": [instance]}
    with pytest.raises(InputError, match="building a: is a GeometryInstance of a template"):
        City.from_buildings([write(tmp_path / "t.json", cityjson({"a": one}, corners))])
    head, feature = cityjson({}, []), {"type": "CityJSONFeature", "id": "a", "CityObjects": {}}
    lines = "\n".join(json.dumps(o) for o in (head, feature, feature))
    for text in (lines, json.dumps(feature)):
        with pytest.raises(InputError, match=r"CityJSONSeq.*which cannot be read"):
            City.from_buildings([write(tmp_path / "s.city.jsonl", text)])
    corners = []
    for name, read in (("Rathaus", "Rathaus"), (["a", "b"], ""), ({"de": "x"}, ""), (None, "")):
        body = json_solid(house(), corners, semantics=True)
        one = {"type": "Building", "attributes": {"name": name}, "geometry": [body]}
        path = write(tmp_path / "n.json", cityjson({"a": one}, corners))
        assert City.from_buildings([path]).buildings["name"].tolist() == [read]


# -- CRS ------------------------------------------------------------------------------------------


def moved_to(epsg: int, swap: bool = False) -> list[Any]:
    """The house with its corners in another CRS."""
    move = pyproj.Transformer.from_crs(25832, epsg, always_xy=True)
    found = []
    for kind, rings in house():
        corners = [(*move.transform(x, y), z) for x, y, z in rings[0]]
        corners = [(y, x, z) if swap else (x, y, z) for x, y, z in corners]
        found.append((kind, [" ".join(f"{v:.9f}" for c in corners for v in c)]))
    return found


@pytest.mark.parametrize(
    ("name", "epsg", "swap"),
    [
        ("EPSG:25832", 25832, False),
        ("urn:ogc:def:crs,crs:EPSG::25832,crs:EPSG::7837", 25832, False),
        ("http://www.opengis.net/def/crs/EPSG/0/25833", 25833, False),
        ("urn:adv:crs:ETRS89_UTM33*DE_DHHN2016_NH", 25833, False),
        ("urn:adv:crs:DE_DHDN_3GK2*DE_DHHN92_NH", 31466, False),
        ("EPSG:31466", 31466, False),
        ("urn:ogc:def:crs:EPSG::31466", 31466, True),
        ("urn:ogc:def:crs:EPSG::4326", 4326, True),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", 4326, False),
        ("urn:ogc:def:crs:EPSG::4979", 4326, True),
    ],
)
def test_names_and_axes_of_reference_systems(
    tmp_path: Path, name: str, epsg: int, swap: bool
) -> None:
    text = citygml(building("a", bounded(moved_to(epsg, swap))), crs=name)
    city = City.from_buildings([write(tmp_path / "h.gml", text)], crs="EPSG:25832")
    west, south, east, north = city.bounds
    assert (west, south, east, north) == pytest.approx((X0, Y0, X0 + 10, Y0 + 10), abs=0.01)
    assert heights(city)[0].tolist() == [Z0, Z0 + 9.0]


def test_zone_before_the_easting(tmp_path: Path) -> None:
    text = (
        citygml(building("a", bounded(house()))).replace(">360", ">32360").replace(" 360", " 32360")
    )
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.bounds == pytest.approx((X0, Y0, X0 + 10, Y0 + 10))


def test_degrees_become_metres(tmp_path: Path) -> None:
    text = citygml(building("a", bounded(moved_to(4326, True))), crs="urn:ogc:def:crs:EPSG::4326")
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.crs.to_epsg() == 32632
    assert city.buildings["footprint_m2"][0] == pytest.approx(100.0, rel=1e-3)


def in_crs(epsg: int) -> str:
    """The house as surfaces that say themselves in which CRS they are."""
    named = f'<gml:MultiSurface srsName="urn:ogc:def:crs:EPSG::{epsg}">'
    return bounded(moved_to(epsg)).replace("<gml:MultiSurface>", named)


def test_nearest_reference_system_counts(tmp_path: Path) -> None:
    two = citygml(building("a", bounded(house())), building("b", in_crs(25833)))
    city = City.from_buildings([write(tmp_path / "h.gml", two)])
    for _, one in city.buildings.iterrows():
        assert one.geometry.bounds == pytest.approx((X0, Y0, X0 + 10, Y0 + 10), abs=0.01)
    assert "EPSG::25833" in city.sources[0]["crs"]
    alone = City.from_buildings([write(tmp_path / "b.gml", citygml(building("b", in_crs(25833))))])
    assert alone.crs.to_epsg() == 25833
    mixed = citygml(building("m", in_crs(25833) + bounded(house())))
    with pytest.raises(InputError, match="building m: its geometry is in 2 CRSs"):
        City.from_buildings([write(tmp_path / "m.gml", mixed)])


def test_heights_in_feet_become_metres(tmp_path: Path) -> None:
    x, y = pyproj.Transformer.from_crs(4326, 2263, always_xy=True).transform(-73.98, 40.75)
    foot = 1200.0 / 3937.0
    corners = [
        (kind, [[((a - X0) / foot + x, (b - Y0) / foot + y, c / foot) for a, b, c in rings[0]]])
        for kind, rings in house()
    ]
    name = "urn:ogc:def:crs,crs:EPSG::2263,crs:EPSG::6360"
    text = citygml(building("a", bounded(corners)), crs=name)
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.buildings["footprint_m2"][0] == pytest.approx(100.0, rel=2e-3)
    assert heights(city)[0] == pytest.approx([Z0, Z0 + 9.0], abs=0.002)
    assert city.buildings["height_m"][0] == pytest.approx(9.0, abs=0.002)


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("m", 30.0), ("#m", 30.0), ("urn:adv:uom:m", 30.0), ("ft", 9.144), ("[ft_i]", 9.144),
     ("US survey foot", 30.0 * 1200 / 3937), ("cm", 0.3), ("", 30.0)],
)  # fmt: skip
def test_unit_of_the_measured_height(tmp_path: Path, unit: str, metres: float) -> None:
    text = f'<bldg:measuredHeight uom="{unit}">30</bldg:measuredHeight>' + bounded(house())
    city = City.from_buildings([write(tmp_path / "h.gml", citygml(building("a", text)))])
    assert city.buildings["height_m"][0] == pytest.approx(metres)
    text = text.replace(f'uom="{unit}"', 'uom="furlong"')
    with pytest.raises(InputError, match="measuredHeight is in 'furlong', no unit of length"):
        City.from_buildings([write(tmp_path / "f.gml", citygml(building("a", text)))])


def test_mercator_of_the_web_is_no_plane_to_measure_in(tmp_path: Path) -> None:
    text = citygml(building("a", bounded(moved_to(3857))), crs="EPSG:3857")
    city = City.from_buildings([write(tmp_path / "h.gml", text)])
    assert city.crs.to_epsg() == 32632
    assert city.buildings["footprint_m2"][0] == pytest.approx(100.0, rel=1e-3)


def test_zone_that_belongs_to_the_easting(tmp_path: Path) -> None:
    """ESRI:102329 and EPSG:4647 count eastings from 32,500,000; nothing is taken off."""
    for name in ("ESRI:102329", "EPSG:4647"):
        plain = citygml(building("a", bounded(house())), crs=name)
        with pytest.raises(InputError, match=r"a corner is at .* outside the area of use"):
            City.from_buildings([write(tmp_path / "h.gml", plain)])
        zoned = plain.replace(">360", ">32360").replace(" 360", " 32360")
        city = City.from_buildings([write(tmp_path / "h.gml", zoned)], crs="EPSG:25832")
        assert city.bounds == pytest.approx((X0, Y0, X0 + 10, Y0 + 10), abs=0.01)


# -- What cannot be used ---------------------------------------------------------------------------


def with_ring(ring: str) -> str:
    return building("bad", bounded([("RoofSurface", [ring]), *house()[1:]]))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (with_ring("1 2 abc 4 5 6 7 8 9 1 2 3"), "a coordinate is 'abc', no number"),
        (with_ring("1 2 3 4 5 6 7 8"), "a ring has 8 numbers, not three a corner"),
        (with_ring("1 2 nan 4 5 6 7 8 9 1 2 nan"), "a coordinate is nan"),
        (with_ring("1 2 3 4 5 inf 7 8 9 1 2 3"), "a coordinate is inf"),
        (with_ring("1 2 3 4 5 6 1 2 3"), "a ring has 2 corners"),
        (with_ring("1 2 3 4 5 6e7 7 8 9 1 2 3"), "a corner is 6e\\+07 m high"),
        (with_ring(""), "a ring has 0 corners"),
        (building("bad", "<bldg:measuredHeight>NaN</bldg:measuredHeight>" + bounded(house())),
         "measuredHeight is 'NaN', no number"),
        (building("bad", "<bldg:measuredHeight>high</bldg:measuredHeight>" + bounded(house())),
         "measuredHeight is 'high', no number"),
        (building("bad", ""), "has no surface"),
        (building("bad", bounded(house()[5:6])), "has no footprint"),
    ],
)  # fmt: skip
def test_unusable_buildings_are_left_out_and_told(tmp_path: Path, bad: str, why: str) -> None:
    said: list[str] = []
    path = write(tmp_path / "h.gml", citygml(GOOD, bad))
    city = City.from_buildings([path], progress=said.append)
    assert city.buildings["id"].tolist() == ["good"]
    assert counted(city) == KINDS
    [line] = [s for s in said if "left out" in s]
    assert line.startswith("h.gml: 1 of 2 buildings left out, building bad: ")
    alone = write(tmp_path / "bad.gml", citygml(bad))
    with pytest.raises(
        InputError, match=f"none of its 1 buildings can be used, building bad: {why}"
    ):
        City.from_buildings([alone])


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "neither CityGML nor CityJSON; it begins with b'hello'"),
        (b"<a/>", "its first element is a, not CityModel"),
        (b"<a", "its first element is nothing"),
        (b"<a b=c/>", "is no XML"),
        (citygml(GOOD, version="3.0").encode(), "CityGML 3.0 cannot be read, only 1.0 and 2.0"),
        (citygml(GOOD)[:-400].encode(), "is damaged or cut off"),
        (citygml(GOOD, head=BOMB).encode(), "document type with entities"),
        (citygml(GOOD, head=BOMB).replace("UTF-8", "UTF-16").encode("utf-16"),
         "document type with entities"),
        (citygml().encode(), "has no building"),
        (citygml(GOOD, crs="").encode(), "states no CRS"),
        (citygml(GOOD, crs="EPSG:999999").encode(), "its CRS 'EPSG:999999' is unknown"),
        (citygml(GOOD, crs="Bottrop local").encode(), "its CRS 'Bottrop local' is unknown"),
        (gzip.compress(citygml(GOOD).encode())[:-30], "damaged or cut off"),
        (b"{", "no valid JSON"),
        (b"{}", "is no CityJSON, its type is 'None'"),
        (b'{"type": "FeatureCollection"}', "is no CityJSON, its type is 'FeatureCollection'"),
        (b'{"type": "CityJSON", "version": "0.9"}', "CityJSON version '0.9' cannot be read"),
        (b'{"type": "CityJSON", "version": "2.0"}', "it has no CityObjects"),
        (b'{"type": "CityJSON", "version": "2.0", "CityObjects": {}}', "transform has no scale"),
        (json.dumps(cityjson({}, [])).encode(), "has no building"),
        (b"{" * 100_000, "no valid JSON"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_refused(
    tmp_path: Path, content: bytes, message: str
) -> None:  # fmt: skip
    path = tmp_path / "h.gml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        City.from_buildings([path])
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_gz_that_is_none_and_missing_file(tmp_path: Path) -> None:
    path = write(tmp_path / "h.gml.gz", citygml(GOOD))
    with pytest.raises(InputError, match=r"ends in \.gz but is not packed"):
        City.from_buildings([path])
    with pytest.raises(InputError, match="no such file"):
        City.from_buildings([tmp_path / "nowhere.gml"])
    with pytest.raises(InputError, match="no file is named"):
        City.from_buildings([])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["CityObjects"]["bad"]["geometry"][0]["boundaries"][0][0][0].append(99),
         "vertex 99 is none of 0 to 9"),
        (lambda d: d["CityObjects"]["bad"]["geometry"][0]["boundaries"][0][0][0].append(-1),
         "vertex -1 is none of 0 to 9"),
        (lambda d: d["CityObjects"]["bad"]["geometry"][0]["boundaries"].append("x"),
         "its boundaries are no list"),
        (lambda d: d["CityObjects"]["bad"].update(geometry=None), "has no surface"),
        (lambda d: d["CityObjects"]["bad"].update(attributes={"measuredHeight": float("inf")}),
         "measuredHeight is 'inf', no number"),
        (lambda d: d["vertices"].__setitem__(0, [1, "abc", 3]), "a coordinate is nan"),
        (lambda d: d["vertices"].__setitem__(0, [1, 2]), "a coordinate is nan"),
    ],
)  # fmt: skip
def test_unusable_buildings_of_cityjson(tmp_path: Path, change: Any, why: str) -> None:
    corners: list[Any] = []
    objects = {
        "bad": {"type": "Building", "geometry": [json_solid(house(), corners, semantics=True)]}
    }
    data = cityjson(objects, corners)
    change(data)
    with pytest.raises(InputError, match=f"building bad: {why}"):
        City.from_buildings([write(tmp_path / "h.json", data)])


def test_use_codes() -> None:
    codes = {"31001_1010": "residential", "31001_1313": "other", "31001_2020": "office",
             "31001_2463": "other", "31001_3021": "education", "31001_3065": "education",
             "31001_3051": "health", "51009_1610": "other", "1120": "office", "9999": "other",
             "residential building": "residential", "": "other"}  # fmt: skip
    assert {code: use_of(code) for code in codes} == codes


# -- Together with OpenStreetMap ------------------------------------------------------------------


def shifted(city: City, row: int, dx: float, identifier: str, size: float | None = None) -> str:
    """A model as large as a building of the city, so many metres east of it."""
    west, south, east, north = city.buildings.geometry.iloc[row].bounds
    surfaces = house(west - X0 + dx, south - Y0, size or min(east - west, north - south))
    return building(identifier, bounded(surfaces))


def test_models_take_the_place_of_what_they_cover(tiny: City, tmp_path: Path) -> None:
    row = tiny.buildings.index[tiny.buildings["id"] == "way/110"][0]
    west, south, east, north = tiny.buildings.geometry.iloc[row].bounds
    side = min(east - west, north - south)
    crs = f"EPSG:{tiny.crs.to_epsg()}"
    said: list[str] = []
    # With more than half of the model in the building it goes, with a seventh it stays.
    for share, gone in ((0.7, True), (0.15, False)):
        model = shifted(tiny, row, east - west - share * side, "m", side)
        path = write(tmp_path / "h.gml", citygml(model, crs=crs))
        city = tiny.with_buildings([path], progress=said.append)
        ids = city.buildings["id"].tolist()
        assert ("way/110" not in ids) is gone
        assert ids[-1] == "m"
        assert len(ids) == len(tiny.buildings) + (not gone)
        assert set(city.surfaces["building"]) == {len(ids) - 1}
        assert city.sources[:-1] == tiny.sources
        assert city.sources[-1]["file"] == "h.gml"
        assert len(city.sources[-1]["sha256"]) == 64
        assert city.streets is tiny.streets
    again = city.with_buildings([path])  # the same models once more change nothing
    assert again.digest == city.digest
    assert City.load(city.save(tmp_path / "city")).digest == city.digest


def test_models_elsewhere_are_refused_or_left_out(tiny: City, tmp_path: Path) -> None:
    far = write(tmp_path / "far.gml", citygml(GOOD, crs="EPSG:25832"))
    with pytest.raises(
        InputError, match="covers nothing of the city: its buildings lie in"
    ) as caught:
        tiny.with_buildings([far])
    assert "\n" not in str(caught.value)
    crs = f"EPSG:{tiny.crs.to_epsg()}"
    both = citygml(shifted(tiny, 0, 0.0, "in"), shifted(tiny, 0, 5000.0, "out"), crs=crs)
    said: list[str] = []
    city = tiny.with_buildings([write(tmp_path / "both.gml", both)], progress=said.append)
    assert city.buildings["id"].tolist()[-1] == "in"
    assert "1 building models outside the city are left out" in said


def test_network_without_projection_takes_no_models(grid_net: Path, tmp_path: Path) -> None:
    city = City.from_sumo(grid_net)
    path = write(tmp_path / "h.gml", citygml(GOOD))
    with pytest.raises(InputError, match="nowhere on Earth"):
        city.with_buildings([path])


def test_building_of_two_files_counts_once(tmp_path: Path) -> None:
    a = write(tmp_path / "a.gml", citygml(GOOD))
    b = write(tmp_path / "b.gml", citygml(building("new", bounded(house(x=50.0))), GOOD))
    said: list[str] = []
    city = City.from_buildings([a, b], progress=said.append)
    assert city.buildings["id"].tolist() == ["good", "new"]
    assert city.surfaces["building"].tolist() == [0] * 7 + [1] * 7
    assert any(s.startswith("1 buildings came more than once") for s in said)
    assert len(city.sources) == 2


def test_without_streets_nothing_drives(tmp_path: Path) -> None:
    from twin.traffic.network import Network

    city = City.from_buildings([write(tmp_path / "h.gml", citygml(GOOD))])
    with pytest.raises(InputError, match="has no streets, only buildings"):
        Network.from_city(city)


# -- Real tiles -----------------------------------------------------------------------------------


def test_essen(data_dir: Path) -> None:
    city = City.from_buildings([data_dir / "buildings" / "EssenExample.gml.gz"])
    assert len(city.buildings) == 117
    assert counted(city) == {"wall": 987, "roof": 238, "ground": 117}
    assert set(city.buildings["use"]) == {"residential"}
    low, high = heights(city).T
    assert np.abs(city.buildings["height_m"] - (high - low)).max() < 0.002
    ground = city.surfaces.geometry[city.surfaces["kind"] == "ground"]
    assert city.buildings["footprint_m2"].sum() == pytest.approx(ground.area.sum(), rel=1e-9)
    assert ((low > 29.3) & (high < 75.0)).all()
    assert all(open_edges(city, row) == 0 for row in range(117))


def test_essen_in_another_zone(data_dir: Path) -> None:
    path = data_dir / "buildings" / "EssenExample.gml.gz"
    here, there = (City.from_buildings([path], crs=f"EPSG:{e}") for e in (25832, 25833))
    a, b = (
        shapely.get_coordinates(c.surfaces.geometry.to_numpy(), include_z=True)
        for c in (here, there)
    )
    x, y = pyproj.Transformer.from_crs(25832, 25833, always_xy=True).transform(a[:, 0], a[:, 1])
    assert np.hypot(x - b[:, 0], y - b[:, 1]).max() < 0.01
    assert (a[:, 2] == b[:, 2]).all()
    assert all(open_edges(there, row) == 0 for row in range(117))


def test_tile_with_parts(data_dir: Path) -> None:
    city = City.from_buildings([data_dir / "buildings" / "LoD2_32_280_5657_1_NW.gml.gz"])
    assert len(city.buildings) == 83
    assert (city.buildings["height_source"] == "geometry").sum() == 20  # those with parts
    ground = city.surfaces.geometry[city.surfaces["kind"] == "ground"]
    assert city.buildings["footprint_m2"].sum() == pytest.approx(ground.area.sum(), rel=1e-4)
    tight = sum(open_edges(city, row) == 0 for row in range(83))
    assert tight >= 63  # parts are open where they touch


def test_delft(data_dir: Path) -> None:
    city = City.from_buildings([data_dir / "buildings" / "delft.city.json.gz"])
    assert city.crs.to_epsg() == 28992
    assert len(city.buildings) == 160
    assert (city.landuse["kind"] == "road").sum() >= 143
    low, high = heights(city).T
    assert low.min() > -0.5
    assert high.max() < 17.0
