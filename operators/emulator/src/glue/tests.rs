//! The service as its clients meet it: JSON in, JSON out.

use lake::catalog::SqliteCatalog;
use lake::clock::SystemClock;

use super::*;

/// A catalog of its own.
struct Place {
    _folder: tempfile::TempDir,
    glue: Glue,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open_in(folder.path(), Arc::new(SystemClock)).await.unwrap();
        let place = Self { glue: Glue::new(Arc::new(catalog)), _folder: folder };
        place.ok("CreateDatabase", json!({"DatabaseInput": {"Name": "web"}})).await;
        place
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        self.glue.call(operation, body).await.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    async fn fails(&self, operation: &str, body: Value) -> String {
        self.glue.call(operation, body).await.unwrap_err().code.into_owned()
    }

    /// Makes a table with the keys `dt` (text) and `n` (int).
    async fn with_table(&self) {
        self.ok("CreateTable", json!({"DatabaseName": "web", "TableInput": log()})).await;
    }

    async fn add(&self, values: &[[&str; 2]]) {
        let partitions: Vec<Value> = values.iter().map(|values| partition(*values)).collect();
        let call = json!({"DatabaseName": "web", "TableName": "log", "PartitionInputList": partitions});
        assert_eq!(self.ok("BatchCreatePartition", call).await, json!({"Errors": []}));
    }

    /// Returns the values of the partitions that a call lists, over all pages.
    async fn list(&self, call: Value) -> Vec<String> {
        let mut call = call;
        call["DatabaseName"] = json!("web");
        call["TableName"] = json!("log");
        let mut found = Vec::new();
        loop {
            let page = self.ok("GetPartitions", call.clone()).await;
            for partition in page["Partitions"].as_array().unwrap() {
                let values: Vec<&str> =
                    partition["Values"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
                found.push(values.join("/"));
            }
            match page.get("NextToken") {
                Some(token) => call["NextToken"] = token.clone(),
                None => return found,
            }
        }
    }
}

fn log() -> Value {
    json!({
        "Name": "log",
        "Description": "lines",
        "Owner": "me",
        "Retention": 3,
        "LastAccessTime": 1_700_000_000.5,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "ViewOriginalText": "a",
        "ViewExpandedText": "b",
        "PartitionKeys": [{"Name": "dt", "Type": "string", "Comment": "day"}, {"Name": "n", "Type": "int"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "a", "Type": "bigint", "Parameters": {"iceberg.field.id": "1"}}],
            "Location": "s3://lake/log/",
            "AdditionalLocations": ["s3://lake/more/"],
            "InputFormat": "in",
            "OutputFormat": "out",
            "Compressed": true,
            "NumberOfBuckets": -1,
            "SerdeInfo": {"Name": "s", "SerializationLibrary": "lib", "Parameters": {"serialization.format": "1"}},
            "BucketColumns": ["a"],
            "SortColumns": [{"Column": "a", "SortOrder": 1}],
            "Parameters": {"k": "v"},
            "SkewedInfo": {
                "SkewedColumnNames": ["a"],
                "SkewedColumnValues": ["1"],
                "SkewedColumnValueLocationMaps": {"1": "s3://lake/one/"},
            },
            "StoredAsSubDirectories": true,
        },
    })
}

fn partition(values: [&str; 2]) -> Value {
    json!({
        "Values": values,
        "Parameters": {"numRows": "1"},
        "LastAccessTime": 1_700_000_000.0,
        "StorageDescriptor": {
            "Columns": [{"Name": "a", "Type": "bigint"}],
            "Location": format!("s3://lake/log/dt={}/n={}/", values[0], values[1]),
            "InputFormat": "in",
            "SerdeInfo": {"SerializationLibrary": "lib", "Parameters": {"serialization.format": "1"}},
            "SortColumns": [{"Column": "a", "SortOrder": 0}],
        },
    })
}

