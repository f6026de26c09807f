"""Policies that decide on the clock: baselines and trained agents."""
