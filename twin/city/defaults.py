"""Numbers that the city model assumes where the data say nothing, and their sources."""

from __future__ import annotations

STOREY_HEIGHT_M = 3.0
"""Height of a storey: OSM wiki, Simple 3D Buildings, counts 3 m a level without a roof."""

LANE_WIDTH_M = 3.2
"""Width of a lane without one in the network: SUMO's default (SUMO_const_laneWidth)."""

ISLAND_SHARE = 0.01
"""Streets of an OSM extract that hang together with less than this share of its street
length are left out: cut-off ends at the border, yards reached over a missing way."""

LEVELS_BY_USE: dict[str, float] = {
    # Stated assumptions for a Central European city, not measurements: two to three
    # full storeys dominate the housing stock, halls have one tall storey.
    "residential": 3.0,
    "office": 4.0,
    "retail": 2.0,
    "industrial": 2.0,
    "education": 3.0,
    "health": 4.0,
    "public": 3.0,
    "other": 2.0,
}
"""Storeys of a building with neither height nor storeys, by use."""

LEVELS_BY_BUILDING: dict[str, float] = {
    # The few values of OSM's building key that say more about size than the use does.
    "apartments": 4.0,
    "bungalow": 1.0,
    "carport": 1.0,
    "detached": 2.0,
    "farm": 2.0,
    "garage": 1.0,
    "garages": 1.0,
    "greenhouse": 1.0,
    "house": 2.0,
    "hut": 1.0,
    "kiosk": 1.0,
    "roof": 1.0,
    "semidetached_house": 2.0,
    "service": 1.0,
    "shed": 1.0,
    "terrace": 2.0,
}
"""Storeys of a building with neither height nor storeys, by its OSM class; before the use."""

MAX_HEIGHT_M = 1000.0
"""A taller building is a slip of the pen: the tallest one stands at 828 m."""

USE_BY_BUILDING: dict[str, str] = {
    "apartments": "residential",
    "bungalow": "residential",
    "detached": "residential",
    "dormitory": "residential",
    "farm": "residential",
    "house": "residential",
    "residential": "residential",
    "semidetached_house": "residential",
    "terrace": "residential",
    "office": "office",
    "commercial": "office",
    "retail": "retail",
    "supermarket": "retail",
    "kiosk": "retail",
    "mall": "retail",
    "hotel": "retail",
    "industrial": "industrial",
    "warehouse": "industrial",
    "manufacture": "industrial",
    "hangar": "industrial",
    "factory": "industrial",
    "school": "education",
    "kindergarten": "education",
    "university": "education",
    "college": "education",
    "hospital": "health",
    "clinic": "health",
    "civic": "public",
    "public": "public",
    "government": "public",
    "townhall": "public",
    "church": "public",
    "cathedral": "public",
    "chapel": "public",
    "mosque": "public",
    "synagogue": "public",
    "temple": "public",
    "religious": "public",
    "museum": "public",
    "fire_station": "public",
    "police": "public",
    "train_station": "public",
    "transportation": "public",
    "sports_hall": "public",
    "stadium": "public",
}
"""Use of a building by the value of OSM's building key."""

USE_BY_AMENITY: dict[str, str] = {
    "school": "education",
    "kindergarten": "education",
    "university": "education",
    "college": "education",
    "music_school": "education",
    "library": "public",
    "hospital": "health",
    "clinic": "health",
    "doctors": "health",
    "dentist": "health",
    "nursing_home": "health",
    "social_facility": "health",
    "pharmacy": "retail",
    "restaurant": "retail",
    "cafe": "retail",
    "bar": "retail",
    "pub": "retail",
    "fast_food": "retail",
    "nightclub": "retail",
    "bank": "retail",
    "marketplace": "retail",
    "fuel": "retail",
    "cinema": "public",
    "theatre": "public",
    "arts_centre": "public",
    "community_centre": "public",
    "townhall": "public",
    "courthouse": "public",
    "fire_station": "public",
    "police": "public",
    "place_of_worship": "public",
    "post_office": "public",
    "public_building": "public",
    "embassy": "public",
    "prison": "public",
}
"""Use of a building by the value of OSM's amenity key, where building does not say."""

