"""One contestant of `./x bench linalg`, in a process of its own: does on request what stdin says.

    python contestant.py LIBRARY THREADS

A request is a line ``operation n type count``: matrices of order n of f32 or f64 (or a type of
``TYPES``), a stack of `count` of them where that is not 0. The answer is a line of JSON: seconds a
call (``s``) and a number that all contestants agree on (``check``), or why there is none
(``missing``). Operands are the same everywhere (``items``): the other programs beside this file
make them by the same arithmetic.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import timeit
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

#: A visit measures blocks of calls that last so long, and answers with the fastest of them.
BLOCK_S, BLOCKS = 0.002, 3
#: A call that takes longer is not repeated.
ONCE_S = 0.5

#: What the operands are made as; of bfloat16 each library makes its own.
TYPES = {"f32": np.float32, "f64": np.float64, "bf16": np.float32, "f16": np.float16}
TYPES |= {"int8": np.int8, "int32": np.int32, "int64_small": np.int64, "int64": np.int64}
#: Whole numbers have so many bits.
BITS = {"int8": 8, "int32": 32, "int64_small": 32, "int64": 64}
#: Blocks of a QMatrix, and the rows that it is multiplied with.
FORMATS, ROWS = ("q8_0", "q4_0"), (1, 2, 8, 64)


def items(length: int, seed: int) -> Any:
    """Numbers from -0.5 to 0.5: SplitMix64 of a counter."""
    z = np.arange(1, length + 1, dtype=np.uint64) + np.uint64(seed << 40)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53 - 0.5


def operands(n: int, kind: str, count: int) -> dict[str, Any]:
    """General a and b, symmetric s, positive definite p, a vector x, columns c."""
    stack = (count,) if count else ()
    many = count or 1

    def made(rows: int, columns: int, seed: int) -> Any:
        return items(many * rows * columns, seed).reshape(*stack, rows, columns)

    a, b = made(n, n, 1), made(n, n, 2)
    s = (a + a.swapaxes(-1, -2)) / 2
    found = {"a": a, "b": b, "s": s, "p": s + n * np.eye(n), "c": made(n, 1, 3)}
    found["x"] = found["c"].reshape(-1, n)[0]
    return {name: np.ascontiguousarray(each, TYPES[kind]) for name, each in found.items()}


def factors(n: int, kind: str) -> dict[str, Any]:
    """The operands of products of low precision."""
    a, b = (items(n * n, seed).reshape(n, n) for seed in (1, 2))
    if kind in BITS:
        a, b = (np.floor(each * 2.0 ** BITS[kind]) for each in (a, b))
    return {"a": a.astype(TYPES[kind]), "b": b.astype(TYPES[kind])}


def weights(n: int) -> dict[str, Any]:
    """Weights w, and so many rows to multiply them with."""
    found = {f"x{rows}": items(rows * n, 3).reshape(rows, n) for rows in ROWS}
    found |= {"w": items(n * n, 1).reshape(n, n), "x1": found["x1"][0]}
    return {name: each.astype(np.float32) for name, each in found.items()}


#: What NumPy and those that follow it are asked.
COMMON = {
    "matmul": "matmul(a, b)",
    "matmul_t": "matmul(a, bt)",
    "gemv": "matmul(a, x)",
    "solve": "solve(a, c)",
    "inv": "inv(a)",
    "det": "det(a)",
    "cholesky": "cholesky(p)",
    "qr": "qr(a)",
    "eigvalsh": "eigvalsh(s)",
    "eigh": "eigh(s)",
    "eigvals": "eigvals(a)",
    "eig": "eig(a)",
    "svdvals": "svdvals(a)",
    "svd": "svd(a, full_matrices=False)",
    "pinv": "pinv(a)",
    "lstsq": "lstsq(a, c)",
    "lu": "lu_factor(a)",
    "expm": "expm(a)",
    "norm": "matrix_norm(a)",
}
COMMON |= {f"linear_{rows}": f"matmul(x{rows}, w.T)" for rows in ROWS}
#: The same where a type needs other words.
COMMON |= {"matmul int8": "matmul(a, b, dtype='int32')"}
#: Which part of a result is compared; vectors have signs, and so do factors.
PART = {"qr": 1, "eigh": 0, "eig": 0, "svd": 1, "lstsq": 0}
#: What has no one number.
UNCHECKED = ("lu", "pinv")


class Library(ABC):
    """Statements, and the names that they use."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.statements = dict(COMMON)

    @abstractmethod
    def names(self) -> dict[str, Any]:
        """What the statements name: the library's functions."""

    def take(self, array: Any) -> Any:
        """An operand as the library has it."""
        return array

    def turned(self, array: Any) -> Any:
        return array.swapaxes(-1, -2)

    def brain(self, array: Any) -> Any:
        """An operand of bfloat16."""
        raise LookupError("has no bfloat16")

    def quantised(self, array: Any, kind: str) -> Any:
        """Weights as blocks; as they are where the library has none."""
        return self.take(array)

    def made(self, n: int, kind: str, count: int) -> dict[str, Any]:
        """The operands of a request."""
        if kind in FORMATS:
            found = weights(n)
            w = self.quantised(found.pop("w"), kind)
            return {name: self.take(each) for name, each in found.items()} | {"w": w}
        if kind not in ("f32", "f64"):
            take = self.brain if kind == "bf16" else self.take
            return {name: take(each) for name, each in factors(n, kind).items()}
        found = {name: self.take(each) for name, each in operands(n, kind, count).items()}
        return found | {"bt": self.turned(found["b"])}


