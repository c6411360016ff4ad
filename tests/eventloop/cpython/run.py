"""CPython's own tests of asyncio, on the loop of `nexus.eventloop` or on asyncio's.

    python tests/eventloop/cpython/run.py [--loop nexus|asyncio] [--json FILE] [MODULE ...]

The loop is put in the place of asyncio's before a test is imported. The run says how many loops
were made and how many of them were ours, and fails where a case of `test_events` or `test_streams`
ran on another. What is left out is in `excluded.txt`, with the reason. `--compare` runs both, each
in a process of its own, and fails where ours fails a test that asyncio passes.
"""

import argparse
import faulthandler
import fnmatch
import importlib
import importlib.util
import json
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

MODULES = [
    "test_base_events",
    "test_buffered_proto",
    "test_context",
    "test_eager_task_factory",
    "test_events",
    "test_free_threading",
    "test_futures",
    "test_futures2",
    "test_locks",
    "test_pep492",
    "test_protocols",
    "test_queues",
    "test_runners",
    "test_selector_events",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_staggered",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_threads",
    "test_timeouts",
    "test_transports",
    "test_unix_events",
    "test_waitfor",
]
OURS_ALONE = ("test_events", "test_streams")
SECONDS_MAX = 30


class TooLong(Exception):
    """A test takes longer than `SECONDS_MAX`."""


def put_loop_in_place():
    """Have asyncio make our loops; returns how many loops of each class were made."""
    import asyncio
    from asyncio import base_events, unix_events

    from nexus import eventloop

    for name in ("SelectorEventLoop", "EventLoop"):
        if hasattr(unix_events, name):
            setattr(unix_events, name, eventloop.EventLoop)
            setattr(asyncio, name, eventloop.EventLoop)
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = eventloop.EventLoop
    unix_events.DefaultEventLoopPolicy._loop_factory = eventloop.EventLoop
    return count_loops(base_events)


def count_loops(base_events):
    made = {}
    init = base_events.BaseEventLoop.__init__

    def counted(self):
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        made[name] = made.get(name, 0) + 1
        init(self)

    base_events.BaseEventLoop.__init__ = counted
    return made


def excluded():
    """Patterns of tests that are left out on this Python."""
    lines = (Path(__file__).parent / "excluded.txt").read_text("utf-8").splitlines()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    rows = [line.split(None, 2) for line in lines if line and not line.startswith("#")]
    return [pattern for versions, pattern, _ in rows if versions in (version, "all")]


class Result(unittest.TestResult):
    """Results by test, with a limit of time for each."""

    def __init__(self, patterns):
        super().__init__()
        self.patterns = patterns
        self.failed = {}
        self.left_out = 0

    def startTest(self, test):
        super().startTest(test)
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(SECONDS_MAX)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def note(self, test, error):
        self.failed[test.id()] = "".join(self._exc_info_to_string(error, test))[-2000:]

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, err)


def too_long(*_):
    raise TooLong


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def run_module(name, patterns):
    module = importlib.import_module(f"test.test_asyncio.{name}")
    tests = list(tests_of(unittest.defaultTestLoader.loadTestsFromModule(module)))
    kept = [t for t in tests if not any(fnmatch.fnmatch(t.id(), p) for p in patterns)]
    result = Result(patterns)
    unittest.TestSuite(kept).run(result)
    return result, len(tests) - len(kept)


def run(arguments):
    # A shell starts background work with Ctrl-C ignored, which tests of it do not expect.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable()
    if arguments.loop == "nexus":
        made = put_loop_in_place()
    else:
        from asyncio import base_events

        made = count_loops(base_events)
    patterns = excluded() if arguments.loop == "nexus" else []
    available = importlib.util.find_spec("test.test_asyncio").submodule_search_locations[0]
    modules = [m for m in arguments.modules if (Path(available) / f"{m}.py").exists()]
    report = {"failed": {}, "run": 0, "left_out": 0, "modules": len(modules), "foreign": {}}
    for name in modules:
        before = dict(made)
        start = time.monotonic()
        result, left_out = run_module(name, patterns)
        report["failed"].update(result.failed)
        report["run"] += result.testsRun
        report["left_out"] += left_out
        loops = {key: made[key] - before.get(key, 0) for key in made}
        if name in OURS_ALONE:
            real = {key: n for key, n in loops.items() if n and key.endswith("SelectorEventLoop")}
            report["foreign"].update(real)
        seconds = time.monotonic() - start
        print(
            f"{name:26} {result.testsRun:5} run {len(result.failed):4} failed"
            f" {len(result.skipped):4} skipped {left_out:3} left out {seconds:6.1f} s",
            flush=True,
        )
    ours = sum(n for key, n in made.items() if key.startswith("nexus."))
    report["loops"], report["ours"] = sum(made.values()), ours
    print(f"{arguments.loop}, Python {sys.version.split()[0]}: {report['run']} run,", end=" ")
    print(f"{len(report['failed'])} failed, {report['left_out']} left out;", end=" ")
    print(f"{ours} of {report['loops']} loops were ours")
    for test in report["failed"]:
        print(f"  failed: {test}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1), "utf-8")
    is_ours = arguments.loop != "nexus" or (ours > 0 and not report["foreign"])
    return 1 if report["failed"] or not is_ours else 0


def compare(arguments):
    """Run both; what fails with asyncio alone is this machine's."""
    import tempfile

    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        for loop in ("asyncio", "nexus"):
            file = Path(folder) / f"{loop}.json"
            command = [sys.executable, __file__, "--loop", loop, "--json", str(file)]
            subprocess.run([*command, *arguments.modules], check=False)
            reports[loop] = json.loads(file.read_text("utf-8"))
    new = sorted(set(reports["nexus"]["failed"]) - set(reports["asyncio"]["failed"]))
    for test in new:
        print(f"fails on nexus.eventloop alone: {test}\n{reports['nexus']['failed'][test]}")
    if reports["nexus"]["foreign"]:
        print(f"loops that were not ours: {reports['nexus']['foreign']}")
    return 1 if new or reports["nexus"]["foreign"] or not reports["nexus"]["ours"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loop", choices=["nexus", "asyncio"], default="nexus")
    parser.add_argument("--compare", action="store_true", help="run both, each in its process")
    parser.add_argument("--json", help="write the report to this file")
    parser.add_argument("modules", nargs="*", default=MODULES)
    arguments = parser.parse_args()
    sys.exit(compare(arguments) if arguments.compare else run(arguments))


if __name__ == "__main__":
    main()
