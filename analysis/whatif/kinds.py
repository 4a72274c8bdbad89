"""Numbers that the program, the scenario and the machine have in common."""

from __future__ import annotations

# Kinds of steps, and what their `amount` is.
PYTHON = 0  # ns of work with a GIL
NATIVE = 1  # ns of work without one
BLOCKED = 2  # ns that pass, whatever happens
AWAIT = 3  # the event to wait for, that another thread posts

# What was recorded of a GIL, to draw from: pool 4 × gil + one of these. Behind them comes one pool for each
# thread: from the request of a drop to the release, in ns of work.
FORCED = 0  # release that answers a request → take by a waiter
VOLUNTARY = 1  # the same of other releases
EXCESS = 2  # what a timed wait that runs out takes longer than the switch interval
RETURN = 3  # take by another thread → the thread that was asked to drop it goes on

QUANTUM = 3_000_000
"""ns that a thread has a CPU for while others queue up."""

AWAKE = 3_000
"""ns after its request in which a waiter has not gone to sleep again: a release then is its own to take."""
