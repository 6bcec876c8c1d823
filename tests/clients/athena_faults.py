"""boto3 against an endpoint that fails on purpose: which call fails, how, and what is left, by the rules in faults.yml."""

import time

import boto3
import botocore.config
import botocore.exceptions

BUCKET = "athena-faults"
ONCE = botocore.config.Config(retries={"total_max_attempts": 1})
athena = boto3.client("athena", config=ONCE)
patient = boto3.client("athena", config=botocore.config.Config(retries={"total_max_attempts": 5, "mode": "standard"}))
s3 = boto3.client("s3", config=ONCE)
glue = boto3.client("glue", config=ONCE)


def start(client, sql, **more):
    return client.start_query_execution(
        QueryString=sql, ResultConfiguration={"OutputLocation": f"s3://{BUCKET}/results/"}, **more
    )["QueryExecutionId"]


def ended(query_id):
    while True:
        execution = patient.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return execution
        time.sleep(0.02)


def run(sql, state="SUCCEEDED"):
    execution = ended(start(patient, sql))
    assert execution["Status"]["State"] == state, (sql, execution["Status"])
    return execution


def fails(call, code, status, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"])
        assert found == (code, status), error.response
        return
    raise AssertionError(f"{code} was expected")


def breaks(call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.BotoCoreError as error:
        assert isinstance(error, botocore.exceptions.HTTPClientError), error
        return
    raise AssertionError("a broken connection was expected")


def keys(prefix):
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]


def lines(location):
    bucket, key = location.removeprefix("s3://").split("/", 1)
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().split()


s3.create_bucket(Bucket=BUCKET)
run("CREATE DATABASE faults")  # query 1
run(f"CREATE EXTERNAL TABLE faults.t (n int) STORED AS PARQUET LOCATION 's3://{BUCKET}/t/'")  # query 2
run("INSERT INTO faults.t VALUES (1)")  # query 3
before = keys("t/")

# An INSERT that fails leaves objects in the table, and a list of them: what users have to clean up.
failed = run("INSERT INTO faults.t VALUES (2)", "FAILED")  # query 4
assert failed["Status"]["AthenaError"]["Retryable"] is True, failed["Status"]
orphans = [line.removeprefix(f"s3://{BUCKET}/") for line in lines(failed["Statistics"]["DataManifestLocation"])]
assert len(orphans) == 1 and sorted(before + orphans) == keys("t/"), (before, orphans, keys("t/"))
# So does a CREATE TABLE AS that is cancelled; the table is not there.
canceled = run(f"CREATE TABLE faults.u WITH (external_location = 's3://{BUCKET}/u/') AS SELECT 1 AS n", "CANCELLED")  # 5
assert [f"s3://{BUCKET}/{key}" for key in keys("u/")] == lines(canceled["Statistics"]["DataManifestLocation"])
assert [table["Name"] for table in glue.get_tables(DatabaseName="faults")["TableList"]] == ["t"]
run(f"CREATE TABLE faults.u WITH (external_location = 's3://{BUCKET}/u/') AS SELECT 1 AS n", "FAILED")  # 6

# The reply to a start is lost: the same token leads to the query, and it ran once.
token = "a token that is sent twice, of enough letters"
breaks(start, client=athena, sql="INSERT INTO faults.t VALUES (3)", ClientRequestToken=token)  # query 7
again = start(athena, "INSERT INTO faults.t VALUES (3)", ClientRequestToken=token)
assert ended(again)["Status"]["State"] == "SUCCEEDED"
assert len(keys("t/")) == len(before) + 2, keys("t/")

# Throttles and errors of the service, by the number of the call.
listing = athena.list_data_catalogs
fails(listing, "ThrottlingException", 400)
fails(listing, "InternalServerException", 500)
fails(listing, "ServiceUnavailableException", 503)
breaks(listing)
listing()
fails(s3.list_buckets, "SlowDown", 503)
assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]

# Done twice: what the second time said is the answer.
fails(glue.create_database, "AlreadyExistsException", 400, DatabaseInput={"Name": "twice"})
# Broken off in the middle.
s3.put_object(Bucket=BUCKET, Key="whole", Body=b"0123456789")
try:
    cut = s3.get_object(Bucket=BUCKET, Key="whole")["Body"].read()
except (botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError):
    cut = None
assert cut is None, cut

# A write that was given up comes late, over a newer one.
breaks(s3.put_object, Bucket=BUCKET, Key="late", Body=b"older")
s3.put_object(Bucket=BUCKET, Key="late", Body=b"newer")
while s3.get_object(Bucket=BUCKET, Key="late")["Body"].read() != b"older":
    time.sleep(0.02)
print("athena_faults: ok")