class NumPy(Library):
    """NumPy, and SciPy for what NumPy lacks."""

    def names(self) -> dict[str, Any]:
        found = named(np.linalg, COMMON)
        linalg = importlib.import_module("scipy.linalg")
        # `numpy.linalg.lstsq` has no warning to give any more, `scipy.linalg` has the rest.
        return found | {"matmul": np.matmul, "lu_factor": linalg.lu_factor, "expm": linalg.expm}


class Lists(NumPy):
    """NumPy given nested lists."""

    def take(self, array: Any) -> Any:
        return array.tolist()

    def turned(self, array: Any) -> Any:
        return None


class Nexus(Library):
    """Ours, on NumPy's arrays."""

    #: Whether to say the number of threads even where it is what calls use anyway.
    says_threads = False

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if threads > 1 or self.says_threads:
            self.statements |= {
                name: f"{text[:-1]}, threads={threads})" for name, text in COMMON.items()
            }
        self.statements["norm"] = COMMON["norm"]
        for rows in ROWS:
            self.statements[f"linear_{rows}"] = f"w.linear(x{rows}, threads={threads})"

    def names(self) -> dict[str, Any]:
        return named(importlib.import_module("nexus.linalg"), COMMON)

    def brain(self, array: Any) -> Any:
        return importlib.import_module("nexus.linalg").Matrix(array, dtype="bfloat16")

    def quantised(self, array: Any, kind: str) -> Any:
        return importlib.import_module("nexus.linalg").QMatrix(array, kind)


class NexusOne(Nexus):
    """Ours on one thread, in a run on several."""

    says_threads = True

    def __init__(self, _threads: int) -> None:
        super().__init__(1)


class NexusMatrix(Nexus):
    """Ours, on its own type."""

    def take(self, array: Any) -> Any:
        return importlib.import_module("nexus.linalg").Matrix(array)

    def turned(self, array: Any) -> Any:
        return array.mT


class NexusLists(Nexus):
    """Ours, on nested lists."""

    def take(self, array: Any) -> Any:
        return array.tolist()

    def turned(self, array: Any) -> Any:
        return None


class Torch(Library):
    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.statements |= {"expm": "matrix_exp(a)", "matmul int8": "_int_mm(a, b)"}
        self.torch = importlib.import_module("torch")
        self.torch.set_num_threads(threads)

    def names(self) -> dict[str, Any]:
        found = {"matrix_exp": self.torch.linalg.matrix_exp, "_int_mm": self.torch._int_mm}
        return named(self.torch.linalg, COMMON) | found

    def brain(self, array: Any) -> Any:
        return self.take(array).bfloat16()

    def take(self, array: Any) -> Any:
        return self.torch.from_numpy(array)


