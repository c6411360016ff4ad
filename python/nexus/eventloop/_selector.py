"""What libraries find as the loop's `_selector`: a view of what its reactor watches."""

import selectors
from collections.abc import Mapping
from typing import Any, NoReturn

from nexus import _eventloop


class ReactorSelector(selectors.BaseSelector):
    """The descriptors that a loop watches. They are watched by the loop's methods alone."""

    def __init__(self, loop: _eventloop.Core) -> None:
        self._loop = loop

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Tell what is watched, by descriptor."""
        return {
            fd: selectors.SelectorKey(fd, fd, events, (reader, writer))
            for fd, events, reader, writer in self._loop._watched()
        }

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Tell what is watched of one file."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        try:
            return self.get_map()[fd]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def register(self, fileobj: object, events: int, data: object = None) -> NoReturn:
        """Refuse: the loop watches."""
        raise NotImplementedError("files are watched by `add_reader` and `add_writer`")

    def unregister(self, fileobj: object) -> NoReturn:
        """Refuse: the loop watches."""
        raise NotImplementedError("watches are ended by `remove_reader` and `remove_writer`")

    def select(self, timeout: float | None = None) -> NoReturn:
        """Refuse: the loop waits."""
        raise NotImplementedError("the loop waits by itself")

    def close(self) -> None:
        """Close the reactor."""
        self._loop._close_reactor()
