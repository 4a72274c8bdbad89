"""What an experiment is: a module with these names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from .lab import Lab
    from .slide import Slide

Values = dict[str, Any]
"""What an experiment measured: JSON. Times in seconds, shares from 0 to 1, if the name doesn't say else."""


@dataclass(frozen=True)
class Shape:
    """Whether what was measured has the published shape, and by which criterion that is said."""

    holds: Literal["yes", "no", "partly"]
    criterion: str


def shape_of(criteria: dict[str, bool]) -> Shape:
    """Return a Shape from criteria by their texts: it holds if all are met, and partly if some are.

    Raises
    ------
    ValueError
        If there are none.
    """
    if not criteria:
        raise ValueError("a shape needs a criterion")
    met = sum(criteria.values())
    texts = "; ".join(f"{text}: {'yes' if holds else 'no'}" for text, holds in criteria.items())
    return Shape("yes" if met == len(criteria) else "partly" if met else "no", texts)


class Experiment(Protocol):
    """One experiment. All but `run` and `needs` are functions of what was measured alone."""

    @property
    def NAME(self) -> str:
        """What it is called on the command line; the figure's file name."""

    @property
    def ABOUT(self) -> str:
        """The question, in a line."""

    @property
    def SECONDS(self) -> float:
        """About how long it runs: for the progress bar."""

    @property
    def COLUMN(self) -> bool:
        """Whether it can be read in one column of a paper; else it is as wide as the page."""

    @property
    def PUBLISHED(self) -> str:
        """What was published, and where."""

    def needs(self, lab: Lab) -> list[str]:
        """Return what is missing here to run it: "python2.7", "a second CPU"."""

    def run(self, lab: Lab) -> Values:
        """Run and record programs; return what was measured."""

    def title(self, values: Values) -> str:
        """Return the finding, with its number."""

    def caption(self, values: Values) -> str:
        """Return some sentences with the measured figures."""

    def shape(self, values: Values) -> Shape:
        """Return whether what was published holds here too."""

    def draw(self, slide: Slide, values: Values, lab: Lab) -> None:
        """Draw it, from the values and from the traces that `run` left in the lab."""
