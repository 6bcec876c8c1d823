"""PyAthena against the endpoint: its cursor, its arrow and pandas cursors, with and without UNLOAD."""

import functools
import os

import boto3
from pyarrow import fs
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.pandas.cursor import PandasCursor

BUCKET = "athena-pyathena"
boto3.client("s3").create_bucket(Bucket=BUCKET)


def cursor(**arguments):
    return connect(
        s3_staging_dir=f"s3://{BUCKET}/staging/", schema_name="clients_pyathena", poll_interval=0.02, **arguments
    ).cursor()


plain = cursor()
plain.execute("CREATE DATABASE IF NOT EXISTS clients_pyathena")
plain.execute(
    f"""CREATE EXTERNAL TABLE IF NOT EXISTS people (id INT, name STRING COMMENT 'who')
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LINES TERMINATED BY '\n' STORED AS TEXTFILE
        LOCATION 's3://{BUCKET}/people/'"""
)
plain.executemany(
    "INSERT INTO people (id, name) VALUES (%(id)d, %(name)s)",
    [{"id": 1, "name": "foo"}, {"id": 2, "name": "jim o'rourke"}, {"id": 3, "name": None}],
)
plain.execute("SELECT id, name, DATE '2026-01-02' AS d, 1.25E0 AS x FROM people ORDER BY id")
rows = plain.fetchall()
assert [row[:2] for row in rows] == [(1, "foo"), (2, "jim o'rourke"), (3, None)], rows
assert (rows[0][2].isoformat(), rows[0][3]) == ("2026-01-02", 1.25), rows
assert plain.description[0][:2] == ("id", "integer"), plain.description
plain.execute("SELECT name FROM people WHERE id = ?", ["2"], paramstyle="qmark")
assert plain.fetchall() == [("jim o'rourke",)]
plain.execute("DESCRIBE people")
assert plain.fetchall()[1] == ("name                \tstring              \twho                 ",)
metadata = plain.get_table_metadata("people")
assert [column.name for column in metadata.columns] == ["id", "name"], metadata.columns


# PyAthena gives pyarrow's file system no endpoint: without this it asks amazonaws.com, whatever boto3 is told.
fs.S3FileSystem = functools.partial(fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"])
for unload in (False, True):
    pandas = cursor(cursor_class=PandasCursor, cursor_kwargs={"unload": unload})
    frame = pandas.execute("SELECT count(*) AS n FROM people").as_pandas()
    assert frame["n"].tolist() == [3], frame
    arrow = cursor(cursor_class=ArrowCursor, cursor_kwargs={"unload": unload})
    table = arrow.execute("SELECT id, name FROM people ORDER BY id").as_arrow()
    # In CSV the arrow cursor takes a text that is NULL for an empty one.
    assert table.to_pydict() == {"id": [1, 2, 3], "name": ["foo", "jim o'rourke", None if unload else ""]}, table

plain.execute("DROP DATABASE clients_pyathena CASCADE")
print("athena_pyathena: ok")
