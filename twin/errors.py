"""The errors that a user of the twin may meet.

Every message is one line: what was wrong, where, which value, and what to do.
"""

from __future__ import annotations


class TwinError(Exception):
    """Anything that the twin refuses, with a message meant for its user."""


class InputError(TwinError):
    """A file, folder or value that was handed in cannot be used."""


class ScenarioError(InputError):
    """A scenario asks for something that is unknown, contradictory or impossible."""


class OutputError(TwinError):
    """A result cannot be written where it was asked to be written."""


class SimulationError(TwinError):
    """The simulation was asked for something that its rules do not allow."""
