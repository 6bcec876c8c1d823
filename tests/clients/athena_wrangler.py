"""awswrangler against the endpoint: a partitioned dataset, and read_sql_query in its three modes."""

import awswrangler as wr
import boto3
import pandas as pd

BUCKET = "athena-wrangler"
DATABASE = "clients_wrangler"
boto3.client("s3").create_bucket(Bucket=BUCKET)
wr.catalog.create_database(DATABASE, exist_ok=True)
frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", None, "c"], "day": ["x", "x", "y"]})
wr.s3.to_parquet(
    frame, path=f"s3://{BUCKET}/people/", dataset=True, database=DATABASE, table="people", partition_cols=["day"],
    mode="overwrite",
)
wr.s3.to_parquet(
    frame.head(1).assign(day="z"), path=f"s3://{BUCKET}/people/", dataset=True, database=DATABASE, table="people",
    partition_cols=["day"], mode="append",
)

sql = "SELECT id, name, day FROM people ORDER BY id, day"
modes = ({"ctas_approach": True}, {"ctas_approach": False}, {"ctas_approach": False, "unload_approach": True})
# UNLOAD wants an empty place: each mode has its own.
for number, mode in enumerate(modes):
    read = wr.athena.read_sql_query(sql, database=DATABASE, s3_output=f"s3://{BUCKET}/mode-{number}/", **mode)
    read = read.sort_values(["id", "day"])
    assert read["id"].tolist() == [1, 1, 2, 3], (mode, read)
    assert read["day"].tolist() == ["x", "z", "x", "y"], (mode, read)
    assert read["name"].isna().tolist() == [False, False, True, False], (mode, read)

chunks = wr.athena.read_sql_query(
    sql, database=DATABASE, s3_output=f"s3://{BUCKET}/results/", ctas_approach=False, chunksize=2
)
assert sum(len(chunk) for chunk in chunks) == 4
wr.athena.start_query_execution(
    "INSERT INTO people SELECT CAST(9 AS bigint), 'nine', 'w'", database=DATABASE, s3_output=f"s3://{BUCKET}/results/", wait=True
)
assert wr.catalog.get_partitions(DATABASE, "people")[f"s3://{BUCKET}/people/day=w/"] == ["w"]
for day in ("x", "w"):
    wr.catalog.delete_partitions("people", DATABASE, [[day]])
assert wr.athena.repair_table("people", DATABASE, s3_output=f"s3://{BUCKET}/results/") == "SUCCEEDED"
found = wr.catalog.get_partitions(DATABASE, "people")
assert sorted(values[0] for values in found.values()) == ["w", "x", "y", "z"], found
read = wr.athena.read_sql_query(
    "SELECT count(*) AS n FROM people WHERE id = :id", database=DATABASE, params={"id": 9},
    s3_output=f"s3://{BUCKET}/results/", ctas_approach=False,
)
assert read["n"].tolist() == [1], read
wr.athena.start_query_execution(f"DROP DATABASE {DATABASE} CASCADE", s3_output=f"s3://{BUCKET}/results/", wait=True)
print("athena_wrangler: ok")
