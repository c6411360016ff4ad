"""What libraries find as the loop's `_selector`: a view of what its reactor watches."""

import selectors


class ReactorSelector(selectors.BaseSelector):
    """The descriptors that a loop watches. They are watched by the loop's methods alone."""

    def __init__(self, loop):
        self._loop = loop

    def get_map(self):
        return {
            fd: selectors.SelectorKey(fd, fd, events, (reader, writer))
            for fd, events, reader, writer in self._loop._watched()
        }

    def get_key(self, fileobj):
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        try:
            return self.get_map()[fd]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def register(self, fileobj, events, data=None):
        raise NotImplementedError("files are watched by `add_reader` and `add_writer`")

    def unregister(self, fileobj):
        raise NotImplementedError("watches are ended by `remove_reader` and `remove_writer`")

    def select(self, timeout=None):
        raise NotImplementedError("the loop waits by itself")

    def close(self):
        self._loop._close_reactor()
