"""Tests of the city model."""
