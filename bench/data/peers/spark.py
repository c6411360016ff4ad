"""Spark on all cores: the filters of spec-v1 that SQL can say, and exact dedup.

    python spark.py JSONL.GZ-FOLDER OUT-FOLDER

The same filters as frames.py; Spark's start is part of the measurement.
"""

from __future__ import annotations

import json
import sys

from pyspark.sql import SparkSession

STOP_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]
GOOD = r"""
    n BETWEEN 50 AND 100000
    AND length(regexp_replace(text, '(?U)\\s+', '')) / n BETWEEN 3 AND 10
    AND (length(text) - length(replace(text, '#', ''))) / n <= 0.1
    AND regexp_count(text, '\\.\\.\\.|…') / n <= 0.1
    AND size(filter(words, w -> w RLIKE '\\p{L}')) / n >= 0.8
    AND size(array_intersect(words, array(STOP_WORDS))) >= 2
    AND NOT contains(lower(text), 'lorem ipsum')
""".replace("STOP_WORDS", ", ".join(f"'{word}'" for word in STOP_WORDS))


def main(source: str, target: str) -> None:
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    schema = "id STRING, text STRING, source STRING, lang STRING"
    spark.read.schema(schema).json(source + "/*.jsonl.gz").createOrReplaceTempView("documents")
    kept = spark.sql(rf"""
        WITH split AS (SELECT *, regexp_extract_all(text, '(?U)\\S+', 0) AS words FROM documents),
        counted AS (SELECT *, size(words) AS n FROM split),
        good AS (SELECT id, text, source, lang FROM counted WHERE {GOOD})
        SELECT min(id) AS id, text, min_by(source, id) AS source, min_by(lang, id) AS lang
        FROM good GROUP BY text
    """)
    kept.write.mode("overwrite").option("compression", "gzip").json(target)
    print(json.dumps({"kept": spark.read.schema(schema).json(target).count()}))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
