"""Tables of objects that others wrote: Avro by polars, lines for RegexSerDe and GrokSerDe."""

import datetime
import io

import awswrangler
import boto3
import polars
from athena_calls import Place, rows

place = Place("serdes", "serdes")
s3 = boto3.client("s3")
place.run("CREATE DATABASE serdes", database="default")


def put(key, body):
    s3.put_object(Bucket="serdes", Key=key, Body=body)


frame = polars.DataFrame(
    {
        "Id": [1, 2, 3],
        "name": ["ä", None, "c"],
        "score": [0.5, None, 2.0],
        "day": [datetime.date(2026, 1, 2), None, datetime.date(1969, 12, 31)],
        "at": [datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), None, datetime.datetime(1970, 1, 1)],
        "ok": [True, None, False],
        "more": [[1, 2], [], None],
    }
)
for codec in ("uncompressed", "deflate", "snappy"):
    body = io.BytesIO()
    frame.write_avro(body, compression=codec, name="row")
    put(f"avro/codec={codec}/part.avro", body.getvalue())
place.run(
    """CREATE EXTERNAL TABLE avro (ok boolean, id bigint, name string, absent string, at timestamp, day date, score double,
         more array<bigint>)
       PARTITIONED BY (codec string) STORED AS AVRO LOCATION 's3://serdes/avro/'"""
)
place.run("MSCK REPAIR TABLE avro")
read = rows(place.run("SELECT codec, id, name, absent, at, day, score, ok, more FROM avro ORDER BY codec, id"))
expected = [
    ("1", "ä", None, "2026-01-02 03:04:05.678", "2026-01-02", "0.5", "true", "[1, 2]"),
    ("2", None, None, None, None, None, None, "[]"),
    ("3", "c", None, "1970-01-01 00:00:00.000", "1969-12-31", "2.0", "false", None),
]
assert read[1:] == [(codec, *row) for codec in ("deflate", "snappy", "uncompressed") for row in expected], read
assert rows(place.run("SELECT count(*) FROM avro WHERE codec <> 'snappy'"))[1:] == [("6",)]
by_wrangler = awswrangler.athena.read_sql_query(
    "SELECT sum(id) AS ids FROM avro WHERE day > DATE '2000-01-01'", database="serdes", s3_output="s3://serdes/results/"
)
assert by_wrangler["ids"].tolist() == [3], by_wrangler
place.run("CREATE EXTERNAL TABLE wrong (name bigint) STORED AS AVRO LOCATION 's3://serdes/avro/codec=snappy/'")
refused = place.run("SELECT * FROM wrong", state="FAILED")["Status"]["StateChangeReason"]
assert refused.startswith("HIVE_BAD_DATA: column `name` is bigint, and the object holds `Utf8`"), refused

put("requests/a.log", b'1.2.3.4 - [x] "GET /" 200\nno request\n5.6.7.8 - [y] "POST /b" 404\n')
place.run(
    r"""CREATE EXTERNAL TABLE requests (host string, request string, status int)
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES ('input.regex' = '^([^ ]+) \\S+ \\[.*\\] "(.*)" ([0-9]{3})$') LOCATION 's3://serdes/requests/'"""
)
read = rows(place.run("SELECT host, request, status FROM requests"))[1:]
assert read == [("1.2.3.4", "GET /", "200"), (None, None, None), ("5.6.7.8", "POST /b", "404")], read

put("mail/a.log", b"Feb  9 07:15:00 host postfix/smtpd[1]: B88C4120838: connect\n")
place.run(
    """CREATE EXTERNAL TABLE mail (syslogbase string, queue_id string, syslog_message string, pid int)
       ROW FORMAT SERDE 'com.amazonaws.glue.serde.GrokSerDe'
       WITH SERDEPROPERTIES ('input.grokCustomPatterns' = 'POSTFIX_QUEUEID [0-9A-F]{7,12}',
         'input.format' = '%{SYSLOGBASE} %{POSTFIX_QUEUEID:queue_id}: %{GREEDYDATA:syslog_message}')
       LOCATION 's3://serdes/mail/'"""
)
read = rows(place.run("SELECT * FROM mail"))[1:]
assert read == [("Feb  9 07:15:00 host postfix/smtpd[1]:", "B88C4120838", "connect", "1")], read

put("ion/part.ion", b"{n: 1}")
place.run(
    """CREATE EXTERNAL TABLE ion (n bigint) ROW FORMAT SERDE 'com.amazon.ionhiveserde.IonHiveSerDe'
       LOCATION 's3://serdes/ion/'"""
)
refused = place.run("SELECT * FROM ion", state="FAILED")["Status"]["StateChangeReason"]
expected = "table `serdes.ion` is in a format that is not read yet: `com.amazon.ionhiveserde.IonHiveSerDe`"
assert refused == f"HIVE_UNSUPPORTED_FORMAT: {expected}", refused

place.run("DROP DATABASE serdes CASCADE")
print("serdes: ok")
