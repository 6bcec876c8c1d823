"""ORC and Avro between suiro and others: pyarrow's ORC of every type and compression is read value by value, also in partitions, by
place and by name; and what CREATE TABLE AS, INSERT and UNLOAD write is read by pyarrow, and by polars.
"""

import datetime
import decimal
import io

import boto3
import polars
import pyarrow
from athena_calls import Place, body, rows
from pyarrow import orc

place = Place("formats", "formats")
s3 = boto3.client("s3")
place.run("CREATE DATABASE formats", database="default")
ROWS = 10_000


def put(key, data):
    s3.put_object(Bucket="formats", Key=key, Body=data)


def orc_bytes(table, **options):
    written = io.BytesIO()
    orc.write_table(table, written, **options)
    return written.getvalue()


def some(row, value):
    return None if row % 7 == 3 else value


def column(of, data_type):
    return pyarrow.array([some(row, of(row)) for row in range(ROWS)], data_type)


EPOCH = datetime.datetime(1970, 1, 1)
# Names in upper case, as others write them; the last column is none of the table's.
table = pyarrow.table(
    {
        "Id": pyarrow.array(range(ROWS), pyarrow.int64()),
        "Flag": column(lambda row: row % 3 == 0, pyarrow.bool_()),
        "tiny": column(lambda row: row % 256 - 128, pyarrow.int8()),
        "small": column(lambda row: row * 5 % 65536 - 32768, pyarrow.int16()),
        "whole": column(lambda row: (row * 98_765) % (1 << 32) - (1 << 31), pyarrow.int32()),
        "big": column(lambda row: row**4 * (-1) ** row, pyarrow.int64()),
        "single": column(lambda row: row / 8, pyarrow.float32()),
        "double": column(lambda row: row / 8 - 1000, pyarrow.float64()),
        "text": column(lambda row: f"ä{row % 50}" if row < 5_000 else f"a longer text of its own {row}", pyarrow.string()),
        "bytes": column(lambda row: row.to_bytes(3, "big"), pyarrow.binary()),
        "money": column(lambda row: decimal.Decimal(row * 7919 - 90_000_000).scaleb(-2), pyarrow.decimal128(12, 2)),
        "huge": column(lambda row: decimal.Decimal(row**7).scaleb(-5), pyarrow.decimal128(38, 5)),
        "day": column(lambda row: datetime.date(1900, 1, 1) + datetime.timedelta(days=row * 3), pyarrow.date32()),
        "at": column(
            lambda row: EPOCH + datetime.timedelta(hours=row * 29 - 300_000, milliseconds=row * 13 % 1000),
            pyarrow.timestamp("ns"),
        ),
        "instant": column(
            lambda row: (EPOCH + datetime.timedelta(minutes=row)).replace(tzinfo=datetime.timezone.utc),
            pyarrow.timestamp("ns", tz="UTC"),
        ),
        "list": column(lambda row: [some(at, at) for at in range(row % 5)], pyarrow.list_(pyarrow.int64())),
        "map": column(
            lambda row: [(f"k{at}", some(row + at, at)) for at in range(row % 3)], pyarrow.map_(pyarrow.string(), pyarrow.int64())
        ),
        "pair": column(
            lambda row: {"X": some(row + 1, row), "y": [f"y{row}"]},
            pyarrow.struct([("X", pyarrow.int64()), ("y", pyarrow.list_(pyarrow.string()))]),
        ),
        "more": column(lambda row: row, pyarrow.int64()),
    }
)
COLUMNS = """id bigint, flag boolean, tiny tinyint, small smallint, whole int, big bigint, single float, double double, text string,
  bytes binary, money decimal(12,2), huge decimal(38,5), day date, at timestamp, instant timestamp, list array<bigint>,
  map map<string,bigint>, pair struct<x:bigint,y:array<string>>"""
