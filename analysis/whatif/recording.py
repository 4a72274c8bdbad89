"""What the replay's program is made from: intervals with the work that was done in them, and their order."""

from __future__ import annotations

from functools import cached_property

from .recorded.answers import Answers, answers_of
from .recorded.order import LockOrder, order_of
from .recorded.work import RecordedWork


class Recording(RecordedWork):
    """A trace as the replay sees it: its intervals, the work in them, and what GILs made of it."""

    @cached_property
    def orders(self) -> list[LockOrder]:
        """The holds in the order of the lock, one for each GIL."""
        return [order_of(self, gil) for gil in self.trace.gils]

    @cached_property
    def answers(self) -> list[Answers]:
        """For each of `orders` which holds answered a request."""
        return [answers_of(self, order) for order in self.orders]
