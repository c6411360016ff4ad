"""Standing in for the ``safetensors`` package."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("safetensors", reason="the oracle: pip install safetensors==0.8.0")

PROGRAMS = {
    "modules are ours, by either name": """
        import nexus.safetensors
        nexus.safetensors.install()
        import safetensors, _safetensors_rust
        import safetensors.numpy
        from safetensors.numpy import save_file
        assert safetensors is nexus.safetensors
        assert save_file is nexus.safetensors.numpy.save_file
        assert safetensors.numpy.__name__ == "nexus.safetensors.numpy"
        assert safetensors.numpy.__spec__.name == "nexus.safetensors.numpy"
        assert safetensors._safetensors_rust is _safetensors_rust
        assert _safetensors_rust.safe_open is safetensors.safe_open
    """,
    "modules that are not there are missing": """
        import nexus.safetensors
        nexus.safetensors.install()
        try:
            import safetensors.nothing
        except ModuleNotFoundError as error:
            assert error.name == "safetensors.nothing"
        else:
            raise AssertionError
    """,
    "other packages see version 0.8.0": """
        import importlib.metadata, importlib.util
        import nexus.safetensors
        nexus.safetensors.install()
        assert importlib.metadata.version("safetensors") == "0.8.0"
        assert importlib.metadata.version("numpy") != "0.8.0"
        assert importlib.util.find_spec("safetensors") is not None
        assert importlib.util.find_spec("safetensors.numpy") is not None
    """,
    "what was imported before comes back": """
        import safetensors, safetensors.numpy
        theirs, their_numpy, their_open = safetensors, safetensors.numpy, safetensors.safe_open
        import nexus.safetensors
        for _ in range(2):
            nexus.safetensors.install()
            nexus.safetensors.install()
            from safetensors import safe_open
            assert safe_open is nexus.safetensors.safe_open
            nexus.safetensors.uninstall()
            nexus.safetensors.uninstall()
            import safetensors
            assert safetensors is theirs and safetensors.numpy is their_numpy
            assert safetensors.safe_open is their_open
    """,
    "without it, the package is found as ever": """
        import nexus.safetensors
        nexus.safetensors.install()
        nexus.safetensors.uninstall()
        import safetensors
        assert safetensors is not nexus.safetensors
        assert safetensors.__file__ != nexus.safetensors.__file__
    """,
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_install(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAMS[case])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
