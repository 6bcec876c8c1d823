"""Compares archived time series with the raw CSV files that they came from.

`metrics.py FOLDER TIER=FILE,FILE… …`: for each tier (`raw`, or a roll-up of buckets of that length) the Parquet files are read
by pyarrow and by DuckDB. Count, sum, smallest and largest of every series must be what pandas makes of the raw files; of a
roll-up those of every bucket too. Of a time that stands twice in a file the last row counts, as in the tiers.
"""

import math
import pathlib
import sys

import duckdb
import pandas
import pyarrow
import pyarrow.parquet

FIGURES = ["count", "sum", "min", "max"]


def raw(folder):
    """The points of all files: one row for each series and time."""
    frames = []
    for path in sorted(pathlib.Path(folder).glob("*.csv")):
        frame = pandas.read_csv(path, parse_dates=["timestamp"])
        frames.append(frame.assign(name=path.stem))
    rows = pandas.concat(frames)
    points = rows.drop_duplicates(["name", "timestamp"], keep="last")
    print(
        f"pandas: {len(frames)} files, {len(rows)} rows, {len(rows) - len(points)} of which repeat the time of another one:"
        f" {len(points)} points"
    )
    return plain(points.rename(columns={"timestamp": "ts"}))


def plain(rows):
    """One form for what the readers return."""
    return rows.assign(name=rows["name"].astype(str), ts=rows["ts"].astype("datetime64[ms]"))


def by_pyarrow(files):
    return pyarrow.concat_tables([pyarrow.parquet.ParquetFile(path).read() for path in files]).to_pandas()


def by_duckdb(files):
    connection = duckdb.connect()
    return connection.execute("SELECT * FROM read_parquet(?, hive_partitioning = false)", [files]).df()


def figures(points, keys):
    return points.groupby(keys)["value"].agg(FIGURES)


def figures_of(rows, keys, is_raw):
    if is_raw:
        return figures(rows, keys)
    of_buckets = {"count": ("count", "sum"), "sum": ("sum", "sum"), "min": ("min", "min"), "max": ("max", "max")}
    return rows.groupby(keys).agg(**of_buckets)


def compare(what, found, expected):
    if not found.index.equals(expected.index):
        sys.exit(f"{what}: other rows than pandas has:\n{found.index.symmetric_difference(expected.index)}")
    for figure in FIGURES:
        for key, ours, theirs in zip(found.index, found[figure], expected[figure]):
            # Sums of the same numbers in another order differ in the last bits, at most by one for each of them.
            off = expected["count"][key] * math.ulp(abs(theirs)) if figure == "sum" else 0
            if not abs(ours - theirs) <= off:
                sys.exit(f"{what}: the {figure} of {key} is {ours!r}, and {theirs!r} by pandas")


points = raw(sys.argv[1])
for argument in sys.argv[2:]:
    tier, files = argument.split("=", 1)
    for reader, read in (("pyarrow", by_pyarrow), ("DuckDB", by_duckdb)):
        rows = plain(read(files.split(",")))
        is_raw = tier == "raw"
        what = f"{tier} by {reader}"
        compare(what, figures_of(rows, ["name"], is_raw), figures(points, ["name"]))
        also = ""
        if not is_raw:
            buckets = points.assign(ts=points["ts"].dt.floor(tier))
            compare(what, figures_of(rows, ["name", "ts"], is_raw), figures(buckets, ["name", "ts"]))
            also = ", and of each bucket"
        series = rows["name"].nunique()
        print(f"{what}: {series} series, {len(rows)} rows: count, sum, min and max of each are those of pandas{also}")
