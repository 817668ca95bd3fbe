"""Multi-level optimization of three nested problems, free of any medical detail."""

from .engine import Engine, Level
from .hypergradients import HYPERGRADIENTS, Hypergradient, finite_difference, neumann, unroll
from .levels import Trilevel, adam_steps

__all__ = [
    "HYPERGRADIENTS",
    "Engine",
    "Hypergradient",
    "Level",
    "Trilevel",
    "adam_steps",
    "finite_difference",
    "neumann",
    "unroll",
]
