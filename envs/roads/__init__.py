"""Environments over the upkeep of roads."""
