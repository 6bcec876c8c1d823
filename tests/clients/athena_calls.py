"""What the scripts have in common that call Athena with boto3: running a query to its end, its rows, and calls that are refused.

The endpoint and the keys are in the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …).
"""

import time

import boto3
import botocore.exceptions

athena = boto3.client("athena")
s3 = boto3.client("s3")


class Place:
    """A bucket of a script's own for its results, and the database of its queries."""

    def __init__(self, bucket, database):
        self.bucket, self.database = bucket, database
        self.results = {"OutputLocation": f"s3://{bucket}/results/"}
        s3.create_bucket(Bucket=bucket)

    def run(self, sql, state="SUCCEEDED", database=None, **more):
        """Runs a query, which must end in a state."""
        more.setdefault("ResultConfiguration", self.results)
        context = {"Database": database or self.database}
        started = athena.start_query_execution(QueryString=sql, QueryExecutionContext=context, **more)
        while True:
            execution = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(0.02)
        assert execution["Status"]["State"] == state, (sql, execution["Status"])
        return execution


def rows(execution):
    """All rows of a result, its header first."""
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
    return [
        tuple(cell.get("VarCharValue") for cell in row["Data"])
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]


def body(location):
    """The bytes of an object."""
    bucket, key = location.removeprefix("s3://").split("/", 1)
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def refused(call, code, text="", **arguments):
    """Makes a call that must be refused, by an error of this code that says this."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code and text in found["Message"], found
        return
    raise AssertionError(f"{code} was expected")
