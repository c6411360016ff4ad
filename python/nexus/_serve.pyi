"""Types of the extension module behind ``nexus.serve``."""

import os
from collections.abc import Callable
from typing import Final, final

__all__ = ["BUILTINS", "Server", "__version__"]

__version__: str
BUILTINS: Final[list[str]]

@final
class Server:
    def __new__(
        cls,
        handler: str | Callable[[bytes], object],
        /,
        *,
        name: str,
        host: str,
        port: int,
        model_dir: str | os.PathLike[str] | None,
    ) -> Server: ...
    @property
    def url(self) -> str: ...
    @property
    def name(self) -> str: ...
    def ready(self) -> bool: ...
    def wait_ready(self, timeout: float) -> None: ...
    def stop(self) -> None: ...