# For each column how it is asked for, and what is expected of the value that was written.
ASKED = {
    "Id": ("id", str),
    "Flag": ("flag", lambda value: str(value).lower()),
    "tiny": ("tiny", str),
    "small": ("small", str),
    "whole": ("whole", str),
    "big": ("big", str),
    "single": ("CAST(CAST(single AS double) * 8 AS bigint)", lambda value: str(int(value * 8))),
    "double": ("CAST(double * 8 AS bigint)", lambda value: str(int(value * 8))),
    "text": ("text", str),
    "bytes": ("to_hex(bytes)", lambda value: value.hex().upper()),
    "money": ("money", str),
    "huge": ("huge", "{:f}".format),
    "day": ("day", str),
    "at": ("at", lambda value: f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03}"),
    "instant": ("instant", lambda value: f"{value:%Y-%m-%d %H:%M:%S}.000"),
    "list": (
        "array_join(list, ',', 'NULL')",
        lambda value: ",".join("NULL" if item is None else str(item) for item in value),
    ),
    "map": (
        "CAST(cardinality(map) AS varchar) || coalesce(CAST(element_at(map, 'k1') AS varchar), '-')",
        lambda value: f"{len(value)}{'-' if dict(value).get('k1') is None else dict(value)['k1']}",
    ),
    "pair": (
        "coalesce(CAST(pair.x AS varchar), '-') || pair.y[1]",
        lambda value: f"{'-' if value['X'] is None else value['X']}{value['y'][0]}",
    ),
}


def expected_of(read_table):
    columns = [
        [None if value is None else text(value) for value in read_table.column(name).to_pylist()]
        for name, (_, text) in ASKED.items()
    ]
    return list(zip(*columns))


def same(found, expected, what):
    assert len(found) == len(expected), (what, len(found), len(expected))
    for left, right in zip(found, expected):
        assert left == right, (what, left, right)


asked = ", ".join(f"{sql} AS c{at}" for at, (sql, _) in enumerate(ASKED.values()))
expected = expected_of(table)
codecs = ("uncompressed", "zlib", "snappy", "lz4", "zstd")
stripes = {}
for at, codec in enumerate(codecs):
    written = orc_bytes(
        table,
        compression=codec,
        stripe_size=100_000,
        batch_size=1000,
        # With dictionaries and without.
        dictionary_key_size_threshold=at % 2,
        # The runs of Hive 0.11, and those of today.
        file_version="0.11" if codec == "snappy" else "0.12",
    )
    stripes[codec] = orc.ORCFile(io.BytesIO(written)).nstripes
    put(f"orc/codec={codec}/part.orc", written)
assert min(stripes.values()) == 1 < max(stripes.values()), stripes
place.run(
    f"CREATE EXTERNAL TABLE orc ({COLUMNS}) PARTITIONED BY (codec string) STORED AS ORC LOCATION 's3://formats/orc/'"
)
place.run("MSCK REPAIR TABLE orc")
for codec in codecs:
    same(rows(place.run(f"SELECT {asked} FROM orc WHERE codec = '{codec}' ORDER BY id"))[1:], expected, codec)
assert rows(place.run("SELECT count(*), count(text) FROM orc"))[1:] == [
    (str(ROWS * len(codecs)), str((ROWS - table.column("text").null_count) * len(codecs)))
]

