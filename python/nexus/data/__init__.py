"""Streaming, order-preserving text pipelines: read, clean, deduplicate, tokenise, cut, write.

A :class:`Pipeline` names a source and steps; each method gives a new one. Nothing happens until it
is run, iterated or handed to something that reads Arrow streams. It then works on all cores, gives
the same result for any number of them, and sets aside what it cannot read.

>>> import tempfile
>>> from pathlib import Path
>>> from nexus.data import Pipeline
>>> folder = Path(tempfile.mkdtemp())
>>> _ = (folder / "a.html").write_text("<title>Greeting</title><p>Hello,<br>world!")
>>> _ = (folder / "b.jsonl").write_text('{"text": "Good bye.", "lang": "en"}\\n{"text": oops}\\n')
>>> for row in Pipeline(folder).clean():
...     print(row["id"], repr(row["text"]), row["fields"])
a.html 'Hello,\\nworld!' {'title': 'Greeting'}
b.jsonl:1 'Good bye.' {'lang': 'en'}
>>> report = Pipeline(folder).dedup_exact().write_jsonl(folder / "out" ).run(threads=2)
>>> report.rows, report.rejected
(2, 1)
>>> report.rejected_samples[0].split("/")[-1]
'b.jsonl:2: bad JSON in column 10: expected value'
"""

from nexus._native import (
    AnyLoader,
    Batch,
    Encoding,
    Estimate,
    Estimated,
    ImageBatch,
    ImageLoader,
    Loader,
    Pipeline,
    Progress,
    Ragged,
    RecordBatch,
    Report,
    Rows,
    StepEstimate,
    StepReport,
    Tokenizer,
)
from nexus.data._arrow import ArrowArray, ArrowStream
from nexus.data._loader import LoaderState
from nexus.data._row import JsonValue, OutputFormat, Row
from nexus.data._texts import Texts

__all__ = [
    "AnyLoader",
    "ArrowArray",
    "ArrowStream",
    "Batch",
    "Encoding",
    "Estimate",
    "Estimated",
    "ImageBatch",
    "ImageLoader",
    "JsonValue",
    "Loader",
    "LoaderState",
    "OutputFormat",
    "Pipeline",
    "Progress",
    "Ragged",
    "RecordBatch",
    "Report",
    "Row",
    "Rows",
    "StepEstimate",
    "StepReport",
    "Texts",
    "Tokenizer",
]
