"""Compares archived time series with the raw CSV files that they came from.

`metrics.py FOLDER TIER=FILE,FILE… …`: for each tier (`raw` or the roll-ups) the Parquet files are read by pyarrow and by
DuckDB; count, sum, smallest and largest of every series must be what polars makes of the raw files: of a time that stands twice
the last row counts, as in the tiers.
"""

import math
import pathlib
import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet


def raw(folder):
    series = {}
    for path in sorted(pathlib.Path(folder).glob("*.csv")):
        rows = polars.read_csv(path, schema_overrides={"timestamp": polars.String, "value": polars.Float64})
        rows = rows.unique(subset="timestamp", keep="last", maintain_order=True)
        values = rows["value"]
        series[path.stem] = (len(values), math.fsum(values), values.min(), values.max())
    return series


def by_pyarrow(files, is_raw):
    table = pyarrow.concat_tables([pyarrow.parquet.ParquetFile(path).read() for path in files])
    rows = polars.from_arrow(table)
    figures = {}
    for (name,), group in rows.group_by("name"):
        if is_raw:
            values = group["value"]
            figures[name] = (len(values), math.fsum(values), values.min(), values.max())
        else:
            figures[name] = (group["count"].sum(), math.fsum(group["sum"]), group["min"].min(), group["max"].max())
    return figures


def by_duckdb(files, is_raw):
    figures = "count(*), fsum(value), min(value), max(value)" if is_raw else 'sum("count"), fsum("sum"), min("min"), max("max")'
    connection = duckdb.connect()
    found = connection.execute(f"SELECT name, {figures} FROM read_parquet(?, hive_partitioning = false) GROUP BY name", [files])
    return {name: tuple(rest) for name, *rest in found.fetchall()}


def same(ours, theirs):
    if ours.keys() != theirs.keys():
        sys.exit(f"other series: {sorted(ours)} and {sorted(theirs)}")
    for name, (count, total, low, high) in theirs.items():
        found = ours[name]
        # Sums of the same numbers in another order differ in the last bits.
        is_sum = math.isclose(found[1], total, rel_tol=1e-12, abs_tol=1e-9)
        if (found[0], found[2], found[3]) != (count, low, high) or not is_sum:
            sys.exit(f"{name}: expected {theirs[name]}, found {found}")


expected = raw(sys.argv[1])
for argument in sys.argv[2:]:
    tier, files = argument.split("=", 1)
    files = files.split(",")
    for read in (by_pyarrow, by_duckdb):
        same(read(files, tier == "raw"), expected)
    print(f"{tier}: {len(expected)} series, {sum(count for count, *_ in expected.values())} points")
