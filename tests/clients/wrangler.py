"""awswrangler: a dataset with partitions is written, changed and read; what suiro published is read."""

import datetime

import awswrangler
import pandas

import boto3

boto3.client("s3").create_bucket(Bucket="wrangler")
awswrangler.catalog.create_database("wr", exist_ok=True)


def frame(days, number):
    return pandas.DataFrame({"id": range(len(days)), "amount": [number] * len(days), "name": ["ä"] * len(days), "dt": days})


def write(data, mode):
    return awswrangler.s3.to_parquet(
        data, path="s3://wrangler/sales/", dataset=True, database="wr", table="sales", partition_cols=["dt"], mode=mode
    )


write(frame(["2026-01-01", "2026-01-01", "2026-01-02"], 1.5), "overwrite")
write(frame(["2026-01-02", "2026-01-03"], 2.5), "append")
write(frame(["2026-01-01"], 9.5), "overwrite_partitions")
partitions = awswrangler.catalog.get_partitions("wr", "sales")
assert sorted(values[0] for values in partitions.values()) == ["2026-01-01", "2026-01-02", "2026-01-03"], partitions
assert awswrangler.catalog.get_table_types("wr", "sales") == {"id": "bigint", "amount": "double", "name": "string", "dt": "string"}
read = awswrangler.s3.read_parquet_table(database="wr", table="sales")
assert sorted(zip(read["dt"].astype(str), read["amount"])) == [
    ("2026-01-01", 9.5), ("2026-01-02", 1.5), ("2026-01-02", 2.5), ("2026-01-03", 2.5)
], read
assert awswrangler.catalog.table("wr", "sales")["Column Name"].tolist() == ["id", "amount", "name", "dt"]
assert [table["Name"] for table in awswrangler.catalog.search_tables("sales")] == ["sales"]

# Of a partition that suiro published the catalog alone knows the place.
places = awswrangler.catalog.get_partitions("web", "daily_summary")
rows = {values[0]: len(awswrangler.s3.read_parquet(place, path_suffix=".parquet")) for place, values in places.items()}
assert rows == {"2026-03-01": 11, "2026-03-02": 10, "2026-03-03": 9}, rows
awswrangler.s3.to_csv(frame(["2026-01-01"], datetime.date(2026, 1, 1)), "s3://wrangler/plain/x.csv", index=False)
assert awswrangler.s3.size_objects("s3://wrangler/plain/")["s3://wrangler/plain/x.csv"] > 0
awswrangler.catalog.delete_table_if_exists(database="wr", table="absent")
print("awswrangler: ok")
