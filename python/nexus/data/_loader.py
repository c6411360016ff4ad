"""What a loader says of itself."""

from typing import TypedDict


class LoaderState(TypedDict):
    """Where a loader is, the same for all ranks: plain numbers.

    Of a :class:`~nexus.data.Loader` or an :class:`~nexus.data.ImageLoader`.
    """

    version: int
    seed: int
    epoch: int
    #: How many positions of the epoch's order all ranks have read.
    cursor: int
    #: How many rows there are.
    rows: int
    #: Tells the rows and the way they are shuffled from others, as far as sizes tell.
    fingerprint: int
