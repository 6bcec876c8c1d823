"""Reads Parquet files with other people's programs.

`compare.py files FOLDER`          every file below the folder, read by pyarrow, DuckDB and polars: types and values are equal.
`compare.py query SQL DAY FILE…`   the result of a SELECT over `access_log` by DuckDB, as JSON lists, a row a line.
"""

import datetime
import decimal
import json
import pathlib
import sys

import duckdb
import polars
import pyarrow.parquet


def plain(value):
    """One form for what the readers return: a date, a time in UTC, an exact number."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, (datetime.date, decimal.Decimal)):
        return str(value)
    return value


def rows(columns, table):
    return [[plain(value) for value in row] for row in table], columns


def kind(name):
    """One word for a type that each reader calls in its own way."""
    name = str(name).lower()
    for word, texts in {
        "decimal": ("decimal",),
        "timestamp": ("timestamp", "datetime"),
        "date": ("date",),
        "text": ("string", "varchar", "large_string"),
        "bool": ("bool",),
        "double": ("double", "float64"),
        "float": ("float",),
        "int64": ("int64", "bigint"),
        "int32": ("int32", "integer"),
        "int16": ("int16", "smallint"),
        "int8": ("int8", "tinyint"),
    }.items():
        if name.startswith(texts):
            scale = name[name.index("(") :].replace(" ", "").replace("precision=", "").replace("scale=", "") if word == "decimal" else ""
            return word + scale.replace("(38,none)", "")
    return name


def files(folder):
    found = sorted(pathlib.Path(folder).rglob("*.parquet"))
    if not found:
        sys.exit(f"no Parquet file below {folder}")
    total = 0
    for path in found:
        arrow = pyarrow.parquet.ParquetFile(path).read()
        by_arrow = [[plain(value) for value in row.values()] for row in arrow.to_pylist()]
        arrow_types = [kind(field.type).replace("decimal128", "decimal") for field in arrow.schema]
        duck = duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
        by_duck = [[plain(value) for value in row] for row in duck.fetchall()]
        polar = polars.read_parquet(path, hive_partitioning=False)
        by_polars = [[plain(value) for value in row] for row in polar.rows()]
        names = [arrow.column_names, duck.columns, polar.columns]
        types = [arrow_types, [kind(name) for name in duck.types], [kind(name) for name in polar.dtypes]]
        for what, (first, *others) in {"names": names, "types": types, "rows": [by_arrow, by_duck, by_polars]}.items():
            for reader, other in zip(("DuckDB", "polars"), others):
                if first != other:
                    sys.exit(f"{path}: pyarrow and {reader} differ in {what}:\n{str(first)[:2000]}\n{str(other)[:2000]}")
        total += len(by_arrow)
    print(f"{len(found)} files, {total} rows")


def query(sql, day, *paths):
    listed = ", ".join(f"'{path}'" for path in paths)
    duckdb.sql(f"CREATE VIEW access_log AS SELECT *, '{day}' AS dt FROM read_parquet([{listed}], hive_partitioning = false)")
    for row in duckdb.sql(pathlib.Path(sql).read_text().replace("${day}", day)).fetchall():
        print(json.dumps([plain(value) for value in row]))


{"files": files, "query": query}[sys.argv[1]](*sys.argv[2:])
