//! What is kept: tokens, ended and stopped queries, quotas, workgroups, named queries.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_starts_one_query() {
    let fixture = fixture().await;
    let body =
        |sql: &str| json!({ "QueryString": sql, "ClientRequestToken": "a token of at least thirty-two letters" });
    let first = fixture.call("StartQueryExecution", body("SELECT 1")).await;
    let again = fixture.call("StartQueryExecution", body("SELECT 1")).await;
    assert_eq!(first, again);
    fixture.ended(first["QueryExecutionId"].as_str().unwrap()).await;
    assert_eq!(fixture.call("StartQueryExecution", body("SELECT 1")).await, first, "an ended one as well");
    let (code, message) = fixture.refused("StartQueryExecution", body("SELECT 2")).await;
    assert_eq!((code.as_str(), message.as_str()), ("InvalidRequestException", "Idempotent parameters do not match"));
    let listed = fixture.call("ListQueryExecutions", json!({})).await;
    assert_eq!(listed["QueryExecutionIds"].as_array().unwrap().len(), 1);

    let short = json!({ "QueryString": "SELECT 1", "ClientRequestToken": "short" });
    let (_, message) = fixture.refused("StartQueryExecution", short).await;
    assert!(message.ends_with("Member must have length greater than or equal to 32"), "{message}");
    let long =
        json!({ "QueryString": format!("SELECT '{}'", "x".repeat(262_144)), "ClientRequestToken": "y".repeat(40) });
    let (_, message) = fixture.refused("StartQueryExecution", long).await;
    assert!(message.ends_with("Member must have length less than or equal to 262144"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_outlives_the_endpoint_and_what_ran_has_failed() {
    let fixture = fixture().await;
    let done = fixture.run("SELECT 7 AS n").await.execution["QueryExecutionId"].as_str().unwrap().to_owned();
    let endless = fixture.start(&endless()).await;

    let next =
        Fixture { athena: open(fixture.folder.path(), Quotas::default()).await, folder: tempfile::tempdir().unwrap() };
    let results = next.call("GetQueryResults", json!({ "QueryExecutionId": done })).await;
    assert_eq!(shown(&results["ResultSet"]["Rows"][1]), "7");
    let execution = next.ended(&endless).await;
    assert_eq!(execution["Status"]["State"], "FAILED");
    assert_eq!(
        execution["Status"]["StateChangeReason"],
        "GENERIC_INTERNAL_ERROR: the endpoint was stopped while the query ran: what it wrote may be there"
    );
    let listed = next.call("ListQueryExecutions", json!({ "MaxResults": 1 })).await;
    assert_eq!(listed["QueryExecutionIds"], json!([endless]));
    let body = json!({ "MaxResults": 1, "NextToken": listed["NextToken"] });
    assert_eq!(next.call("ListQueryExecutions", body).await["QueryExecutionIds"], json!([done]));
    fixture.call("StopQueryExecution", json!({ "QueryExecutionId": endless })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_stopped_and_quotas_hold() {
    let folder = tempfile::tempdir().unwrap();
    let quotas = Quotas { dml: Some(1), ddl: None };
    let fixture = Fixture { athena: open(folder.path(), quotas).await, folder };
    let id = fixture.start(&endless()).await;
    let second = json!({ "QueryString": "SELECT 1", "ClientRequestToken": "z".repeat(40) });
    let (code, message) = fixture.refused("StartQueryExecution", second.clone()).await;
    assert_eq!(code, "TooManyRequestsException");
    assert_eq!(
        message,
        "You have exceeded the limit for the number of queries you can run concurrently: 1 active DML queries"
    );
    let (_, message) = fixture.refused("GetQueryResults", json!({ "QueryExecutionId": id })).await;
    assert!(message.starts_with("Query has not yet finished. Current state: "), "{message}");
    fixture.call("StopQueryExecution", json!({ "QueryExecutionId": id })).await;
    let execution = fixture.ended(&id).await;
    assert_eq!(execution["Status"]["State"], "CANCELLED");
    assert_eq!(execution["Status"]["StateChangeReason"], "Query cancelled by user");
    fixture.call("StopQueryExecution", json!({ "QueryExecutionId": id })).await;
    // The place is free once the query has ended.
    loop {
        match fixture.athena.call("StartQueryExecution", second.clone()).await {
            Ok(started) => {
                fixture.ended(started["QueryExecutionId"].as_str().unwrap()).await;
                break;
            }
            Err(error) => assert_eq!(error.code, "TooManyRequestsException"),
        }
        tokio::task::yield_now().await;
    }
    let batch = fixture.call("BatchGetQueryExecution", json!({ "QueryExecutionIds": [id, "nope"] })).await;
    assert_eq!(batch["QueryExecutions"].as_array().unwrap().len(), 1);
    assert_eq!(batch["UnprocessedQueryExecutionIds"][0]["QueryExecutionId"], "nope");
}

#[tokio::test(flavor = "multi_thread")]
async fn workgroups_say_where_results_go() {
    let fixture = fixture().await;
    let primary = fixture.call("GetWorkGroup", json!({ "WorkGroup": "primary" })).await;
    assert_eq!(primary["WorkGroup"]["Configuration"]["EnforceWorkGroupConfiguration"], false);
    let create = json!({
        "Name": "team",
        "Configuration": {
            "ResultConfiguration": { "OutputLocation": "s3://team/out/" },
            "EnforceWorkGroupConfiguration": true,
            "BytesScannedCutoffPerQuery": 10_000_000,
        },
        "Tags": [{ "Key": "owner", "Value": "web" }],
    });
    fixture.call("CreateWorkGroup", create.clone()).await;
    assert_eq!(fixture.refused("CreateWorkGroup", create).await.1, "WorkGroup is already created");
    let group = fixture.call("GetWorkGroup", json!({ "WorkGroup": "team" })).await;
    assert_eq!(group["WorkGroup"]["Configuration"]["BytesScannedCutoffPerQuery"], 10_000_000);
    let tags = json!({ "ResourceARN": "arn:aws:athena:us-east-1:000000000000:workgroup/team" });
    assert_eq!(fixture.call("ListTagsForResource", tags).await["Tags"], json!([{ "Key": "owner", "Value": "web" }]));

    let start = |sql: &str| {
        json!({
            "QueryString": sql,
            "WorkGroup": "team",
            "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
            "ResultConfiguration": { "OutputLocation": "s3://mine/" },
        })
    };
    let started = fixture.call("StartQueryExecution", start("SELECT 1")).await;
    let execution = fixture.ended(started["QueryExecutionId"].as_str().unwrap()).await;
    assert!(execution["ResultConfiguration"]["OutputLocation"].as_str().unwrap().starts_with("s3://team/out/"));
    let started = fixture
        .call("StartQueryExecution", start("CREATE TABLE t WITH (external_location = 's3://b/t/') AS SELECT 1 AS n"))
        .await;
    let execution = fixture.ended(started["QueryExecutionId"].as_str().unwrap()).await;
    let reason = execution["Status"]["StateChangeReason"].as_str().unwrap();
    assert!(reason.contains("enforces a centralized output location"), "{reason}");

    let named = json!({ "Name": "q", "Database": "web", "QueryString": "SELECT 1", "WorkGroup": "idle" });
    fixture.call("CreateWorkGroup", json!({ "Name": "idle" })).await;
    fixture.call("CreateNamedQuery", named).await;
    for group in ["team", "idle"] {
        assert_eq!(
            fixture.refused("DeleteWorkGroup", json!({ "WorkGroup": group })).await.1,
            format!("WorkGroup {group} is not empty")
        );
        fixture.call("DeleteWorkGroup", json!({ "WorkGroup": group, "RecursiveDeleteOption": true })).await;
    }
    fixture.call("CreateWorkGroup", json!({ "Name": "idle" })).await;
    assert_eq!(fixture.call("ListNamedQueries", json!({ "WorkGroup": "idle" })).await["NamedQueryIds"], json!([]));
    assert_eq!(fixture.refused("GetWorkGroup", json!({ "WorkGroup": "team" })).await.1, "WorkGroup is not found.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workgroup_that_is_made_again_has_nothing_of_the_one_before() {
    let fixture = fixture().await;
    let group = json!({ "Name": "team", "Tags": [{ "Key": "owner", "Value": "web" }] });
    fixture.call("CreateWorkGroup", group).await;
    let start = |sql: &str| {
        json!({
            "QueryString": sql,
            "WorkGroup": "team",
            "ClientRequestToken": format!("{:x<40}", &sql[..8]),
            "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
        })
    };
    let id = async |sql: &str| {
        let started = fixture.call("StartQueryExecution", start(sql)).await;
        started["QueryExecutionId"].as_str().unwrap().to_owned()
    };
    let ended = id("SELECT 1").await;
    fixture.ended(&ended).await;
    let endless = endless();
    let running = id(&endless).await;
    fixture.call("DeleteWorkGroup", json!({ "WorkGroup": "team", "RecursiveDeleteOption": true })).await;
    fixture.call("CreateWorkGroup", json!({ "Name": "team" })).await;
    let list = json!({ "WorkGroup": "team" });
    assert_eq!(fixture.call("ListQueryExecutions", list.clone()).await["QueryExecutionIds"], json!([]));
    let (code, _) = fixture.refused("GetQueryExecution", json!({ "QueryExecutionId": ended })).await;
    assert_eq!(code, "InvalidRequestException");
    let tags = json!({ "ResourceARN": "arn:aws:athena:us-east-1:000000000000:workgroup/team" });
    assert_eq!(fixture.call("ListTagsForResource", tags).await["Tags"], json!([]));
    // One that runs goes on, and is known by its id alone.
    fixture.call("StopQueryExecution", json!({ "QueryExecutionId": running })).await;
    assert_eq!(fixture.ended(&running).await["Status"]["State"], "CANCELLED");
    assert_eq!(fixture.call("ListQueryExecutions", list.clone()).await["QueryExecutionIds"], json!([]));
    // The token is free, too.
    let anew = id("SELECT 1").await;
    assert_ne!(anew, ended);
    assert_eq!(fixture.call("ListQueryExecutions", list).await["QueryExecutionIds"], json!([anew]));
}

#[tokio::test(flavor = "multi_thread")]
async fn results_go_to_a_bucket_that_is_there() {
    let fixture = fixture().await;
    let start = |place: Option<&str>| {
        let mut start = json!({
            "QueryString": "SELECT 1",
            "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
        });
        if let Some(place) = place {
            start["ResultConfiguration"] = json!({ "OutputLocation": place });
        }
        start
    };
    let (code, message) = fixture.refused("StartQueryExecution", start(Some("s3://nowhere/q/"))).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidRequestException", "Unable to verify/create output bucket nowhere")
    );
    let warehouse = fixture.folder.path().join("warehouse/s3");
    assert!(!warehouse.join("nowhere").try_exists().unwrap());
    assert_eq!(fixture.call("ListQueryExecutions", json!({})).await["QueryExecutionIds"], json!([]));
    // The one that the endpoint names itself is its own.
    let started = fixture.call("StartQueryExecution", start(None)).await;
    let execution = fixture.ended(started["QueryExecutionId"].as_str().unwrap()).await;
    assert_eq!(execution["Status"]["State"], "SUCCEEDED", "{execution}");
    assert!(warehouse.join("athena-query-results").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn named_queries_are_kept() {
    let fixture = fixture().await;
    let create = json!({
        "Name": "daily", "Database": "web", "QueryString": "SELECT 1", "ClientRequestToken": "t".repeat(32),
    });
    let id = fixture.call("CreateNamedQuery", create.clone()).await["NamedQueryId"].clone();
    assert_eq!(fixture.call("CreateNamedQuery", create.clone()).await["NamedQueryId"], id);
    let mut other = create;
    other["QueryString"] = json!("SELECT 3");
    let (code, message) = fixture.refused("CreateNamedQuery", other).await;
    assert_eq!((code.as_str(), message.as_str()), ("InvalidRequestException", "Idempotent parameters do not match"));
    assert_eq!(fixture.call("ListNamedQueries", json!({})).await["NamedQueryIds"], json!([id]));
    let update = json!({ "NamedQueryId": id, "Name": "daily", "QueryString": "SELECT 2" });
    fixture.call("UpdateNamedQuery", update).await;
    let got = fixture.call("GetNamedQuery", json!({ "NamedQueryId": id })).await;
    assert_eq!(got["NamedQuery"]["QueryString"], "SELECT 2");
    assert_eq!(got["NamedQuery"]["WorkGroup"], "primary");
    fixture.call("DeleteNamedQuery", json!({ "NamedQueryId": id })).await;
    let batch = fixture.call("BatchGetNamedQuery", json!({ "NamedQueryIds": [id] })).await;
    assert_eq!(batch["UnprocessedNamedQueryIds"][0]["NamedQueryId"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_another_account_is_refused() {
    let fixture = fixture().await;
    let start = |catalog: &str| {
        json!({
            "QueryString": "SELECT 1",
            "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
            "QueryExecutionContext": { "Catalog": catalog },
            "ResultConfiguration": { "OutputLocation": "s3://results/q/" },
        })
    };
    let own = format!("glue:arn:aws:glue:us-east-1:{}:catalog", crate::ACCOUNT);
    for catalog in ["AwsDataCatalog", own.as_str()] {
        fixture.call("StartQueryExecution", start(catalog)).await;
    }
    let other = start("glue:arn:aws:glue:us-east-1:123456789012:catalog");
    let (code, message) = fixture.refused("StartQueryExecution", other).await;
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("on the catalog 123456789012: this endpoint has the catalog"), "{message}");
    let (code, _) = fixture.refused("StartQueryExecution", start("123456789012")).await;
    assert_eq!(code, "InvalidRequestException");
}
