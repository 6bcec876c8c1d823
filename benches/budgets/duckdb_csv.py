"""CSV to Parquet by DuckDB; prints wall time, processor time and memory as one line of JSON.

Python's own share is taken off: what it held before DuckDB was loaded, and the time before the statement.
"""

import json
import sys
import time


def memory_kib(key):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(key))


python_kib = memory_kib("VmRSS")

import duckdb  # noqa: E402

source, target, columns = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
types = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
connection = duckdb.connect()
wall, processor = time.perf_counter(), time.process_time()
rows = connection.execute(
    f"COPY (SELECT * FROM read_csv('{source}', header = true, columns = {{{types}}}))"
    f" TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
).fetchone()[0]
print(
    json.dumps(
        {
            "rows": rows,
            "wall_s": time.perf_counter() - wall,
            "processor_s": time.process_time() - processor,
            "peak_kib": memory_kib("VmHWM") - python_kib,
        }
    )
)
