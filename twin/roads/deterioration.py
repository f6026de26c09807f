"""How pavements age: curves by class, a Markov chain by band, and what both have in common.

The condition is the Pavement Condition Index of ASTM D6433, 100 (new) to 0 (failed), in five bands.
The curves are those of the pavement management of Somerville, Massachusetts (Hadley, municipal):
PCI(age) = 100 - k / ln(T / age)^(1 / b), age in years.

A curve stays in a band for a certain time; the chain leaves a band with a probability.  Both are
made to stay equally long on average, which is all that they have in common: the chain leaves with
the rate 1 / time of the curve, so that the share that stays for a year is exp(-1 / time) and for a
week its 52nd root.  (A chain that moves once a year and stays with probability 1 - 1 / time has the
same mean; its 52nd root would leave up to 17 % too early.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

F8 = npt.NDArray[np.float64]

CLASSES = ("residential", "collector", "arterial")
EDGES = (100.0, 88.0, 68.0, 47.0, 25.0, 0.0)
"""Limits of the five bands, best first."""
BANDS = len(EDGES) - 1
WEEKS = 52
"""Weeks of a year of the long clock."""
MODELS = ("markov", "curve")
"""Names of the two models: the chain by band, and the curve with random effects."""
SPREAD = 0.3
"""Standard deviation of the logarithm of a section's pace about its class (own estimate)."""

GRADE_PCI = (0.0, 25.0, 47.0, 88.0, 100.0)
GRADES = (5.0, 4.5, 3.5, 1.5, 1.0)
BAD_GRADE = 3.5
"""From this grade (Warnwert) a street counts as bad, which is PCI 47."""


@dataclass(frozen=True)
class Curve:
    """PCI by age of one class: 100 - k / ln(life / age)^(1 / b); 0 from some age on."""

    k: float
    life_years: float
    b: float

    def pci(self, age_years: npt.ArrayLike) -> F8:
        """PCI at ages >= 0."""
        age = np.asarray(age_years, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.log(self.life_years / age)
            loss = self.k / np.maximum(logarithm, 1e-12) ** (1.0 / self.b)
        return np.asarray(np.clip(100.0 - np.where(age > 0.0, loss, 0.0), 0.0, 100.0))

    def age(self, pci: npt.ArrayLike) -> F8:
        """Age in years at which the curve has a PCI: its inverse."""
        loss = np.maximum(100.0 - np.asarray(pci, float), 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(
                np.where(loss > 0.0, self.life_years * np.exp(-((self.k / loss) ** self.b)), 0.0)
            )


CURVES = (Curve(97.0, 110.0, 0.61), Curve(106.0, 79.0, 0.48), Curve(109.0, 88.0, 0.58))
"""Residential, collector, arterial."""


def sojourn_years() -> F8:
    """[3 classes, 4 bands] years that a curve stays in each band but the last."""
    edges = np.array(EDGES)
    return np.array([np.diff(curve.age(edges[:BANDS])) for curve in CURVES])


def stay_annual() -> F8:
    """[3, 4] share of sections that the chain leaves in their band for a year."""
    return np.asarray(np.exp(-1.0 / sojourn_years()))


def stay_weekly() -> F8:
    """[3, 4] share that stays for a week: the annual one to the power of 1/52."""
    return np.asarray(stay_annual() ** (1.0 / WEEKS))


def leave_rates() -> F8:
    """[3, 5] rate at which the chain leaves a band, 1 / week; 0 for the last."""
    rates = np.zeros((len(CLASSES), BANDS))
    rates[:, : BANDS - 1] = -np.log(stay_weekly())
    return rates


def band_of(pci: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Band 0 (best) to 4 of a PCI; a limit belongs to the better band."""
    inner = np.array(EDGES[1:BANDS])[::-1]
    return np.asarray(BANDS - 1 - np.searchsorted(inner, np.asarray(pci, float), side="right"))


def slices(parts: int) -> F8:
    """[5 * parts + 1] limits of equal slices of the bands, best first."""
    edges = np.array(EDGES)
    inner = [np.linspace(a, b, parts + 1)[:-1] for a, b in pairwise(edges)]
    return np.concatenate([*inner, edges[-1:]])


def german_grade(pci: npt.ArrayLike) -> F8:
    """Condition grade (Zustandswert) 1 to 5: 1.5, 3.5 and 4.5 at PCI 88, 47 and 25.

    The limits of the classes are those of German practice; that they lie at these PCIs, with lines
    between, is an own choice that makes the two scales' classes meet.
    """
    return np.asarray(np.interp(np.asarray(pci, float), GRADE_PCI, GRADES))


def band_shares(klass: int, age_years: npt.ArrayLike) -> F8:
    """[ages, 5] share of sections in each band, of those built `age_years` ago, by the chain."""
    from scipy.linalg import expm

    rates = leave_rates()[klass] * WEEKS
    generator = np.diag(-rates) + np.diag(rates[:-1], 1)
    ages = np.atleast_1d(np.asarray(age_years, float))
    return np.asarray(expm(generator[None] * ages[:, None, None])[:, 0])


def quantile_paces(number: int, spread: float = SPREAD) -> F8:
    """Paces of the curve in the middle of so many classes of equal probability.

    Lognormal, and so that the mean of 1 / pace, and with it of the time in a band, is that of the
    class.
    """
    from scipy.stats import norm

    normal = norm.ppf((np.arange(number) + 0.5) / number)
    return np.asarray(np.exp(0.5 * spread**2 - spread * normal[::-1]))


@cache
def age_span(klass: int, model: str = "markov", share_bad: float = 121.0 / 732.0) -> float:
    """Years over which ages must be spread evenly to have a share of sections in bad condition.

    The default is Gelsenkirchen's: 121 of 732 km (WAZ).
    """
    from scipy.optimize import brentq

    bad = int(band_of(46.9))
    years_until_bad = float(CURVES[klass].age(EDGES[bad])) / quantile_paces(200)

    def excess(span: float) -> float:
        if model == "curve":
            return float(np.maximum(0.0, 1.0 - years_until_bad / span).mean() - share_bad)
        ages = (np.arange(60) + 0.5) / 60.0 * span
        return float(band_shares(klass, ages)[:, bad:].sum(axis=1).mean() - share_bad)

    return float(brentq(excess, 1.0, 400.0, xtol=0.01))
