"""Torch tensors, where torch is installed."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nexus.safetensors import safe_open

torch = pytest.importorskip("torch", reason="./x test --with torch")
ours = pytest.importorskip("nexus.safetensors.torch")

BACKENDS = ["auto", "mmap", "populate", "pread", "direct", "uring"]
TYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "float8_e4m3fn", "float8_e5m2",
]  # fmt: skip


def tensors() -> dict[str, object]:
    found = {name: torch.ones(2, 3).to(getattr(torch, name)) for name in TYPES}
    return found | {"scalar": torch.tensor(3), "none": torch.empty(0, 2)}


def test_tensors_come_back_equal(tmp_path: Path) -> None:
    ours.save_file(tensors(), tmp_path / "x", {"format": "pt"})
    for read in [
        *(ours.load_file(tmp_path / "x", backend=backend) for backend in BACKENDS),
        *(safe_open(tmp_path / "x", "pt", backend=backend).get_tensors() for backend in BACKENDS),
        ours.load((tmp_path / "x").read_bytes()),
    ]:
        assert sorted(read) == sorted(tensors())
        for name, tensor in tensors().items():
            assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
            assert read[name].tolist() == tensor.tolist()
    with safe_open(tmp_path / "x", framework="pt") as file:
        file["float32"].add_(1)
        assert torch.equal(file["float32"], torch.full((2, 3), 2.0)), "views of one map"
    assert torch.equal(ours.load_file(tmp_path / "x")["float32"], torch.ones(2, 3))


def test_bytes_equal_those_of_the_peer() -> None:
    theirs = pytest.importorskip("safetensors.torch")
    assert ours.save(tensors(), {"format": "pt"}) == theirs.save(tensors(), {"format": "pt"})


def test_dlpack_shares_memory(tmp_path: Path) -> None:
    ours.save_file({"x": torch.zeros(4)}, tmp_path / "x")
    with safe_open(tmp_path / "x", framework=None) as file:
        tensor = file["x"]
    imported = torch.from_dlpack(tensor)
    imported += 1
    assert memoryview(tensor).tolist() == [1.0] * 4


class Tied(torch.nn.Module):
    """Two layers of one weight, and one of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.one = torch.nn.Linear(3, 3)
        self.two = torch.nn.Linear(3, 3)
        self.three = torch.nn.Linear(3, 3, bias=False)
        self.two.weight = self.one.weight


def overlapping() -> dict[str, object]:
    base = torch.arange(24.0)
    return {"a": base, "b": base[:6].reshape(2, 3), "c": base[6:12], "d": torch.ones(2)}


