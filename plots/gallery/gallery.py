"""Runs experiments one after the other, and keeps what comes of each at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from analysis.errors import GilscopeError

from ..style import style
from . import pages, results
from .errors import ExperimentError
from .experiment import Experiment
from .interpreters import Interpreters
from .lab import Lab
from .machine import machine
from .results import Result
from .slide import Form, Slide

TRACES: Final = "traces"
"""The directory in a gallery that holds what was recorded."""


@dataclass
class Gallery:
    """A directory with figures, pages and results.

    Parameters
    ----------
    order : sequence of str
        The names of all experiments, as the pages list them.
    say : callable
        Is told what is being done: (experiment, words).
    """

    directory: Path
    order: Sequence[str]
    interpreters: Interpreters
    quick: bool = False
    form: Form = field(default_factory=Form)
    say: Callable[[str, str], None] = lambda name, text: None

    def open(self, *, force: bool = False) -> None:
        """Make the directory, or go on with the gallery that is there.

        Raises
        ------
        ExperimentError
            There are files of other origin in it. With `force` those stay too, but for ones whose names the
            gallery needs.
        """
        if self.directory.exists() and not self.directory.is_dir():
            raise ExperimentError(f"{self.directory} is no directory: choose another with -o")
        self.results = results.load(self.directory)
        occupied = self.directory.exists() and any(self.directory.iterdir())
        if occupied and not self.results and not force:
            raise ExperimentError(
                f"{self.directory} holds files that are no gallery's: choose another directory with -o,"
                " or add to it with --force"
            )
        self.directory.mkdir(parents=True, exist_ok=True)

    def show(self, experiment: Experiment, *, redraw: bool = False) -> Result:
        """Run an experiment, draw it, and write the pages anew; return what came of it."""
        name = experiment.NAME
        lab = Lab(
            self.directory / TRACES / name,
            self.interpreters,
            self.quick,
            lambda text: self.say(name, text),
        )
        before = self.results.get(name)
        try:
            result = self._redrawn(experiment, lab, before) if redraw else self._run(experiment, lab)
        except Exception as error:  # whatever it is, the others go on
            kind = "" if isinstance(error, (GilscopeError, OSError)) else f"{type(error).__name__}: "
            result = self._blank(experiment, "failed", kind + " ".join(str(error).split()))
        # What was measured once stays, where it can't be repeated now.
        if not (result.status == "left out" and before is not None and before.status == "measured"):
            self.results[name] = result
        results.save(self.directory, self.results)
        listed = [self.results[each] for each in self.order if each in self.results]
        pages.write(self.directory, listed)
        return result

    def _blank(self, experiment: Experiment, status: results.Status, why: str) -> Result:
        return Result(
            experiment.NAME,
            experiment.ABOUT,
            experiment.PUBLISHED,
            status,
            why,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            quick=self.quick,
        )

    def _run(self, experiment: Experiment, lab: Lab) -> Result:
        missing = experiment.needs(lab)
        if missing:
            return self._blank(experiment, "left out", ", ".join(missing))
        before = self.results.get(experiment.NAME)
        begin, where = time.monotonic(), machine(self.interpreters)
        values = experiment.run(lab)
        blank = self._blank(experiment, "measured", "")
        self.say(experiment.NAME, "drawing")
        drawn = self._draw(experiment, lab, replace(blank, values=values, machine=where))
        for stale in set(before.figures if before else ()) - set(drawn.figures):
            (self.directory / stale).unlink(missing_ok=True)  # another form, of what was measured before
        return replace(drawn, seconds=round(time.monotonic() - begin, 3))

    def _redrawn(self, experiment: Experiment, lab: Lab, before: Result | None) -> Result:
        if before is None or before.status != "measured":
            return self._blank(experiment, "left out", "not measured yet, so there is nothing to redraw")
        return self._draw(experiment, lab, before)

    def _draw(self, experiment: Experiment, lab: Lab, result: Result) -> Result:
        values = result.values
        shape = experiment.shape(values)
        title = experiment.title(values)
        with style():
            slide = Slide(self.form, column=experiment.COLUMN)
            experiment.draw(slide, values, lab)
        written = [path.name for path in slide.save(self.directory / experiment.NAME)]
        others = [name for name in result.figures if (self.directory / name).is_file()]  # other forms
        return replace(
            result,
            about=experiment.ABOUT,
            published=experiment.PUBLISHED,
            title=title,
            caption=experiment.caption(values),
            shape=shape.holds,
            criterion=shape.criterion,
            figures=sorted({*others, *written}),
        )
