"""What trips cost those who make them: time, and running the vehicle.

The prices are those by which roads are planned (`twin.roads.costs`): own estimates of 2026, so that
both rooms reckon alike.  A bus counts as a vehicle's hour, its passengers are not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

TIME_EUR_H = 15.6  # a vehicle's hour: about 1.3 people at 12 EUR
RUNNING_EUR_KM = 0.13 + 0.07 + 0.02  # a car's fuel, repair and tyres
HEAVY_FACTOR = 4.0  # how much more a kilometre of a lorry or bus costs


def user_cost_eur(trips: pd.DataFrame, heavy: npt.NDArray[np.bool_]) -> float:
    """Euros of the trips of a trip table, of what they have driven and waited so far.

    Parameters
    ----------
    heavy
        [trips] whether each is a lorry or bus.
    """
    hours = (trips["duration_s"].fillna(0.0) + trips["depart_delay_s"]).sum() / 3600.0
    km = trips["route_length_m"].fillna(0.0).to_numpy() / 1000.0
    running = (km * np.where(heavy, HEAVY_FACTOR, 1.0)).sum() * RUNNING_EUR_KM
    return float(hours * TIME_EUR_H + running)
