"""boto3 against the rest of Athena's calls: workgroups, named queries, prepared statements, pages, what a query leaves
beside its result, limits."""

import uuid

from athena_calls import Place, athena, body, refused, rows, s3

BUCKET = "athena-api"
place = Place(BUCKET, "api")
run = place.run


def listed(call, member, **arguments):
    """Collects a list by pages of one."""
    names, token = [], None
    while True:
        page = call(MaxResults=1, **arguments, **({"NextToken": token} if token else {}))
        assert len(page[member]) <= 1, page
        names += page[member]
        token = page.get("NextToken")
        if not token:
            return names


run("CREATE DATABASE api", database="default")

# Workgroups: an enforced location wins, a client's own table location is refused, a scan over the limit is cancelled.
athena.create_work_group(
    Name="strict",
    Configuration={
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/strict/"},
        "BytesScannedCutoffPerQuery": 10_000_000,
    },
    Description="for tests",
    Tags=[{"Key": "team", "Value": "data"}],
)
assert {group["Name"] for group in listed(athena.list_work_groups, "WorkGroups")} == {"primary", "strict"}
assert run("SELECT 1", WorkGroup="strict")["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{BUCKET}/strict/")
reason = run(
    f"CREATE TABLE t WITH (external_location = 's3://{BUCKET}/t/') AS SELECT 1 AS n", "FAILED", WorkGroup="strict"
)["Status"]["StateChangeReason"]
assert "'external_location' property" in reason, reason
s3.put_object(Bucket=BUCKET, Key="wide/a.csv", Body=b"x" * 999_999 + b"\n", ContentType="text/csv")
for number in range(1, 12):
    s3.copy_object(Bucket=BUCKET, Key=f"wide/{number}.csv", CopySource=f"{BUCKET}/wide/a.csv")
run(f"CREATE EXTERNAL TABLE wide (s string) LOCATION 's3://{BUCKET}/wide/'")
over = run("SELECT max(length(s)), count(*) FROM wide", "CANCELLED", WorkGroup="strict")
assert over["Status"]["StateChangeReason"].startswith("Bytes scanned limit was exceeded"), over["Status"]
assert rows(run("SELECT max(length(s)), count(*) FROM wide"))[1] == ("999999", "12")
athena.update_work_group(WorkGroup="strict", State="DISABLED")
refused(athena.start_query_execution, "InvalidRequestException", "is disabled", QueryString="SELECT 1", WorkGroup="strict")
refused(athena.create_work_group, "InvalidRequestException", "already", Name="strict")
refused(athena.delete_work_group, "InvalidRequestException", "", WorkGroup="primary")
athena.delete_work_group(WorkGroup="strict", RecursiveDeleteOption=True)
refused(athena.get_work_group, "InvalidRequestException", "not found", WorkGroup="strict")

# Named queries.
token = str(uuid.uuid4())
made = [
    athena.create_named_query(Name="one", Database="api", QueryString="SELECT 1", ClientRequestToken=token)["NamedQueryId"]
    for _ in range(2)
]
assert made[0] == made[1], "a call that is sent again makes no second one"
other = athena.create_named_query(Name="two", Database="api", QueryString="SELECT 2", Description="d")["NamedQueryId"]
assert sorted(listed(athena.list_named_queries, "NamedQueryIds")) == sorted([made[0], other])
athena.update_named_query(NamedQueryId=other, Name="deux", QueryString="SELECT 22")
found = athena.batch_get_named_query(NamedQueryIds=[other, str(uuid.uuid4())])
assert [query["Name"] for query in found["NamedQueries"]] == ["deux"], found
assert len(found["UnprocessedNamedQueryIds"]) == 1, found
athena.delete_named_query(NamedQueryId=other)
refused(athena.get_named_query, "InvalidRequestException", "was not found", NamedQueryId=other)

