"""Tidy frames to Matplotlib Axes, one function a figure. The same colour for the same outcome everywhere.

The figures stand in rooms of their own, by what they show; here they are all together, for notebooks and studies.
"""

from initodds.statistics.colours import COLOURS
from initodds.statistics.cost_figures import final_costs
from initodds.statistics.curve_figures import curves, outcome_curves
from initodds.statistics.dot_figures import outcome_dots, rate_dots
from initodds.statistics.labels import short
from initodds.statistics.map_figures import heat_map, outcome_map, phase_diagram, sweep_map
from initodds.statistics.panels import panels
from initodds.statistics.plane_figures import plane_map
from initodds.statistics.stuck_figures import escape_dots, point_map
from initodds.statistics.survival_figures import survival_curves

__all__ = [
    "COLOURS",
    "curves",
    "escape_dots",
    "final_costs",
    "heat_map",
    "map",
    "outcome_curves",
    "outcome_dots",
    "outcome_map",
    "panels",
    "phase_diagram",
    "point_map",
    "rate_dots",
    "short",
    "survival_curves",
    "sweep_map",
]

map = plane_map
"""Of a map of two settings; `panels(1, 6, 6)` has the Axes."""