# By name where the table says so, in any order; by place else.
place.run(
    """CREATE EXTERNAL TABLE by_name (text string, absent string, id int) PARTITIONED BY (codec string)
       ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.orc.OrcSerde' WITH SERDEPROPERTIES ('orc.column.index.access'='false')
       STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.orc.OrcInputFormat'
       OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat' LOCATION 's3://formats/orc/'"""
)
place.run("MSCK REPAIR TABLE by_name")
read = rows(place.run("SELECT id, text, absent FROM by_name WHERE codec = 'zstd' AND id IN (0, 3) ORDER BY id"))
assert read[1:] == [("0", "ä0", None), ("3", None, None)], read
place.run("CREATE EXTERNAL TABLE wrong (text string) STORED AS ORC LOCATION 's3://formats/orc/codec=zlib/'")
refused = place.run("SELECT * FROM wrong", state="FAILED")["Status"]["StateChangeReason"]
assert refused.startswith("HIVE_BAD_DATA: column `text` is varchar, and the object holds `Int64`"), refused
put("damaged/part.orc", written[: len(written) // 2])
place.run("CREATE EXTERNAL TABLE damaged (id bigint) STORED AS ORC LOCATION 's3://formats/damaged/'")
refused = place.run("SELECT * FROM damaged", state="FAILED")["Status"]["StateChangeReason"]
assert "the object cannot be read" in refused and "s3://formats/damaged/part.orc" in refused, refused


def objects(execution):
    """The objects that a statement wrote."""
    return [body(line) for line in body(execution["Statistics"]["DataManifestLocation"]).decode().split()]


# What is written here is read by others: of every compression, value by value.
for compression in ("ZLIB", "SNAPPY", "LZ4", "ZSTD", "NONE"):
    made = place.run(
        f"CREATE TABLE orc_{compression} WITH (format = 'ORC', write_compression = '{compression}') AS "
        "SELECT id, flag, tiny, small, whole, big, single, double, text, bytes, money, huge, day, at, list, map, pair "
        "FROM orc WHERE codec = 'zstd' AND at NOT BETWEEN TIMESTAMP '1969-12-31 23:59:59.001' AND TIMESTAMP '1970-01-01 00:00:00' "
        "ORDER BY id"
    )
    [written] = objects(made)
    file = orc.ORCFile(io.BytesIO(written))
    names = {"NONE": "UNCOMPRESSED"}
    assert file.compression == names.get(compression, compression), file.compression
    read = file.read()
    kept = [name for name in read.schema.names]
    assert len(read) > ROWS - 1500, len(read)
    left = read.to_pylist()
    right = {row["Id"]: row for row in table.to_pylist()}
    for row in left:
        wanted = right[row["id"]]
        for name, value in row.items():
            other = wanted["Id" if name == "id" else "Flag" if name == "flag" else name]
            if name == "pair" and other is not None:
                other = {"x": other["X"], "y": other["y"]}
            assert value == other, (compression, name, value, other)
    place.run(f"INSERT INTO orc_{compression} (id, text) VALUES (-1, 'more')")
    assert rows(place.run(f"SELECT text FROM orc_{compression} WHERE id = -1"))[1:] == [("more",)]

for compression in ("DEFLATE", "SNAPPY", "ZSTD", "NONE"):
    made = place.run(
        f"CREATE TABLE avro_{compression} WITH (format = 'AVRO', write_compression = '{compression}') AS "
        "SELECT id, flag, CAST(tiny AS integer) AS tiny, whole, big, single, double, text, bytes, day, at, list, pair "
        "FROM orc WHERE codec = 'zstd' "
        "ORDER BY id"
    )
    [written] = objects(made)
    if compression == "ZSTD":
        # Polars does not read it.
        continue
    read = polars.read_avro(io.BytesIO(written))
    assert len(read) == ROWS
    wanted = polars.from_arrow(table).rename({"Id": "id", "Flag": "flag"})
    for name in ("id", "flag", "tiny", "whole", "big", "single", "double", "text", "bytes", "day", "list"):
        assert read[name].to_list() == wanted[name].to_list(), (compression, name)
    times = [None if at is None else at.replace(tzinfo=None) for at in read["at"].to_list()]
    assert times == [at and at.replace(microsecond=at.microsecond // 1000 * 1000) for at in wanted["at"].to_list()]
    place.run(f"INSERT INTO avro_{compression} (id, text) VALUES (-1, 'more')")
    assert rows(place.run(f"SELECT text FROM avro_{compression} WHERE id = -1"))[1:] == [("more",)]
literal = boto3.client("glue").get_table(DatabaseName="formats", Name="avro_none")["Table"]["StorageDescriptor"]
assert '"name":"pair"' in literal["SerdeInfo"]["Parameters"]["avro.schema.literal"], literal
read = rows(place.run("SELECT count(*), sum(id), count(pair.x) FROM avro_zstd"))[1:]
assert read == rows(place.run("SELECT count(*), sum(id), count(pair.x) FROM orc WHERE codec = 'zlib'"))[1:], read

place.run("DROP DATABASE formats CASCADE")
print("formats: ok")
