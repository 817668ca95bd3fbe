"""Trilevel optimization by alternating gradient steps and hypergradients; knows no images."""

from .engine import Engine, Level
from .hypergradients import HYPERGRADIENTS, Hypergradient, finite_difference, neumann, unroll
from .paired_search import PairedSearch
from .problem import TrilevelProblem
from .vectors import effective_learning_rates

__all__ = [
    "HYPERGRADIENTS",
    "Engine",
    "Hypergradient",
    "Level",
    "PairedSearch",
    "TrilevelProblem",
    "effective_learning_rates",
    "finite_difference",
    "neumann",
    "unroll",
]