/// Tells whether everything of `put` is in `got` as it was put.
fn is_within(put: &Value, got: &Value) -> bool {
    match (put, got) {
        (Value::Object(put), Value::Object(got)) => {
            put.iter().all(|(key, value)| got.get(key).is_some_and(|found| is_within(value, found)))
        }
        (Value::Array(put), Value::Array(got)) => {
            put.len() == got.len() && put.iter().zip(got).all(|(put, got)| is_within(put, got))
        }
        (put, got) => put == got,
    }
}

#[tokio::test]
async fn what_a_client_put_comes_back_unchanged() {
    let place = Place::new().await;
    let database =
        json!({"Name": "raw", "Description": "d", "LocationUri": "s3://lake/raw/", "Parameters": {"k": "v"}});
    place.ok("CreateDatabase", json!({"DatabaseInput": database})).await;
    let found = place.ok("GetDatabase", json!({"Name": "RAW"})).await;
    assert!(is_within(&database, &found["Database"]), "{found}");

    place.with_table().await;
    let found = place.ok("GetTable", json!({"DatabaseName": "web", "Name": "log"})).await;
    assert!(is_within(&log(), &found["Table"]), "{found:#}");
    assert_eq!(found["Table"]["DatabaseName"], "web");

    place.add(&[["2026-01-01", "1"]]).await;
    let call = json!({"DatabaseName": "web", "TableName": "log", "PartitionValues": ["2026-01-01", "1"]});
    let found = place.ok("GetPartition", call).await;
    assert!(is_within(&partition(["2026-01-01", "1"]), &found["Partition"]), "{found:#}");
}

#[tokio::test]
async fn a_partition_without_a_descriptor_is_as_its_table() {
    let place = Place::new().await;
    place.with_table().await;
    let call = json!({"DatabaseName": "web", "TableName": "log", "PartitionInput": {"Values": ["a:b", "1"]}});
    place.ok("CreatePartition", call).await;
    let call = json!({"DatabaseName": "web", "TableName": "log", "PartitionValues": ["a:b", "1"]});
    let found = place.ok("GetPartition", call).await;
    let descriptor = &found["Partition"]["StorageDescriptor"];
    assert_eq!(descriptor["Location"], "s3://lake/log/dt=a%3Ab/n=1/");
    assert_eq!(descriptor["Columns"], log()["StorageDescriptor"]["Columns"]);
    assert_eq!(descriptor["SerdeInfo"], log()["StorageDescriptor"]["SerdeInfo"]);
}

#[tokio::test]
async fn databases_are_made_changed_listed_and_dropped() {
    let place = Place::new().await;
    assert_eq!(
        place.fails("CreateDatabase", json!({"DatabaseInput": {"Name": "WEB"}})).await,
        "AlreadyExistsException"
    );
    place.ok("UpdateDatabase", json!({"Name": "web", "DatabaseInput": {"Name": "web", "Description": "x"}})).await;
    assert_eq!(place.ok("GetDatabase", json!({"Name": "web"})).await["Database"]["Description"], "x");
    let first = place.ok("GetDatabases", json!({"MaxResults": 1})).await;
    assert_eq!(first["DatabaseList"][0]["Name"], "default");
    let second = place.ok("GetDatabases", json!({"MaxResults": 1, "NextToken": first["NextToken"]})).await;
    assert_eq!((&second["DatabaseList"][0]["Name"], second.get("NextToken")), (&json!("web"), None));
    place.with_table().await;
    place.ok("DeleteDatabase", json!({"Name": "web"})).await;
    for (operation, call) in [
        ("GetDatabase", json!({"Name": "web"})),
        ("DeleteDatabase", json!({"Name": "web"})),
        ("UpdateDatabase", json!({"Name": "web", "DatabaseInput": {"Name": "web"}})),
        ("GetTables", json!({"DatabaseName": "web"})),
        ("GetTable", json!({"DatabaseName": "web", "Name": "log"})),
        ("CreateTable", json!({"DatabaseName": "web", "TableInput": log()})),
    ] {
        assert_eq!(place.fails(operation, call).await, "EntityNotFoundException", "{operation}");
    }
    for name in ["", "a/b", "a\u{0}"] {
        let code = place.fails("CreateDatabase", json!({"DatabaseInput": {"Name": name}})).await;
        assert_eq!(code, "InvalidInputException", "{name:?}");
    }
    assert_eq!(place.fails("CreateDatabase", json!({"DatabaseInput": {}})).await, "ValidationException");
    assert_eq!(place.fails("CreateCrawler", json!({})).await, "UnknownOperationException");
}

