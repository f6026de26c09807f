"""What the report prints as assumptions of the roads room."""

from __future__ import annotations

from twin.roads import costs, decade, deterioration, inventory, treatments

Row = tuple[str, float | str, str, str]
OWN = "own estimate"
SOMERVILLE = "pavement management of Somerville, Massachusetts (Hadley)"


def rows() -> list[Row]:
    """Rows (name, value, unit, source): ageing, seeing, works, prices."""
    prices, settings = costs.DEFAULT, decade.Settings()
    found: list[Row] = [
        ("spread of the pace of ageing", deterioration.SPREAD, "of the logarithm", OWN),
        ("ageing by heavy vehicles", inventory.LOAD_SHARE, "1", OWN),
        ("ageing by frost", settings.frost_share, "1", OWN),
        ("trenches of utilities", settings.trenches_per_year, "1/(section year)", OWN),
        ("PCI that a trench costs", settings.trench_loss, "PCI", OWN),
        ("share of bad roads at the start", 100.0 * 121.0 / 732.0, "%", "Gelsenkirchen (WAZ)"),
        ("reports of road damage", inventory.REPORTS_PER_1000, "1/(1000 people year)",
         "Gelsenkirchen 2018: 476"),
    ]  # fmt: skip
    for name, seen, false in zip(
        inventory.DAMAGES, inventory.SEEN, inventory.FALSE_SHARE, strict=True
    ):
        found.append((f"{name}: share that a pass detects", seen, "1", "CRDDC2022, single models"))
        found.append((f"{name}: false ones among detections", false, "1", "CRDDC2022"))
    for treatment in treatments.TREATMENTS:
        euros = " / ".join(f"{treatment.eur_m2(k):.1f}" for k in range(3))
        found.append(
            (f"{treatment.name}, residential / collector / arterial", euros, "€/m²",
             f"{SOMERVILLE}, at {treatments.EUR_PER_USD} €/$, price year {treatments.PRICE_YEAR}")
        )  # fmt: skip
    found += [
        ("works by night", treatments.NIGHT_SURCHARGE, "of the price", OWN),
        ("moratorium after a treatment", float(treatments.MORATORIUM_YEARS), "years", SOMERVILLE),
        ("budget unless stated", decade.BUDGET_EUR_M2, "€/m² year", "Gelsenkirchen 2026"),
        ("paid outside the budget of works", "patches and reports", "–", OWN),
        ("a vehicle's hour", prices.time_eur_h, "€/h", f"{OWN}, {costs.PRICE_YEAR}"),
        ("CO₂", prices.co2_eur_t, "€/t", "UBA, Handbuch Umweltkosten 4.0, 2026"),
        ("fuel on a smooth street", prices.fuel_eur_km, "€/km", f"{OWN}, {costs.PRICE_YEAR}"),
        ("fuel by roughness", 2.5, "% per m/km", "Chatti and Zaabar 2012, NCHRP 720"),
        ("repair by roughness of 4 and 5 m/km", "10 / 40", "%", "Chatti and Zaabar 2012"),
        ("roughness", "(120 − PCI) / 0.224", "in/mi", "after Arhin et al. 2015, from memory"),
        ("discount", 100.0 * prices.discount, "% per year", "BVWP 2030, from memory"),
    ]  # fmt: skip
    return found
