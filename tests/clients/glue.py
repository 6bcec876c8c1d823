"""Glue's catalog as boto3 calls it: databases, tables, versions, partitions, statistics."""

import boto3
from botocore.exceptions import ClientError

glue = boto3.client("glue")


def fails(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert error.response["ResponseMetadata"]["RequestId"], error.response
    else:
        raise AssertionError(f"{call.__name__} did not fail with {code}")


def table(name):
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE"},
        "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "a", "Type": "bigint", "Comment": "number"}],
            "Location": f"s3://lake/{name}/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
    }


def partition(dt, hour):
    descriptor = dict(table("log")["StorageDescriptor"], Location=f"s3://lake/log/dt={dt}/hour={hour}/")
    return {"Values": [dt, str(hour)], "StorageDescriptor": descriptor, "Parameters": {"numRows": "1"}}


names = {"DatabaseName": "boto", "TableName": "log"}
glue.create_database(DatabaseInput={"Name": "boto", "Description": "first"})
fails("AlreadyExistsException", glue.create_database, DatabaseInput={"Name": "boto"})
fails("EntityNotFoundException", glue.get_database, Name="absent")
fails("EntityNotFoundException", glue.create_table, DatabaseName="absent", TableInput=table("log"))
glue.update_database(Name="boto", DatabaseInput={"Name": "boto", "Description": "second"})
assert glue.get_database(Name="boto")["Database"]["Description"] == "second"
assert {"boto", "default"} <= {database["Name"] for page in glue.get_paginator("get_databases").paginate() for database in page["DatabaseList"]}

glue.create_table(DatabaseName="boto", TableInput=table("log"))
made = glue.get_table(DatabaseName="boto", Name="log")["Table"]
assert made["StorageDescriptor"]["Columns"] == table("log")["StorageDescriptor"]["Columns"], made
assert made["CreateTime"].year > 2000
glue.update_table(DatabaseName="boto", TableInput=dict(table("log"), Description="changed"), VersionId=made["VersionId"])
fails("ConcurrentModificationException", glue.update_table, DatabaseName="boto", TableInput=table("log"), VersionId=made["VersionId"])
versions = glue.get_table_versions(**names)["TableVersions"]
assert [version["Table"].get("Description") for version in versions] == ["changed", None]
assert glue.get_table_version(**names, VersionId=made["VersionId"])["TableVersion"]["Table"]["VersionId"] == made["VersionId"]
glue.delete_table_version(**names, VersionId=made["VersionId"])

for number in range(5):
    glue.create_table(DatabaseName="boto", TableInput=table(f"t{number}"))
pages = glue.get_paginator("get_tables").paginate(DatabaseName="boto", Expression="t.*", PaginationConfig={"PageSize": 2})
assert [found["Name"] for page in pages for found in page["TableList"]] == [f"t{number}" for number in range(5)]
assert [found["Name"] for found in glue.search_tables(SearchText="t3")["TableList"]] == ["t3"]
assert glue.batch_delete_table(DatabaseName="boto", TablesToDelete=[f"t{number}" for number in range(5)] + ["absent"])["Errors"][0]["TableName"] == "absent"

hours = [(f"2026-01-{day:02}", hour) for day in range(1, 11) for hour in range(24)]
for start in range(0, len(hours), 100):
    answer = glue.batch_create_partition(**names, PartitionInputList=[partition(*hour) for hour in hours[start : start + 100]])
    assert answer["Errors"] == [], answer
answer = glue.batch_create_partition(**names, PartitionInputList=[partition(*hours[0])])
assert answer["Errors"][0]["ErrorDetail"]["ErrorCode"] == "AlreadyExistsException"


def listed(**arguments):
    pages = glue.get_paginator("get_partitions").paginate(**names, PaginationConfig={"PageSize": 50}, **arguments)
    return sorted((found["Values"][0], int(found["Values"][1])) for page in pages for found in page["Partitions"])


assert listed() == hours
assert listed(Expression="dt = '2026-01-03' AND hour >= 20") == [("2026-01-03", hour) for hour in range(20, 24)]
assert listed(Expression="hour IN (3, 11) and dt like '2026-01-1%'") == [("2026-01-10", 3), ("2026-01-10", 11)]
assert sorted(sum((listed(Segment={"SegmentNumber": number, "TotalSegments": 4}) for number in range(4)), [])) == hours
fails("InvalidInputException", glue.get_partitions, **names, Expression="day = 1")

one = glue.get_partition(**names, PartitionValues=["2026-01-01", "0"])["Partition"]
assert one["StorageDescriptor"]["Location"] == "s3://lake/log/dt=2026-01-01/hour=0/" and one["Parameters"] == {"numRows": "1"}
moved = partition("2026-01-01", 0)
moved["StorageDescriptor"]["Location"] = "s3://lake/moved/"
glue.update_partition(**names, PartitionValueList=["2026-01-01", "0"], PartitionInput=moved)
got = glue.batch_get_partition(**names, PartitionsToGet=[{"Values": ["2026-01-01", "0"]}, {"Values": ["x", "0"]}])
assert [found["StorageDescriptor"]["Location"] for found in got["Partitions"]] == ["s3://lake/moved/"]
answer = glue.batch_delete_partition(**names, PartitionsToDelete=[{"Values": ["2026-01-01", "0"]}, {"Values": ["x", "0"]}])
assert answer["Errors"][0]["PartitionValues"] == ["x", "0"]
fails("EntityNotFoundException", glue.delete_partition, **names, PartitionValues=["2026-01-01", "0"])

statistics = {
    "ColumnName": "a",
    "ColumnType": "bigint",
    "AnalyzedTime": 1_700_000_000,
    "StatisticsData": {"Type": "LONG", "LongColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 9}},
}
assert glue.update_column_statistics_for_table(**names, ColumnStatisticsList=[statistics])["Errors"] == []
found = glue.get_column_statistics_for_table(**names, ColumnNames=["a", "b"])["ColumnStatisticsList"]
assert found[0]["StatisticsData"] == statistics["StatisticsData"], found
glue.delete_column_statistics_for_table(**names, ColumnName="a")
assert glue.get_user_defined_functions(Pattern="*")["UserDefinedFunctions"] == []
glue.delete_table(DatabaseName="boto", Name="log")
glue.delete_database(Name="boto")
print("glue: ok")
