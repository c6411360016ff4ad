"""Write all-MiniLM-L6-v2 as an ONNX graph, from the weights that our encoder reads.

    python bench/demo/make_onnx.py MODEL_DIR OUT.onnx [--check]

The graph takes ``input_ids`` and ``attention_mask`` (both int64 [batch, tokens]) and gives
``embedding`` (float32 [batch, 384]): the encoder, mean pooling over the mask and L2 normalisation.
It uses standard operators only, in the shapes that onnxruntime's own optimiser recognises and
fuses, so that the peer runs at its best. ``--check`` compares the graph with sentence-transformers.

Needs numpy, onnx and safetensors; ``--check`` needs onnxruntime and sentence-transformers too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

OPSET = 20
# The last operator that fits opset 20 came with intermediate representation 9.
IR_VERSION = 9
# A masked score: far below every real one, and far from overflow when scores are added.
MASKED = -10_000.0

CHECKED_TEXTS = [
    "Compress a file.",
    "",
    "naïve café, 日本語, 🦀",
    "def f(x):\n    return x ** 2\n",
    "A long text. " * 200,
]


class Graph:
    """Collects nodes and constants; each method appends an operator and returns its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def op(
        self, kind: str, *inputs: str, output: str = "", **attributes: int | float | list[int]
    ) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def linear(self, source: str, name: str, weights: dict[str, np.ndarray]) -> str:
        weight = np.ascontiguousarray(weights[f"{name}.weight"].T)
        product = self.op("MatMul", source, self.constant(f"{name}.weight", weight))
        return self.op("Add", product, self.constant(f"{name}.bias", weights[f"{name}.bias"]))

    def layer_norm(
        self, source: str, name: str, weights: dict[str, np.ndarray], epsilon: float
    ) -> str:
        scale = self.constant(f"{name}.weight", weights[f"{name}.weight"])
        shift = self.constant(f"{name}.bias", weights[f"{name}.bias"])
        return self.op("LayerNormalization", source, scale, shift, axis=-1, epsilon=epsilon)


def build(model_dir: Path) -> onnx.ModelProto:
    """Build the graph from a model folder in Hugging Face layout."""
    config = json.loads((model_dir / "config.json").read_text())
    weights = load_file(model_dir / "model.safetensors")
    graph = Graph()
    mask = added_mask(graph)
    hidden = embeddings(graph, config, weights)
    for index in range(config["num_hidden_layers"]):
        hidden = layer(graph, f"encoder.layer.{index}", hidden, mask, config, weights)
    pool(graph, hidden)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    size = config["hidden_size"]
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", size])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", ids, [embedding], list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="bench/demo/make_onnx.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def added_mask(graph: Graph) -> str:
    """Turn the 0/1 mask into scores to add: [batch, 1, 1, tokens]."""
    wide = graph.op("Unsqueeze", "attention_mask", graph.constant("axis_1", ints(1)))
    wider = graph.op("Unsqueeze", wide, graph.constant("axis_2", ints(2)))
    kept = graph.op("Cast", wider, to=TensorProto.FLOAT)
    dropped = graph.op("Sub", graph.constant("one", scalar(1.0)), kept)
    return graph.op("Mul", dropped, graph.constant("masked", scalar(MASKED)))


def embeddings(graph: Graph, config: dict, weights: dict[str, np.ndarray]) -> str:
    """Sum the embeddings of words, positions and the one token type, then normalise."""
    prefix = "embeddings"
    # A single segment: the token type is always 0, so its row joins the position table.
    table = weights[f"{prefix}.position_embeddings.weight"]
    table = table + weights[f"{prefix}.token_type_embeddings.weight"][0]
    words = graph.constant("words", weights[f"{prefix}.word_embeddings.weight"])
    word = graph.op("Gather", words, "input_ids")
    # Counting the tokens kept so far gives positions whose shape the optimiser knows, which a slice
    # of the table does not; what padding gets there is masked later.
    order = graph.op(
        "CumSum", "attention_mask", graph.constant("second", scalar_int(1)), exclusive=1
    )
    place = graph.op("Gather", graph.constant("positions", table), order)
    total = graph.op("Add", word, place)
    return graph.layer_norm(total, f"{prefix}.LayerNorm", weights, config["layer_norm_eps"])


