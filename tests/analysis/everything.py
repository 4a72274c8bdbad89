"""All that can be made of a trace: what survives this has tables that fit together."""

import io
from collections.abc import Callable, Sequence
from typing import Final

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from rich.console import Console

import analysis
import plots
from analysis.commands.dump import dump
from analysis.destinations import json_text
from analysis.errors import GilscopeError
from analysis.report.summary import to_json
from analysis.report.tables.blame import blame_table, waiting_table
from analysis.report.terminal import print_summary
from analysis.whatif.report import print_what_if
from analysis.why.code.flames import collapsed, speedscope
from plots import PlotError


def nowhere() -> Console:
    """Return a console that nobody sees."""
    return Console(file=io.StringIO(), width=200)


def tables(trace: analysis.Trace) -> None:
    """Say everything that the commands say."""
    print_summary(trace, nowhere())
    json_text(to_json(trace))
    blame = analysis.code_blame(trace)
    nowhere().print(blame_table(trace, blame, 9), waiting_table(trace, blame, 9))
    list(collapsed(analysis.flame(trace)))
    speedscope(analysis.flame(trace), trace.path.name)
    dump(trace, io.StringIO())
    analysis.diff([trace], [trace])
    try:
        print_what_if(analysis.what_if(trace, analysis.Scenario(gil=False)), nowhere())
    except GilscopeError:  # there is nothing to replay
        pass


FIGURES: Final[tuple[Callable[[analysis.Trace], Axes], ...]] = (
    *(plots.timeline, plots.cpus, plots.ecdf, plots.handoff_matrix, plots.handoff_graph),
    *(plots.wait_anatomy, plots.blame, plots.flame),
)


def figures(trace: analysis.Trace, wanted: Sequence[Callable[[analysis.Trace], Axes]] = FIGURES) -> None:
    """Draw figures, those that there is something for."""
    for draw in wanted:
        try:
            figure = draw(trace).get_figure(root=True)
            assert figure is not None
            figure.draw_without_rendering()
        except PlotError:  # there is nothing of it
            pass
        finally:
            plt.close("all")