# Prepared statements, by the calls and by SQL.
athena.create_prepared_statement(StatementName="plus", WorkGroup="primary", QueryStatement="SELECT ? + 1 AS n")
run("PREPARE minus FROM SELECT ? - 1 AS n")
names = [statement["StatementName"] for statement in listed(
    athena.list_prepared_statements, "PreparedStatements", WorkGroup="primary"
)]
assert names == ["minus", "plus"], names
assert rows(run("EXECUTE plus USING 41"))[1] == ("42",)
assert rows(run("EXECUTE minus", ExecutionParameters=["43"]))[1] == ("42",)
athena.update_prepared_statement(StatementName="plus", WorkGroup="primary", QueryStatement="SELECT ? + 2 AS n")
assert rows(run("EXECUTE plus USING 40"))[1] == ("42",)
run("DEALLOCATE PREPARE minus")
refused(
    athena.get_prepared_statement, "ResourceNotFoundException", "was not found", StatementName="minus", WorkGroup="primary"
)
athena.delete_prepared_statement(StatementName="plus", WorkGroup="primary")

# What a query leaves: its rows and what describes them, the list of what it wrote, figures.
selected = run("SELECT n, 'a\"b' AS s FROM UNNEST(sequence(1, 3)) AS t (n)")
output = selected["ResultConfiguration"]["OutputLocation"]
assert body(output) == b'"n","s"\n"1","a""b"\n"2","a""b"\n"3","a""b"\n', body(output)
assert b"varchar" in body(output + ".metadata"), body(output + ".metadata")
pages = athena.get_paginator("get_query_results").paginate(
    QueryExecutionId=selected["QueryExecutionId"], PaginationConfig={"PageSize": 2}
)
assert [len(page["ResultSet"]["Rows"]) for page in pages] == [2, 2], "the header is a row of the first page"
statistics = athena.get_query_runtime_statistics(QueryExecutionId=selected["QueryExecutionId"])["QueryRuntimeStatistics"]
assert statistics["Rows"]["OutputRows"] == 3 and statistics["Timeline"]["TotalExecutionTimeInMillis"] >= 0, statistics
written = run(f"CREATE TABLE parts WITH (external_location = 's3://{BUCKET}/parts/', partitioned_by = ARRAY['k']) AS "
              "SELECT n, n % 2 AS k FROM UNNEST(sequence(1, 4)) AS t (n)")
manifest = body(written["Statistics"]["DataManifestLocation"]).decode().split()
assert sorted(line.rsplit("/", 2)[1] for line in manifest) == ["k=0", "k=1"], manifest
inserted = run("INSERT INTO parts VALUES (5, 1), (6, 2)")
for line in body(inserted["Statistics"]["DataManifestLocation"]).decode().split():
    assert inserted["QueryExecutionId"] in line and body(line), line
unloaded = run(f"UNLOAD (SELECT n FROM parts) TO 's3://{BUCKET}/unloaded/' WITH (format = 'JSON', compression = 'none')")
assert len(body(body(unloaded["Statistics"]["DataManifestLocation"]).decode().strip()).split()) == 6

# Limits.
reason = run("CREATE TABLE many WITH (partitioned_by = ARRAY['k']) AS SELECT 1 AS n, k FROM UNNEST(sequence(1, 101)) AS t (k)",
             "FAILED")["Status"]["StateChangeReason"]
assert reason.startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: "), reason
reason = run(f"CREATE TABLE taken WITH (external_location = 's3://{BUCKET}/parts/') AS SELECT 1 AS n", "FAILED")
assert reason["Status"]["StateChangeReason"].startswith("HIVE_PATH_ALREADY_EXISTS: "), reason["Status"]
refused(
    athena.start_query_execution, "InvalidRequestException", "less than or equal to 262144",
    QueryString="SELECT '" + "x" * 262_144 + "'",
)
history = listed(athena.list_query_executions, "QueryExecutionIds")
assert history[0] == reason["QueryExecutionId"] and len(history) == len(set(history)), history

# The same question again, where the answer may be an old one.
reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}
question = f"SELECT '{uuid.uuid4()}' AS q"
answers = [run(question, ResultReuseConfiguration=reuse) for _ in range(2)]
assert [answer["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"] for answer in answers] == [False, True]
assert answers[1]["ResultReuseConfiguration"] == reuse, answers[1]
assert rows(answers[0]) == rows(answers[1]) and answers[1]["Statistics"]["DataScannedInBytes"] == 0
assert not run(question)["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"], "only who asks for it gets it"

run("DROP DATABASE api CASCADE")
print("athena_api: ok")