class Jax(Library):
    """Compiled functions; the compiler's time is not measured."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.jax = importlib.import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.statements = {name: f"ready({text})" for name, text in COMMON.items()}
        self.statements["svd"] = "ready(svd(a))"

    def names(self) -> dict[str, Any]:
        linalg = importlib.import_module("jax.numpy.linalg")
        scipy = importlib.import_module("jax.scipy.linalg")
        found = named(linalg, COMMON) | named(scipy, {"lu": COMMON["lu"], "expm": COMMON["expm"]})
        found["matmul"] = self.jax.numpy.matmul
        svd = found["svd"]
        found["svd"] = lambda a: svd(a, full_matrices=False)
        compiled = {name: self.jax.jit(each) for name, each in found.items()}
        return compiled | {"ready": self.jax.block_until_ready}

    def take(self, array: Any) -> Any:
        return self.jax.numpy.asarray(array)


class Glm(Library):
    """PyGLM: 2x2 to 4x4, mat2 to mat4 and dmat2 to dmat4."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.statements = {
            "matmul": "a * b",
            "gemv": "a * x",
            "inv": "inverse(a)",
            "det": "determinant(a)",
        }
        self.glm = importlib.import_module("pyglm.glm")

    def names(self) -> dict[str, Any]:
        return {"inverse": self.glm.inverse, "determinant": self.glm.determinant}

    def take(self, array: Any) -> Any:
        n, prefix = array.shape[0], "d" if array.dtype == np.float64 else ""
        if array.ndim > 2 or not 2 <= n <= 4:
            raise LookupError("PyGLM has 2x2 to 4x4")
        if array.ndim == 1:
            return getattr(self.glm, f"{prefix}vec{n}")(*array.tolist())
        if array.shape[1] != n:
            return None
        # Its matrices are given by columns.
        return getattr(self.glm, f"{prefix}mat{n}")(*array.T.ravel().tolist())

    def turned(self, array: Any) -> Any:
        return None


def named(module: Any, statements: dict[str, str]) -> dict[str, Any]:
    """The functions of these statements that there are."""
    names = {text.partition("(")[0] for text in statements.values()}
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def mkl(threads: int) -> Library:
    return importlib.import_module("intel").Mkl(threads)


LIBRARIES: dict[str, Callable[[int], Library]] = {
    "numpy": NumPy,
    "numpy-lists": Lists,
    "nexus": Nexus,
    "nexus-one": NexusOne,
    "nexus-matrix": NexusMatrix,
    "nexus-lists": NexusLists,
    "torch": Torch,
    "jax": Jax,
    "mkl": mkl,
    "glm": Glm,
}


def number(operation: str, result: Any) -> float | None:
    """The sum of absolute values of what all contestants must agree on."""
    if operation in UNCHECKED:
        return None
    part = result[PART[operation]] if operation in PART else result
    if type(part).__module__.startswith("pyglm"):
        part = part.to_list() if hasattr(part, "to_list") else part
    if hasattr(part, "bfloat16"):
        # NumPy has no such type.
        part = part.double() if part.is_floating_point() and part.itemsize == 2 else part
    part = np.asarray(part)
    return float(np.abs(part if part.itemsize > 2 else part.astype(np.float64)).sum())


class Contestant:
    """Answers, with the operands of the last request at hand."""

    def __init__(self, library: Library) -> None:
        self.library, self.known = library, library.names()
        self.last: tuple[Any, ...] = ()
        self.operands: dict[str, Any] = {}
        #: Statements whose function takes no number of threads.
        self.alone: set[str] = set()

    def answer(self, operation: str, n: int, kind: str, count: int) -> dict[str, Any]:
        if self.last != (n, kind, count):
            self.operands = self.library.made(n, kind, count)
            self.last = (n, kind, count)
        statements = self.library.statements
        if f"{operation} {kind}" in statements:
            operation = f"{operation} {kind}"
        statement = statements.get(operation)
        if not statement:
            return {"missing": "has no such operation"}
        if operation in self.alone:
            statement = COMMON[operation]
        names = self.known | self.operands
        clock = timeit.default_timer
        begin = clock()
        try:
            result = eval(statement, names)
        except NameError:
            return {"missing": "has no such operation"}
        except TypeError as error:
            if "threads" not in str(error):
                raise
            self.alone.add(operation)
            return self.answer(operation, n, kind, count)
        found = {"check": number(operation, result), "alone": operation in self.alone}
        seconds = clock() - begin
        # What is compiled first is called once more.
        if seconds < ONCE_S or isinstance(self.library, Jax):
            timer = timeit.Timer(statement, globals=names)
            seconds = timer.timeit(1)
            if seconds < ONCE_S:
                calls = max(1, int(BLOCK_S / max(seconds, 1e-7)))
                blocks = BLOCKS if seconds < ONCE_S / 10 else 1
                seconds = min(timer.repeat(blocks, calls)) / calls
        return found | {"s": seconds}


def main() -> None:
    library, threads = sys.argv[1], int(sys.argv[2])
    # What libraries print goes elsewhere.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, os.path.dirname(__file__))
    contestant = Contestant(LIBRARIES[library](threads))
    for line in sys.stdin:
        operation, n, kind, count = line.split()
        try:
            found = contestant.answer(operation, int(n), kind, int(count))
        except Exception as error:
            contestant.last = ()
            found = {"missing": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps(found), file=answers)


if __name__ == "__main__":
    main()
