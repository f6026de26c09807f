"""Gymnasium environments over the twin; importing this registers them."""

from __future__ import annotations

import gymnasium

SIGNAL_CONTROL = "Twin/SignalControl-v0"

if SIGNAL_CONTROL not in gymnasium.registry:
    gymnasium.register(
        SIGNAL_CONTROL,
        entry_point="envs.signal_control:SignalControlEnv",
        vector_entry_point="envs.vector:SignalVectorEnv",
    )

ROAD_MAINTENANCE = "Twin/RoadMaintenance-v0"

if ROAD_MAINTENANCE not in gymnasium.registry:
    gymnasium.register(
        ROAD_MAINTENANCE,
        entry_point="envs.roads.maintenance:RoadMaintenanceEnv",
        vector_entry_point="envs.roads.vector:RoadVectorEnv",
    )