USE_BY_LANDUSE: dict[str, str] = {
    "residential": "residential",
    "commercial": "office",
    "retail": "retail",
    "industrial": "industrial",
    "education": "education",
    "religious": "public",
    "railway": "other",
    "military": "public",
}
"""Use of a building of which OSM says no more than `building=yes`, by the land around it."""

PLACE_KEYS = ("amenity", "shop", "office", "tourism", "leisure", "public_transport", "highway",
              "natural")  # fmt: skip
"""OSM keys that make a place, the most telling first."""

PLACE_KINDS: dict[str, frozenset[str] | None] = {
    "amenity": frozenset(
        {
            "school", "kindergarten", "university", "college", "library",
            "hospital", "clinic", "doctors", "dentist", "pharmacy",
            "fire_station", "police", "townhall", "courthouse", "post_office",
            "place_of_worship", "community_centre", "social_facility", "nursing_home",
            "restaurant", "cafe", "bar", "pub", "fast_food", "bank", "marketplace",
            "cinema", "theatre", "arts_centre", "nightclub", "fuel", "charging_station",
            "parking", "bus_station", "ferry_terminal", "taxi", "bicycle_rental",
        }
    ),
    "shop": None,
    "office": None,
    "tourism": frozenset({"hotel", "hostel", "museum", "attraction", "gallery", "zoo"}),
    "leisure": frozenset(
        {"park", "playground", "sports_centre", "stadium", "swimming_pool", "pitch"}
    ),
    "public_transport": frozenset({"station"}),
    "highway": frozenset({"bus_stop"}),
    "natural": frozenset({"tree"}),
}  # fmt: skip
"""Values of each key that make a place; None takes every value, under the key's name."""

WATER_TAGS: dict[str, frozenset[str]] = {
    "natural": frozenset({"water", "bay", "wetland"}),
    "waterway": frozenset(
        {"river", "riverbank", "stream", "canal", "ditch", "drain", "dock", "weir"}
    ),
    "landuse": frozenset({"reservoir", "basin"}),
}
"""OSM tags that make water."""

SEA_SHARE = 0.1
"""A face beside the coastline that holds more than this share of the city's street length or
building area is no sea: piers and bridges are less. A stated assumption."""

SEA_MARGIN = 0.05
"""How far the sea goes beyond streets and buildings, by their diagonal, where an extract does
not state its bounds; as far as the terrain."""

SEA_REACH = 0.125
"""A coastline that breaks off closer to the rectangle's edge than this share of its mean side goes
on straight to the edge. A stated assumption."""

MAP_MARGIN = 0.012
"""How far maps go beyond the streets, by their diagonal; the sea reaches at least as far."""

LANDUSE_TAGS: dict[str, frozenset[str] | None] = {
    "landuse": None,
    "leisure": frozenset({"park", "garden", "pitch", "playground", "golf_course"}),
    "natural": frozenset({"wood", "scrub", "grassland", "heath", "beach", "bare_rock"}),
}
"""OSM tags that make a land use; None takes every value."""

USE_BY_ALKIS: dict[str, str] = {
    # AdV, GeoInfoDok 6.0.1 and 7.1, AX_Gebaeudefunktion: the longest beginning counts.
    "1": "residential",
    "13": "other",  # leisure: garden houses, weekend houses
    "2": "industrial",
    "201": "retail",
    "202": "office", "203": "office", "204": "office",
    "205": "retail", "206": "public", "207": "retail", "208": "retail", "209": "retail",
    "2092": "public",  # cinema
    "216": "education",  # research
    "231": "retail",
    "24": "other",  # traffic: garages, depots, waiting halls
    "2612": "other",
    "27": "other",  # farming and forestry, greenhouses
    "3": "public",
    "302": "education",
    "305": "health",
    "3065": "education",  # kindergarten
    "306": "health",  # social purposes, as OSM's social_facility
}  # fmt: skip
"""Use of a building by the beginning of its function in Germany's cadastre (31001_xxxx)."""

USE_BY_CITYGML: tuple[tuple[int, int, str], ...] = (
    # OGC 12-019 (CityGML 2.0), code list of the function of a building; the rest is `other`.
    (1000, 1060, "residential"),
    (1120, 1140, "office"),
    (1150, 1190, "retail"),
    (1210, 1250, "retail"),
    (1310, 1330, "industrial"),
    (1350, 1370, "industrial"),
)
"""Use of a building by its function in CityGML's own list: from, to, use."""
