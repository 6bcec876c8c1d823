"""The dump of metric points to Parquet by polars or by pandas; prints wall time and memory as one line of JSON.

`points_to_parquet.py polars|pandas TARGET SOURCE…`: SOURCE are Parquet files with `name`, `ts`, `value`. They are read, and put
into the order in which points arrive, before the clock starts; what is timed is the sorting by series and time, and the writing
with zstd. Python's own share of the memory is taken off.
"""

import json
import os
import sys
import time


def memory_kib(key):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key))


python_kib = memory_kib("VmRSS")
library, target, *sources = sys.argv[1:]

if library == "polars":
    import polars

    points = polars.read_parquet(sources, hive_partitioning=False).sort(["ts", "name"])
    wall = time.perf_counter()
    points.sort(["name", "ts"]).write_parquet(target, compression="zstd", compression_level=3)
else:
    import pandas

    points = pandas.concat([pandas.read_parquet(source) for source in sources])
    points = points.sort_values(["ts", "name"], ignore_index=True)
    wall = time.perf_counter()
    ordered = points.sort_values(["name", "ts"], ignore_index=True)
    ordered.to_parquet(target, compression="zstd", compression_level=3, index=False)
wall = time.perf_counter() - wall
print(
    json.dumps(
        {
            "rows": len(points),
            "wall_s": wall,
            "bytes": os.path.getsize(target),
            "peak_kib": memory_kib("VmHWM") - python_kib,
        }
    )
)
