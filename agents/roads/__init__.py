"""Policies for the upkeep of roads."""