#[tokio::test]
async fn a_table_is_changed_by_whoever_knows_its_version() {
    let place = Place::new().await;
    place.with_table().await;
    let get = || async { place.ok("GetTable", json!({"DatabaseName": "web", "Name": "log"})).await["Table"].clone() };
    let first = get().await["VersionId"].clone();
    let update = |version: Option<&Value>, description: &str, skip: bool| {
        let mut table = log();
        table["Description"] = json!(description);
        let mut call = json!({"DatabaseName": "web", "TableInput": table, "SkipArchive": skip});
        if let Some(version) = version {
            call["VersionId"] = version.clone();
        }
        call
    };
    place.ok("UpdateTable", update(Some(&first), "second", false)).await;
    assert_eq!(
        place.fails("UpdateTable", update(Some(&first), "lost", false)).await,
        "ConcurrentModificationException"
    );
    let second = get().await;
    assert_eq!((&second["Description"], &second["CreateTime"]), (&json!("second"), &get().await["CreateTime"]));
    place.ok("UpdateTable", update(None, "third", true)).await;
    place.ok("UpdateTable", update(None, "fourth", false)).await;

    let name = json!({"DatabaseName": "web", "TableName": "log"});
    let versions = place.ok("GetTableVersions", name.clone()).await;
    let descriptions = |versions: &Value| -> Vec<String> {
        let versions = versions["TableVersions"].as_array().unwrap().iter();
        versions.map(|version| version["Table"]["Description"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(descriptions(&versions), ["fourth", "third", "lines"], "the second was not to be archived");
    let of = |version: &Value| json!({"DatabaseName": "web", "TableName": "log", "VersionId": version});
    assert_eq!(place.ok("GetTableVersion", of(&first)).await["TableVersion"]["Table"]["Description"], "lines");
    assert_eq!(place.ok("GetTableVersion", name.clone()).await["TableVersion"]["Table"]["Description"], "fourth");
    let page = place.ok("GetTableVersions", json!({"DatabaseName": "web", "TableName": "log", "MaxResults": 2})).await;
    let next = json!({"DatabaseName": "web", "TableName": "log", "MaxResults": 2, "NextToken": page["NextToken"]});
    assert_eq!(descriptions(&place.ok("GetTableVersions", next).await), ["lines"]);
    place.ok("DeleteTableVersion", of(&first)).await;
    assert_eq!(place.fails("GetTableVersion", of(&first)).await, "EntityNotFoundException");
    let ids = json!({"DatabaseName": "web", "TableName": "log", "VersionIds": [versions["TableVersions"][1]["VersionId"], "0"]});
    let errors = place.ok("BatchDeleteTableVersion", ids).await;
    assert_eq!(errors["Errors"].as_array().unwrap().len(), 1);
    assert_eq!(errors["Errors"][0]["ErrorDetail"]["ErrorCode"], "EntityNotFoundException");
}

#[tokio::test]
async fn two_hundred_changes_of_two_writers_are_all_kept() {
    let place = Place::new().await;
    place.with_table().await;
    let writer = |name: &'static str| {
        let place = &place;
        async move {
            for number in 0..100 {
                loop {
                    let table =
                        place.ok("GetTable", json!({"DatabaseName": "web", "Name": "log"})).await["Table"].clone();
                    let mut input = log();
                    input["Parameters"] = table["Parameters"].clone();
                    input["Parameters"][format!("{name}{number}")] = json!("x");
                    let call = json!({"DatabaseName": "web", "TableInput": input, "VersionId": table["VersionId"], "SkipArchive": true});
                    match place.glue.call("UpdateTable", call).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.code, "ConcurrentModificationException"),
                    }
                }
            }
        }
    };
    futures::future::join(writer("a"), writer("b")).await;
    let table = place.ok("GetTable", json!({"DatabaseName": "web", "Name": "log"})).await;
    assert_eq!(table["Table"]["Parameters"].as_object().unwrap().len(), 202);
}

