"""What the state of a street costs: drivers, patching, what will have to be repaired; and prices.

- Roughness from the condition: IRI = (120 - PCI) / 0.224 inches a mile (after Arhin et al. 2015,
  "Predicting pavement condition index using international roughness index in a dense urban area";
  the coefficients are from memory).
- Vehicle operating cost from roughness (Chatti and Zaabar 2012, NCHRP report 720): fuel +2.5 % per
  m/km; repair and maintenance none up to 3 m/km, +10 % at 4 and +40 % at 5; tyres +1 % per m/km.
  Nothing is known beyond 5 m/km, so repair stays at +40 %.
- The prices below are own estimates of the year 2026 where no source is named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.roads.deterioration import BANDS, EDGES, band_of
from twin.roads.treatments import TREATMENTS, usual_treatment

F8 = npt.NDArray[np.float64]

PRICE_YEAR = 2026
IN_MI_PER_M_KM = 63.36
PCI_STEPS = np.arange(101.0)
CATEGORIES = (
    "works", "surveys", "inspections", "reports", "patching", "operating", "delay", "co2",
    "backlog",
)  # fmt: skip
"""Euros are booked in one of these; `backlog` is what the network would cost more to repair."""
AGENCY = ("works", "surveys", "inspections", "reports", "patching")
"""Categories that the city pays itself."""


@dataclass(frozen=True)
class Prices:
    """Prices by which time, emissions, wear and patches become euros.

    Attributes
    ----------
    time_eur_h
        A vehicle's hour: about 1.3 people at 12 EUR; own estimate.
    co2_eur_t
        UBA, Handbuch Umweltkosten 4.0 (2026): 1,000 EUR/t, generations weighted alike.
    fuel_eur_km, repair_eur_km, tyres_eur_km
        A car's costs on a smooth street; own estimates.
    lorry_factor
        How much more the same roughness costs a lorry or bus; own estimate.
    patch_eur_m2
        Patching and safety work a year by band; own estimate.
    triage_eur, patch_eur
        A citizen's report looked at, and patched; own estimates.
    inspection_eur_km
        A camera's pass; own estimate.
    discount
        Rate a year; 1.7 % is that of the German federal plan (BVWP 2030; from memory).
    """

    time_eur_h: float = 15.6
    co2_eur_t: float = 1000.0
    fuel_eur_km: float = 0.13
    repair_eur_km: float = 0.07
    tyres_eur_km: float = 0.02
    lorry_factor: float = 4.0
    patch_eur_m2: tuple[float, float, float, float, float] = (0.02, 0.05, 0.20, 0.60, 1.20)
    triage_eur: float = 60.0
    patch_eur: float = 250.0
    inspection_eur_km: float = 30.0
    discount: float = 0.017

    def discount_weekly(self) -> float:
        """Factor by which a euro is worth less a week later."""
        return float((1.0 + self.discount) ** (-1.0 / 52.0))


DEFAULT = Prices()


def roughness(pci: npt.ArrayLike) -> F8:
    """International Roughness Index in m/km."""
    return np.asarray((120.0 - np.asarray(pci, float)) / 0.224 / IN_MI_PER_M_KM)


def operating_eur_km(pci: npt.ArrayLike, prices: Prices = DEFAULT) -> F8:
    """Euros a car-kilometre that a street costs more than one of PCI 100."""

    def cost(iri: F8) -> F8:
        repair = np.interp(iri, (3.0, 4.0, 5.0), (0.0, 0.10, 0.40))
        fuel, tyres = 0.025 * iri, 0.01 * iri
        return np.asarray(
            prices.fuel_eur_km * fuel + prices.repair_eur_km * repair + prices.tyres_eur_km * tyres
        )

    return np.asarray(cost(roughness(pci)) - cost(roughness(100.0)))


def patching_eur_m2_week(pci: npt.ArrayLike, prices: Prices = DEFAULT) -> F8:
    """Euros a square metre and week for patches and safety."""
    return np.asarray(np.array(prices.patch_eur_m2)[band_of(pci)] / 52.0)


def backlog_eur_m2(klass: int, pci: npt.ArrayLike) -> F8:
    """Price of the treatment that a street of this condition needs; 0 from PCI 88."""
    needed = usual_treatment(pci)
    by_treatment = np.array([t.eur_m2(klass) for t in TREATMENTS] + [0.0])
    return np.asarray(by_treatment[needed])


def middle_of_bands() -> F8:
    """[5] PCI in the middle of each band."""
    edges = np.array(EDGES)
    return np.asarray((edges[:BANDS] + edges[1:]) / 2.0)
