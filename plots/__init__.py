"""Figures of a trace: functions that take data and return `Axes`."""

from .timeline import save_timeline, timeline
from .window import PlotError

__all__ = ["PlotError", "save_timeline", "timeline"]