#[tokio::test]
async fn tables_are_listed_found_and_dropped() {
    let place = Place::new().await;
    for name in ["log_1", "log_2", "other"] {
        let mut table = log();
        table["Name"] = json!(name);
        place.ok("CreateTable", json!({"DatabaseName": "web", "TableInput": table})).await;
    }
    let names = |found: &Value| -> Vec<String> {
        found["TableList"].as_array().unwrap().iter().map(|table| table["Name"].as_str().unwrap().to_owned()).collect()
    };
    let list = |expression: &str| json!({"DatabaseName": "web", "Expression": expression});
    assert_eq!(names(&place.ok("GetTables", json!({"DatabaseName": "web"})).await), ["log_1", "log_2", "other"]);
    assert_eq!(names(&place.ok("GetTables", list("log_*")).await), ["log_1", "log_2"]);
    assert_eq!(names(&place.ok("GetTables", list(".*_2|other")).await), ["log_2", "other"]);
    assert_eq!(names(&place.ok("SearchTables", json!({"SearchText": "log_2"})).await), ["log_2"]);
    assert_eq!(names(&place.ok("SearchTables", json!({"SearchText": "\"other\""})).await), ["other"]);
    let filter = json!({"Filters": [{"Key": "DatabaseName", "Value": "default"}]});
    assert!(names(&place.ok("SearchTables", filter).await).is_empty());
    assert_eq!(
        place.fails("CreateTable", json!({"DatabaseName": "web", "TableInput": {"Name": "other", "StorageDescriptor": {"Location": "s3://b/t/"}}})).await,
        "AlreadyExistsException"
    );
    let errors =
        place.ok("BatchDeleteTable", json!({"DatabaseName": "web", "TablesToDelete": ["log_1", "absent"]})).await;
    assert_eq!(errors["Errors"][0]["TableName"], "absent");
    place.ok("DeleteTable", json!({"DatabaseName": "web", "Name": "OTHER"})).await;
    assert_eq!(
        place.fails("DeleteTable", json!({"DatabaseName": "web", "Name": "other"})).await,
        "EntityNotFoundException"
    );
    assert_eq!(names(&place.ok("GetTables", json!({"DatabaseName": "web"})).await), ["log_2"]);
}

