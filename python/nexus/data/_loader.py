"""What a loader says of itself."""

from typing import TypedDict


class LoaderState(TypedDict):
    """Where a :class:`~nexus.data.Loader` is, the same for all ranks. Plain numbers."""

    version: int
    seed: int
    epoch: int
    #: How many positions of the epoch's order all ranks have read.
    cursor: int
    #: How many rows there are.
    rows: int
    #: Tells the rows from others, as far as sizes tell.
    fingerprint: int