BASE = torch.arange(6.0).reshape(2, 3)
REFUSED = {
    "not contiguous": {"x": BASE.T},
    "shared": {"y": BASE, "x": BASE[:1]},
    "overlapping": overlapping(),
    "sparse": {"z": BASE, "x": BASE.to_sparse()},
    "no tensor": {"x": BASE, "y": 1},
    "no dictionary": [BASE],
    "no text": {1: BASE},
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_tensors_that_cannot_be_saved_are_refused_in_the_words_of_the_peer(case: str) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    with pytest.raises(Exception) as their_error:
        theirs.save(REFUSED[case])
    with pytest.raises(type(their_error.value)) as our_error:
        ours.save(REFUSED[case])
    assert str(our_error.value) == str(their_error.value)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(ValueError, match='Unknown dtype "complex128"'):
        ours.save({"x": BASE.to(torch.complex128)})


def test_shared_memory_is_found_as_the_peer_finds_it() -> None:
    theirs = pytest.importorskip("safetensors.torch")
    source = random.Random(5)
    for _ in range(300):
        stores = [torch.zeros(16) for _ in range(3)]
        state = {}
        for name in range(source.randint(0, 8)):
            start, end = sorted([source.randint(0, 16), source.randint(0, 16)])
            store = source.choice(stores)
            state[f"t{name}"] = store if source.random() < 0.4 else store[start:end]
        assert ours._find_shared_tensors(state) == theirs._find_shared_tensors(state)
        options = {
            "preferred_names": source.sample(sorted(state), k=len(state) // 2),
            "discard_names": source.sample(sorted(state), k=len(state) // 2),
        }
        results = []
        for room in (ours, theirs):
            try:
                results.append(dict(room._remove_duplicate_names(state, **options)))
            except RuntimeError as error:
                results.append(str(error))
        assert results[0] == results[1]
        for tensor in state.values():
            for name in ["storage_ptr", "storage_size", "_end_ptr", "_is_complete"]:
                assert getattr(ours, name)(tensor) == getattr(theirs, name)(tensor)
    meta = torch.empty(3, device="meta")
    assert ours._find_shared_tensors({"x": meta, "y": meta}) == []


def test_tables_equal_those_of_the_peer() -> None:
    theirs = pytest.importorskip("safetensors.torch")
    assert ours._SIZE == theirs._SIZE
    assert theirs._TYPES.items() <= ours._TYPES.items()
    assert ours._getdtype("BF16") == torch.bfloat16
    tensor = torch.arange(4, dtype=torch.bfloat16)
    assert ours._to_ndarray(tensor)[0].tobytes() == theirs._to_ndarray(tensor)[0].tobytes()
    assert ours._tobytes(tensor, "x") == ours._to_ndarray(tensor)[0].tobytes()
    data = ours.save({"x": tensor, "none": torch.empty(0, 2)})
    read = ours._view2torch(ours.deserialize(data))
    assert torch.equal(read["x"], tensor) and read["none"].shape == (0, 2)


def test_models_with_tied_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    model, again = Tied(), Tied()
    metadata = {"k": "v"}
    ours.save_model(model, str(tmp_path / "ours"), metadata)
    assert metadata == {"k": "v"}
    theirs.save_model(model, str(tmp_path / "theirs"))
    with safe_open(tmp_path / "ours", "pt") as file:
        assert file.metadata() == {"k": "v", "two.weight": "one.weight"}
    for name in ["ours", "theirs"]:
        assert ours.load_model(again, tmp_path / name) == (set(), [])
        assert all(map(torch.equal, again.state_dict().values(), model.state_dict().values()))
    other = torch.nn.Sequential(torch.nn.Linear(3, 3))
    assert ours.load_model(other, tmp_path / "ours", strict=False) == theirs.load_model(
        other, tmp_path / "ours", strict=False
    )
    texts = []
    for room in (ours, theirs):
        with pytest.raises(RuntimeError) as error:
            room.load_model(other, tmp_path / "ours")
        texts.append(str(error.value))
    assert texts[0] == texts[1]


def test_saving_a_model_that_is_not_contiguous_says_what_to_do(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    model = torch.nn.Linear(2, 3)
    model.weight = torch.nn.Parameter(torch.ones(2, 3).T)
    texts = []
    for room in (ours, theirs):
        with pytest.raises(ValueError, match="force_contiguous=True") as error:
            room.save_model(model, str(tmp_path / "x"), force_contiguous=False)
        texts.append(str(error.value))
    assert texts[0] == texts[1]
    ours.save_model(model, str(tmp_path / "x"))


INDICES = [
    ..., (), slice(None), 1, -1, (0, 1), slice(1, None), (slice(None), slice(None, None, 2)), None,
    (None, 0), (..., 0), True, [1, 0], [], (0, [2, 1]), slice(5, 2), torch.tensor([1]), 7,
    (0, 0, 0), 1.5, (..., ...),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=repr)
@pytest.mark.parametrize("backend", BACKENDS)
def test_slices_are_what_torch_makes_of_them(tmp_path: Path, index: object, backend: str) -> None:
    ours.save_file({"x": BASE}, tmp_path / "x")
    part = safe_open(tmp_path / "x", "pt", backend=backend).get_slice("x")
    try:
        wanted = BASE[index]
    except Exception as error:
        with pytest.raises(type(error)) as found:
            part[index]
        assert str(found.value) == str(error)
    else:
        found = part[index]
        assert found.dtype == wanted.dtype and torch.equal(found, wanted)
        assert found.shape == wanted.shape


def test_slices_go_backwards_and_share_memory_where_they_can(tmp_path: Path) -> None:
    ours.save_file({"x": BASE}, tmp_path / "x")
    file = safe_open(tmp_path / "x", "pt")
    part = file.get_slice("x")
    assert part[::-1, ::-2].tolist() == [[5.0, 3.0], [2.0, 0.0]]
    part[...][0, 0] = 8
    part[:, 1][1] = 9
    assert file["x"].tolist() == [[8.0, 1.0, 2.0], [3.0, 9.0, 5.0]]


def test_packed_and_unaligned_tensors_are_read(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    header = (
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]},'
        b'"c":{"dtype":"BF16","shape":[1,2],"data_offsets":[17,21]},'
        b'"d":{"dtype":"F4","shape":[2,4],"data_offsets":[21,25]},'
        b'"e":{"dtype":"F8_E4M3FNUZ","shape":[2],"data_offsets":[25,27]},'
        b'"f":{"dtype":"F8_E8M0","shape":[0,3],"data_offsets":[27,27]}}'
    )
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + bytes(range(27)))
    mine, peer = ours.load_file(tmp_path / "x"), theirs.load_file(tmp_path / "x")
    for name, tensor in peer.items():
        assert (mine[name].dtype, mine[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(mine[name].view(torch.uint8), tensor.view(torch.uint8))
        again = mine[name].clone()
        again.view(torch.uint8)[...] = 0
    mine["b"].add_(1)
    with safe_open(tmp_path / "x", "pt") as file:
        assert file.get_slice("d")[1].view(torch.uint8).tolist() == [23, 24]
        assert file.get_slice("e")[1:].view(torch.uint8).tolist() == [26]
        assert file.get_slice("c")[0, 1:].view(torch.uint8).tolist() == [19, 20]


def test_packed_types_are_saved_as_the_peer_saves_them() -> None:
    theirs = pytest.importorskip("safetensors.torch")
    source = torch.arange(8, dtype=torch.uint8)
    for name in ["float4_e2m1fn_x2", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"]:
        if not hasattr(torch, name):
            continue
        tensor = source.view(getattr(torch, name)).reshape(2, 4)
        assert ours.save({"x": tensor}) == theirs.save({"x": tensor})
        read = ours.load(ours.save({"x": tensor}))["x"]
        assert torch.equal(read.view(torch.uint8), tensor.view(torch.uint8))


def test_values_that_are_still_to_be_conjugated_are_saved_as_they_read() -> None:
    tensor = torch.tensor([1 + 2j], dtype=torch.complex64)
    read = ours.load(ours.save({"x": tensor.conj(), "y": torch.tensor([3 + 2j]).conj().imag}))
    assert read["x"].tolist() == [1 - 2j]
    assert read["y"].tolist() == [-2.0]


def test_loaded_bytes_are_writable() -> None:
    data = ours.save({"x": BASE})
    read = ours.load(data)["x"]
    read.zero_()
    assert torch.equal(ours.load(data)["x"], BASE)


def test_devices_without_a_driver_are_refused_by_torch(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a driver")
    theirs = pytest.importorskip("safetensors.torch")
    ours.save_file({"x": BASE}, tmp_path / "x")
    for device in ["cuda", "cuda:1", 0, "npu:0", "hpu"]:
        with pytest.raises(Exception) as their_error:
            theirs.load_file(tmp_path / "x", device=device)
        with pytest.raises(type(their_error.value)) as our_error:
            ours.load_file(tmp_path / "x", device=device)
        assert str(our_error.value) == str(their_error.value)


def test_threads_read_tensors_at_once(tmp_path: Path) -> None:
    ours.save_file({str(at): torch.full((64,), float(at)) for at in range(32)}, tmp_path / "x")
    with safe_open(tmp_path / "x", "pt") as file, ThreadPoolExecutor(4) as pool:

        def total(at: int) -> float:
            return float(file.get_slice(str(at % 32))[...].sum())

        assert list(pool.map(total, range(640))) == [64.0 * (at % 32) for at in range(640)]


PROGRAM = """
import sys
import nexus.safetensors
nexus.safetensors.install()
import torch, transformers
config = transformers.BertConfig(
    vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=37
)
model = transformers.BertForMaskedLM(config).eval()
model.save_pretrained(sys.argv[1], max_shard_size="20KB")
again = transformers.BertForMaskedLM.from_pretrained(sys.argv[1]).eval()
ids = torch.arange(10)[None]
with torch.no_grad():
    assert torch.equal(model(ids).logits, again(ids).logits)
import safetensors
assert safetensors.safe_open is nexus.safetensors.safe_open
assert transformers.modeling_utils.safe_open is nexus.safetensors.safe_open
print(len(list(__import__("pathlib").Path(sys.argv[1]).glob("*.safetensors"))))
"""


def test_transformers_saves_and_loads_a_bert_unchanged(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="./x test --with torch,transformers")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 1