#[tokio::test]
async fn partitions_are_put_listed_and_dropped() {
    let place = Place::new().await;
    place.with_table().await;
    place.add(&[["2026-01-02", "10"], ["2026-01-01", "2"], ["2026-01-01", "1"], ["2026-01-02", "9"]]).await;
    let all = ["2026-01-01/1", "2026-01-01/2", "2026-01-02/10", "2026-01-02/9"];
    assert_eq!(place.list(json!({})).await, all);
    assert_eq!(place.list(json!({"MaxResults": 1})).await, all);
    assert_eq!(place.list(json!({"Expression": "n > 5 and dt in ('2026-01-02')"})).await, all[2..]);
    assert_eq!(place.list(json!({"Expression": ""})).await, all);
    let mut segments = Vec::new();
    for number in 0..5 {
        segments.extend(place.list(json!({"Segment": {"SegmentNumber": number, "TotalSegments": 5}})).await);
    }
    segments.sort();
    assert_eq!(segments, all, "each partition is in one segment");
    let name = json!({"DatabaseName": "web", "TableName": "log", "ExcludeColumnSchema": true});
    let bare = place.ok("GetPartitions", name).await;
    assert_eq!(bare["Partitions"][0]["StorageDescriptor"].get("Columns"), None);

    let of = |key: &str, value: Value| json!({"DatabaseName": "web", "TableName": "log", key: value});
    let again = place
        .ok(
            "BatchCreatePartition",
            of("PartitionInputList", json!([partition(["2026-01-01", "1"]), partition(["x", "3"])])),
        )
        .await;
    assert_eq!(
        again["Errors"],
        json!([{
            "PartitionValues": ["2026-01-01", "1"],
            "ErrorDetail": {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "Partition already exists."},
        }])
    );
    let many: Vec<Value> = (0..101).map(|number| partition(["y", &number.to_string()])).collect();
    assert_eq!(place.fails("BatchCreatePartition", of("PartitionInputList", json!(many))).await, "ValidationException");
    let got = place
        .ok("BatchGetPartition", of("PartitionsToGet", json!([{"Values": ["x", "3"]}, {"Values": ["x", "4"]}])))
        .await;
    assert_eq!(got["Partitions"].as_array().unwrap().len(), 1);

    let mut moved = partition(["x", "3"]);
    moved["StorageDescriptor"]["Location"] = json!("s3://lake/elsewhere/");
    let change = json!({"PartitionValueList": ["x", "3"], "PartitionInput": moved});
    let absent = json!({"PartitionValueList": ["x", "4"], "PartitionInput": partition(["x", "4"])});
    let renamed = json!({"PartitionValueList": ["x", "3"], "PartitionInput": partition(["x", "4"])});
    let errors = place.ok("BatchUpdatePartition", of("Entries", json!([change, absent, renamed]))).await;
    let codes: Vec<&str> = errors["Errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["ErrorDetail"]["ErrorCode"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["EntityNotFoundException", "InvalidInputException"]);
    let found = place.ok("GetPartition", of("PartitionValues", json!(["x", "3"]))).await;
    assert_eq!(found["Partition"]["StorageDescriptor"]["Location"], "s3://lake/elsewhere/");

    let errors = place
        .ok("BatchDeletePartition", of("PartitionsToDelete", json!([{"Values": ["x", "3"]}, {"Values": ["x", "4"]}])))
        .await;
    assert_eq!(errors["Errors"][0]["PartitionValues"], json!(["x", "4"]));
    place.ok("DeletePartition", of("PartitionValues", json!(["2026-01-02", "9"]))).await;
    assert_eq!(
        place.fails("DeletePartition", of("PartitionValues", json!(["2026-01-02", "9"]))).await,
        "EntityNotFoundException"
    );
    assert_eq!(
        place.fails("GetPartition", of("PartitionValues", json!(["2026-01-02"]))).await,
        "InvalidInputException"
    );
    for hostile in [["..", "1"], ["a/b", "1"], ["a\u{0}", "1"]] {
        let code = place.fails("CreatePartition", of("PartitionInput", json!({"Values": hostile}))).await;
        assert_eq!(code, "InvalidInputException", "{hostile:?}");
    }
    assert_eq!(place.list(json!({})).await, all[..3]);
    assert_eq!(
        place.fails("GetPartitions", json!({"DatabaseName": "web", "TableName": "log", "Expression": "x ="})).await,
        "InvalidInputException"
    );
}

#[tokio::test]
async fn statistics_of_columns_are_kept_and_given_back() {
    let place = Place::new().await;
    place.with_table().await;
    place.add(&[["x", "1"]]).await;
    let figures = json!({
        "ColumnName": "a",
        "ColumnType": "bigint",
        "AnalyzedTime": 1_700_000_000.0,
        "StatisticsData": {"Type": "LONG", "LongColumnStatisticsData": {"NumberOfNulls": 0, "NumberOfDistinctValues": 3}},
    });
    for (kind, values) in [("Table", None), ("Partition", Some(json!(["x", "1"])))] {
        let of = |key: &str, value: Value| {
            let mut call = json!({"DatabaseName": "web", "TableName": "log", key: value});
            if let Some(values) = &values {
                call["PartitionValues"] = values.clone();
            }
            call
        };
        let operation = |verb: &str| format!("{verb}ColumnStatisticsFor{kind}");
        place.ok(&operation("Update"), of("ColumnStatisticsList", json!([figures]))).await;
        let found = place.ok(&operation("Get"), of("ColumnNames", json!(["a", "b"]))).await;
        assert_eq!(found, json!({"ColumnStatisticsList": [figures], "Errors": []}));
        for _ in 0..2 {
            place.ok(&operation("Delete"), of("ColumnName", json!("a"))).await;
            let found = place.ok(&operation("Get"), of("ColumnNames", json!(["a"]))).await;
            assert_eq!(found["ColumnStatisticsList"], json!([]));
        }
    }
    let absent = json!({"DatabaseName": "web", "TableName": "absent", "ColumnNames": ["a"]});
    assert_eq!(place.fails("GetColumnStatisticsForTable", absent).await, "EntityNotFoundException");
}

#[tokio::test]
async fn statistics_that_a_client_left_out_are_zero() {
    let place = Place::new().await;
    place.with_table().await;
    let figures = json!({
        "ColumnName": "a",
        "StatisticsData": {"Type": "STRING", "StringColumnStatisticsData": {"NumberOfNulls": 4}},
    });
    let put = json!({"DatabaseName": "web", "TableName": "log", "ColumnStatisticsList": [figures]});
    place.ok("UpdateColumnStatisticsForTable", put).await;
    let get = json!({"DatabaseName": "web", "TableName": "log", "ColumnNames": ["a"]});
    let found = place.ok("GetColumnStatisticsForTable", get).await;
    assert_eq!(
        found["ColumnStatisticsList"][0]["StatisticsData"]["StringColumnStatisticsData"],
        json!({"NumberOfNulls": 4, "AverageLength": 0, "MaximumLength": 0, "NumberOfDistinctValues": 0})
    );
}

#[tokio::test]
async fn what_this_catalog_has_none_of_is_empty() {
    let place = Place::new().await;
    assert_eq!(place.ok("GetUserDefinedFunctions", json!({"Pattern": "*"})).await, json!({"UserDefinedFunctions": []}));
    assert_eq!(place.ok("GetTags", json!({"ResourceArn": "x"})).await, json!({"Tags": {}}));
    let indexes = place.ok("GetPartitionIndexes", json!({"DatabaseName": "web", "TableName": "log"})).await;
    assert_eq!(indexes, json!({"PartitionIndexDescriptorList": []}));
}

#[tokio::test]
async fn the_catalog_of_another_account_is_refused() {
    let place = Place::new().await;
    let call = |id: &str| json!({"CatalogId": id, "Name": "web"});
    assert_eq!(place.ok("GetDatabase", call("000000000000")).await["Database"]["Name"], "web");
    assert_eq!(place.fails("GetDatabase", call("111111111111")).await, "AccessDeniedException");
    assert_eq!(place.fails("DeleteDatabase", call("111111111111")).await, "AccessDeniedException");
    place.ok("GetDatabase", json!({"Name": "web"})).await;
}

#[tokio::test]
async fn a_table_needs_no_location() {
    let place = Place::new().await;
    let call = json!({"DatabaseName": "web", "TableInput": {"Name": "bare", "TableType": "EXTERNAL_TABLE"}});
    place.ok("CreateTable", call).await;
    let table = place.ok("GetTable", json!({"DatabaseName": "web", "Name": "bare"})).await;
    assert_eq!(table["Table"]["StorageDescriptor"]["Location"], "");
}
