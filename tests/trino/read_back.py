"""awswrangler reads what Trino wrote, and writes what Trino shall read."""

import awswrangler
import boto3
import pandas

rows = awswrangler.s3.read_parquet_table(database="tr", table="sales")
found = sorted(
    (int(row.id), str(row.amount), row.name if isinstance(row.name, str) else None, str(row.dt)) for row in rows.itertuples(index=False)
)
assert found == [
    (1, "1.50", "ä", "2026-01-01"),
    (2, "2.50", "b c", "2026-01-01"),
    (3, "3.50", None, "2026-01-02"),
    (4, "4.50", "d", "2026-01-02"),
], found
assert awswrangler.catalog.get_table_types("tr", "sales") == {
    "id": "bigint", "amount": "decimal(10,2)", "name": "string", "at": "timestamp", "dt": "string"
}
boto3.client("s3").create_bucket(Bucket="wrangler")
awswrangler.catalog.create_database("wr", exist_ok=True)
awswrangler.s3.to_parquet(
    pandas.DataFrame({"id": [1, 2], "name": ["x", None], "dt": ["2026-01-01", "2026-01-02"]}),
    path="s3://wrangler/people/", dataset=True, database="wr", table="people", partition_cols=["dt"],
)
print("awswrangler: ok")
