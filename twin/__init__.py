"""Stadtzwilling: an open digital twin of a city for planning."""
