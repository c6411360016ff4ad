"""What a loop tells of itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """What waits in a loop, and what it has done since it was made.

    Counters only grow; the difference of two is what has happened between.
    """

    ready: int
    """Callbacks, and transports whose socket is ready, that wait to be run."""
    timers: int
    """Timers that wait for their time."""
    callbacks: int
    """What has been taken from the ready queue to be run; cancelled callbacks too."""
    steps: int
    """Steps of the loop: each runs what was ready when it began."""
    polls: int
    """Steps that asked the system which descriptors are ready."""
    system_calls: int
    """Native calls of the system for that, to receive and to send; not those of inherited code."""
    lag: tuple[int, ...]
    """A histogram of the time that callbacks of a step took, and so of how late others are.

    `lag[i]` counts steps below 2**i microseconds and not below half of that; the last place has all
    that are longer.
    """
