"""What is measured: contestants, and the tables that they are in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
#: How far the numbers of two contestants may be apart.
TOLERANCE = {"f64": 1e-6, "f32": 2e-2}
#: Types of products of low precision; int64_small has numbers of up to 31 bits, int64 of up to 63.
TOLERANCE |= {"bf16": 1e-2, "f16": 1e-2}
TOLERANCE |= dict.fromkeys(("int8", "int32", "int64_small", "int64"), 0.0)
#: Bytes of an item of a QMatrix.
BLOCKS = {"q8_0": 34 / 32, "q4_0": 18 / 32}
TOLERANCE |= {"q8_0": 2e-2, "q4_0": 0.2}
#: How many flops a call of order n has, where the number is known.
FLOPS = {
    "matmul": lambda n: 2 * n**3,
    "matmul_t": lambda n: 2 * n**3,
    "gemv": lambda n: 2 * n**2,
    "solve": lambda n: 2 / 3 * n**3 + 2 * n**2,
    "det": lambda n: 2 / 3 * n**3,
    "lu": lambda n: 2 / 3 * n**3,
    "inv": lambda n: 2 * n**3,
    "cholesky": lambda n: n**3 / 3,
    "qr": lambda n: 8 / 3 * n**3,
}

Cell = tuple[str, int, str, int, int]


@dataclass(frozen=True)
class Contestant:
    """A name in the tables; where its program is; the word that chooses it there."""

    name: str
    place: str
    word: str
    variables: tuple[tuple[str, str], ...] = ()


OURS = Contestant("nexus", "here", "nexus")
#: Ours in a run on several threads, told to use one: a keyword takes time too.
ONE = Contestant("nexus, threads=1", "here", "nexus-one")
NUMPY = Contestant("NumPy", "numpy", "numpy")
TORCH = Contestant("torch", "torch", "torch")
PYTHON = [
    OURS,
    ONE,
    NUMPY,
    Contestant("NumPy as SKYLAKEX", "numpy", "numpy", (("OPENBLAS_CORETYPE", "SKYLAKEX"),)),
    Contestant("MKL", "mkl", "mkl"),
    TORCH,
    Contestant("JAX", "jax", "jax"),
]
OURS_RUST = Contestant("nexus in Rust", "rust", "nexus")
NATIVE = [
    OURS_RUST,
    Contestant("faer", "rust", "faer"),
    Contestant("gemm", "rust", "gemm"),
    Contestant("matrixmultiply", "rust", "matrixmultiply"),
    Contestant("nalgebra", "rust", "nalgebra"),
    Contestant("Eigen", "eigen", "eigen"),
]
TINY = [
    Contestant("nexus Matrix", "here", "nexus-matrix"),
    Contestant("nexus on lists", "here", "nexus-lists"),
    Contestant("nexus on NumPy", "here", "nexus"),
    NUMPY,
    Contestant("NumPy on lists", "numpy", "numpy-lists"),
    TORCH,
    Contestant("PyGLM", "numpy", "glm"),
]
MACHINE = Contestant("machine", "rust", "machine")


@dataclass
class Group:
    """One table for each type and number of threads."""

    name: str
    title: str
    operations: list[str]
    contestants: list[Contestant]
    sizes: tuple[int, ...] = SIZES
    count: int = 0
    many_threads: bool = True
    #: Types of its own, instead of those asked for.
    kinds: tuple[str, ...] = ()
    #: What the table says of the contestants.
    note: str = ""
    #: Types in which NumPy computes the same; the floors count no others.
    same: tuple[str, ...] = tuple(TOLERANCE)
    seconds: dict[str, dict[Cell, list[float]]] = field(default_factory=dict)
    checks: dict[Cell, dict[str, float]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)
    #: For each number of threads: what the machine does in a second, and how it was measured.
    rates: dict[int, dict[str, float]] = field(default_factory=dict)
    conditions: dict[int, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Keep the figures for the next run, which may measure other cells."""
        rows = [
            [name, *cell, each]
            for name, cells in self.seconds.items()
            for cell, each in cells.items()
        ]
        found = {"seconds": rows, "missing": self.missing}
        found |= {"rates": list(self.rates.items())}
        found |= {"conditions": list(self.conditions.items())}
        (folder / f"{self.name}.json").write_text(json.dumps(found))

    def load(self, folder: Path) -> None:
        """Take the figures of an earlier run."""
        path = folder / f"{self.name}.json"
        if not path.exists():
            return
        found = json.loads(path.read_text())
        for name, operation, n, kind, threads, count, each in found["seconds"]:
            cells = self.seconds.setdefault(name, {})
            cells[(operation, n, kind, threads, count)] = each
        self.missing = found["missing"]
        self.rates, self.conditions = dict(found["rates"]), dict(found["conditions"])


EVERY = [*PYTHON, *NATIVE]
GROUPS = [
    Group("gemm", "Products", ["matmul", "matmul_t", "gemv"], EVERY),
    Group("dense", "Systems", ["solve", "inv", "det", "lu", "cholesky"], EVERY),
    Group("qr", "QR, least squares, pseudo-inverse", ["qr", "lstsq", "pinv"], EVERY),
    Group("symmetric", "Symmetric eigenvalues", ["eigvalsh", "eigh"], EVERY),
    Group("singular", "Singular values", ["svdvals", "svd"], EVERY),
    Group("general", "General eigenvalues", ["eigvals", "eig"], EVERY),
    Group("functions", "Norms and functions", ["norm", "expm"], EVERY),
    Group(
        "tiny",
        "Tiny calls from Python",
        ["matmul", "gemv", "det", "inv", "solve", "cholesky", "qr", "eigh", "svd", "svdvals"],
        TINY,
        (2, 3, 4, 8),
        many_threads=False,
    ),
    Group(
        "stacks",
        "Stacks of 1000 matrices",
        ["matmul", "solve", "inv", "det", "cholesky", "qr", "eigh", "svdvals", "svd"],
        PYTHON,
        (4, 16),
        1000,
    ),
    Group(
        "precision",
        "Products of low precision",
        ["matmul"],
        [OURS, ONE, NUMPY, TORCH],
        (64, 128, 256, 512, 1024),
        kinds=("bf16", "f16", "int8", "int32", "int64_small", "int64"),
        note="nexus adds bf16 and f16 up as f32 and gives f32; torch and NumPy give the narrow "
        "type, and NumPy has no bf16. int8 gives int32 everywhere, int32 and int64 wrap around. "
        "int64_small is int64 of numbers that fit int32. The peak is that of f32.",
        same=("int8", "int32", "int64_small", "int64"),
    ),
    Group(
        "weights",
        "Quantised weights",
        ["linear_1", "linear_2", "linear_8", "linear_64"],
        [OURS, ONE, NUMPY, TORCH],
        (4096,),
        kinds=("q8_0", "q4_0"),
        note="`x @ W.T` for so many rows x of float32. The weights of nexus are a QMatrix; those "
        "of NumPy and torch are float32, for neither has such blocks. The peak is reading the "
        "blocks once, at the rate of reading memory; a third-level cache that holds them reads "
        "faster.",
        same=(),
    ),
]