def layer(
    graph: Graph, name: str, hidden: str, mask: str, config: dict, weights: dict[str, np.ndarray]
) -> str:
    """One transformer block: attention, then the feed-forward pair, each added and normalised."""
    epsilon = config["layer_norm_eps"]
    context = attention(graph, f"{name}.attention.self", hidden, mask, config, weights)
    context = graph.linear(context, f"{name}.attention.output.dense", weights)
    hidden = graph.layer_norm(
        graph.op("Add", context, hidden), f"{name}.attention.output.LayerNorm", weights, epsilon
    )
    inner = graph.op("Gelu", graph.linear(hidden, f"{name}.intermediate.dense", weights))
    outer = graph.linear(inner, f"{name}.output.dense", weights)
    return graph.layer_norm(
        graph.op("Add", outer, hidden), f"{name}.output.LayerNorm", weights, epsilon
    )


def attention(
    graph: Graph, name: str, hidden: str, mask: str, config: dict, weights: dict[str, np.ndarray]
) -> str:
    """Multi-head attention, up to but without the output projection."""
    heads, size = config["num_attention_heads"], config["hidden_size"]
    split = graph.constant("split", ints(0, 0, heads, size // heads))
    join = graph.constant("join", ints(0, 0, size))

    def project(role: str, order: list[int]) -> str:
        flat = graph.linear(hidden, f"{name}.{role}", weights)
        return graph.op("Transpose", graph.op("Reshape", flat, split), perm=order)

    query = project("query", [0, 2, 1, 3])
    key = project("key", [0, 2, 3, 1])
    value = project("value", [0, 2, 1, 3])
    root = graph.constant("root", scalar(float(np.sqrt(size // heads))))
    scores = graph.op("Div", graph.op("MatMul", query, key), root)
    shares = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
    mixed = graph.op("Transpose", graph.op("MatMul", shares, value), perm=[0, 2, 1, 3])
    return graph.op("Reshape", mixed, join)


def pool(graph: Graph, hidden: str) -> str:
    """Average the rows that the mask keeps and scale the result to length 1."""
    last = graph.constant("last", ints(-1))
    second = graph.constant("axis_1", ints(1))
    kept = graph.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    kept = graph.op("Unsqueeze", kept, last)
    total = graph.op("ReduceSum", graph.op("Mul", hidden, kept), second, keepdims=0)
    count = graph.op("ReduceSum", kept, second, keepdims=0)
    mean = graph.op("Div", total, count)
    length = graph.op("ReduceL2", mean, last, keepdims=1)
    return graph.op("Div", mean, length, output="embedding")


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def scalar_int(value: int) -> np.ndarray:
    return np.array(value, dtype=np.int64)


def scalar(value: float) -> np.ndarray:
    return np.array(value, dtype=np.float32)


def check(model_dir: Path, path: Path) -> float:
    """Return the smallest cosine between the graph's and sentence-transformers' embeddings."""
    import onnxruntime
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    reference = SentenceTransformer(str(model_dir), device="cpu")
    reference.max_seq_length = 256
    expected = reference.encode(CHECKED_TEXTS, normalize_embeddings=True)
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(CHECKED_TEXTS)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = {
        "input_ids": np.array([item.ids for item in encoded]),
        "attention_mask": np.array([item.attention_mask for item in encoded]),
    }
    (got,) = session.run(["embedding"], inputs)
    return float((got * expected).sum(axis=1).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true", help="compare with sentence-transformers")
    arguments = parser.parse_args()
    onnx.save(build(arguments.model_dir), arguments.out)
    print(f"wrote {arguments.out}")
    if arguments.check:
        cosine = check(arguments.model_dir, arguments.out)
        print(f"smallest cosine with sentence-transformers: {cosine:.7f}")
        if cosine < 0.99999:
            raise SystemExit("hint: the graph differs from the model; compare layer by layer")


if __name__ == "__main__":
    main()
