"""Polars and DuckDB: the filters of spec-v1 as expressions, and exact dedup.

    python frames.py polars|duckdb IN.parquet-FOLDER OUT.parquet

Neither has MinHash. The filters that need the lines of a document or its pairs of words are not
here: words, hashes, ellipses, letters, stop words and "lorem ipsum" only, so the work is less.
"""

from __future__ import annotations

import json
import sys

STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]


def with_polars(source: str, target: str) -> int:
    import polars as pl

    text = pl.col("text")
    n = text.str.count_matches(r"\S+")
    length = text.str.len_chars() - text.str.count_matches(r"\s")
    lettered = text.str.count_matches(r"\S*\p{L}\S*")
    stops = sum(text.str.contains(rf"(?:^|\s){word}(?:\s|$)").cast(pl.Int8) for word in STOP_WORDS)
    good = (
        n.is_between(50, 100_000)
        & (length / n).is_between(3, 10)
        & (text.str.count_matches("#", literal=True) / n <= 0.1)
        & ((text.str.count_matches(r"\.\.\.|…")) / n <= 0.1)
        & (lettered / n >= 0.8)
        & (stops >= 2)
        & ~text.str.contains("(?i-u)lorem ipsum")
    )
    kept = (
        pl.scan_parquet(source + "/*.parquet")
        .filter(good)
        .sort("id")
        .unique("text", keep="first", maintain_order=True)
        .collect(engine="streaming")
    )
    kept.write_parquet(target)
    return kept.height


def with_duckdb(source: str, target: str) -> int:
    import duckdb

    stops = " + ".join(f"list_contains(words, '{word}')::INT" for word in STOP_WORDS)
    duckdb.sql(f"""
        COPY (
            WITH split AS (
                SELECT *, regexp_extract_all(text, '\\S+') AS words, len(words) AS n
                FROM read_parquet('{source}/*.parquet')
            ), good AS (
                SELECT id, text, source, lang FROM split
                WHERE n BETWEEN 50 AND 100000
                AND length(regexp_replace(text, '\\s+', '', 'g')) / n BETWEEN 3 AND 10
                AND (length(text) - length(replace(text, '#', ''))) / n <= 0.1
                AND len(regexp_extract_all(text, '\\.\\.\\.|…')) / n <= 0.1
                AND len(list_filter(words, lambda w: regexp_matches(w, '\\p{{L}}'))) / n >= 0.8
                AND {stops} >= 2
                AND NOT contains(lower(text), 'lorem ipsum')
            )
            SELECT arg_min(id, id) AS id, text, arg_min(source, id) AS source,
                   arg_min(lang, id) AS lang
            FROM good GROUP BY text
        ) TO '{target}' (FORMAT parquet)
    """)
    [(kept,)] = duckdb.sql(f"SELECT count(*) FROM read_parquet('{target}')").fetchall()
    return int(kept)


if __name__ == "__main__":
    run = {"polars": with_polars, "duckdb": with_duckdb}[sys.argv[1]]
    print(json.dumps({"kept": run(*sys.argv[2:])}))
