"""boto3 against the endpoint: Athena's calls as its own documentation has them.

Takes the endpoint and keys from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …); ends with an error at the first
difference.
"""

import uuid

import boto3
from athena_calls import Place, athena, body, refused, rows, s3

BUCKET = "athena-boto3"
place = Place(BUCKET, "clients_boto3")
run = place.run
glue = boto3.client("glue")

run("CREATE DATABASE IF NOT EXISTS clients_boto3", database="default")

# A table over objects that somebody put there.
s3.put_object(Bucket=BUCKET, Key="log/dt=2026-01-01/a.csv", Body=b"1,one\n2,\n")
run(
    f"""CREATE EXTERNAL TABLE log (n int, s string) PARTITIONED BY (dt string)
        ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://{BUCKET}/log/'"""
)
run("MSCK REPAIR TABLE log")
selected = run("SELECT n, nullif(s, '') AS s, dt FROM log ORDER BY n")
assert rows(selected) == [("n", "s", "dt"), ("1", "one", "2026-01-01"), ("2", None, "2026-01-01")], rows(selected)
output = selected["ResultConfiguration"]["OutputLocation"]
assert body(output) == b'"n","s","dt"\n"1","one","2026-01-01"\n"2",,"2026-01-01"\n', body(output)
assert len(body(output + ".metadata")) > 0
assert selected["Statistics"]["DataScannedInBytes"] > 0

# The same token is the same query; another request with it is refused.
token = str(uuid.uuid4())
first = run("SELECT 1 AS n", ClientRequestToken=token)
assert run("SELECT 1 AS n", ClientRequestToken=token)["QueryExecutionId"] == first["QueryExecutionId"]
refused(
    athena.start_query_execution,
    "InvalidRequestException",
    QueryString="SELECT 2",
    ClientRequestToken=token,
    ResultConfiguration=place.results,
)
# Results go to a bucket that is there.
refused(
    athena.start_query_execution,
    "InvalidRequestException",
    "Unable to verify/create output bucket athena-boto3-nowhere",
    QueryString="SELECT 2",
    ResultConfiguration={"OutputLocation": "s3://athena-boto3-nowhere/results/"},
)

# Parameters, paging, what Glue sees of a CREATE TABLE AS.
bound = run("SELECT ? AS a, ? AS b", ExecutionParameters=["7", "it's"])
assert rows(bound)[1] == ("7", "it's"), rows(bound)
many = run("SELECT n FROM UNNEST(sequence(1, 2500)) AS t (n)")
assert [row[0] for row in rows(many)[1:]] == [str(n) for n in range(1, 2501)]
made = run(
    f"""CREATE TABLE summary WITH (external_location = 's3://{BUCKET}/summary/', partitioned_by = ARRAY['dt'])
        AS SELECT count(*) AS n, dt FROM log GROUP BY dt"""
)
assert athena.get_query_results(QueryExecutionId=made["QueryExecutionId"])["UpdateCount"] == 1
table = glue.get_table(DatabaseName="clients_boto3", Name="summary")["Table"]
assert [key["Name"] for key in table["PartitionKeys"]] == ["dt"], table
partitions = glue.get_partitions(DatabaseName="clients_boto3", TableName="summary")["Partitions"]
assert [partition["Values"] for partition in partitions] == [["2026-01-01"]], partitions
run("INSERT INTO summary VALUES (5, '2026-01-02')")
assert rows(run("SELECT sum(n) FROM summary"))[1] == ("7",)

# What Glue makes, Athena reads; a view that Athena makes, Glue shows.
run("CREATE OR REPLACE VIEW v AS SELECT n FROM summary WHERE dt > '2026-01-01'")
assert rows(run("SELECT * FROM v"))[1:] == [("5",)]
assert glue.get_table(DatabaseName="clients_boto3", Name="v")["Table"]["TableType"] == "VIRTUAL_VIEW"

failed = run("SELECT * FROM nope", state="FAILED")
assert failed["Status"]["StateChangeReason"].startswith("TABLE_NOT_FOUND: line 1:15"), failed["Status"]
refused(athena.get_query_results, "InvalidRequestException", QueryExecutionId=failed["QueryExecutionId"])
refused(athena.start_query_execution, "InvalidRequestException", QueryString="SELEC 1")
# A table in a bucket that nobody made is not an empty one; a place without objects in one that is there is.
run("CREATE EXTERNAL TABLE astray (n int) STORED AS PARQUET LOCATION 's3://athena-boto3-nowhere/astray/'")
astray = run("SELECT count(*) FROM astray", state="FAILED")["Status"]
assert astray["StateChangeReason"].startswith("HIVE_FILESYSTEM_ERROR: "), astray
assert "The specified bucket does not exist" in astray["StateChangeReason"], astray
run(f"CREATE EXTERNAL TABLE bare (n int) STORED AS PARQUET LOCATION 's3://{BUCKET}/bare/'")
assert rows(run("SELECT count(*) FROM bare"))[1] == ("0",)
run("DROP TABLE astray")
run("DROP TABLE bare")

group = athena.get_work_group(WorkGroup="primary")["WorkGroup"]
assert group["Configuration"]["EnforceWorkGroupConfiguration"] is False, group
metadata = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="clients_boto3")
assert [table["Name"] for table in metadata["TableMetadataList"]] == ["log", "summary", "v"], metadata
batch = athena.batch_get_query_execution(QueryExecutionIds=[first["QueryExecutionId"], str(uuid.uuid4())])
assert len(batch["QueryExecutions"]) == len(batch["UnprocessedQueryExecutionIds"]) == 1, batch
run("DROP DATABASE clients_boto3 CASCADE")
print("athena_boto3: ok")
