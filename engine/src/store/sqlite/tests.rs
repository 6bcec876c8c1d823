//! What only the file has: formats of earlier versions, and other processes.

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::document::FileHashes;
use crate::params::Params;
use crate::session::TaskState;
use crate::store::AttemptSpec;
use crate::workflow::{TaskDef, Workflow};

/// Writes a file as the first version did: each task with its own definition.
async fn write_first_version(path: &Path, spec: &AttemptSpec, defs: &[&TaskDef]) {
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(MIGRATIONS[0]).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA user_version = 1; INSERT INTO session (project, workflow, session_time, uuid) VALUES ('p', 'w', '1970-01-01T00:00:00Z', 'u')",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO attempt (session_id, number, spec, state, created_at, epoch) VALUES (1, 1, ?, 'running', '1970-01-01T00:00:00Z', 3)",
    )
    .bind(to_json(spec).unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    for (id, def) in defs.iter().enumerate() {
        sqlx::query(
            "INSERT INTO task (attempt_id, id, parent_id, role, name, bound, def, upstreams, state, retry_count, retries_used, retry, superseded, skipped) VALUES (1, ?1, CASE WHEN ?1 > 0 THEN 0 END, 'written', '+x', ?2, ?3, '[]', 'success', 0, 0, '{\"limit\":0,\"interval\":0,\"interval_type\":\"constant\"}', 0, 0)",
        )
        .bind(i64::try_from(id).unwrap())
        .bind((id > 0).then(|| json!({"i": id}).to_string()))
        .bind(to_json(def).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_version_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let root = TaskDef::group("");
    let action = TaskDef::action("", "echo", Params::from_iter([("_command".to_owned(), json!("ü"))]));
    let workflow =
        Workflow { name: "w".to_owned(), time_zone: "UTC".to_owned(), schedule: None, root: TaskDef::group("+w") };
    let spec = AttemptSpec {
        workflow,
        settings_params: Params::new(),
        file_params: Params::new(),
        command_line_params: Params::new(),
        only: Some("+w+x".to_owned()),
        files: FileHashes::new(),
    };
    write_first_version(&path, &spec, &[&root, &action, &action]).await;

    let store = SqliteStore::open(&path).await.unwrap();
    let key = SessionKey { project: "p".to_owned(), workflow: "w".to_owned(), session_time: Timestamp::UNIX_EPOCH };
    let attempt = store.session(&key).await.unwrap().unwrap().last_attempt;
    assert_eq!((&*attempt.spec, attempt.epoch), (&spec, 3));
    let tasks = store.tasks(attempt.id).await.unwrap();
    let defs: Vec<&TaskDef> = tasks.iter().map(|record| &*record.task.def).collect();
    assert_eq!(defs, [&root, &action, &action]);
    assert!(Arc::ptr_eq(&tasks[1].task.def, &tasks[2].task.def));
    assert_eq!(tasks[2].task.bound.as_json(), Some("{\"i\":2}"));
    assert_eq!(tasks[2].task.progress.state, TaskState::Success);
    let columns: Vec<String> = {
        let mut connection = store.connection.lock().await;
        let rows = sqlx::query("SELECT name FROM pragma_table_info('task')").fetch_all(&mut *connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert!(!columns.contains(&"def".to_owned()), "{columns:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_make_the_file_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let file = file.clone();
                tokio::spawn(async move { SqliteStore::open(&file).await })
            })
            .collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
    }
}

/// Looks at the attempts of the one session; nothing can be changed.
async fn looked_at(path: &Path) -> Vec<AttemptId> {
    let store = SqliteStore::open_to_look(path).await.unwrap();
    let refused = store.request_kill(AttemptId(1)).await.unwrap_err();
    assert_eq!(refused.trouble(), Some(Trouble::Refused), "{refused}");
    let attempts = store.attempts(SessionId(1)).await.unwrap();
    attempts.iter().map(|attempt| attempt.id).collect()
}

#[tokio::test]
async fn looking_reads_what_is_there_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let root = TaskDef::group("");
    let workflow =
        Workflow { name: "w".to_owned(), time_zone: "UTC".to_owned(), schedule: None, root: TaskDef::group("+w") };
    let spec = AttemptSpec {
        workflow,
        settings_params: Params::new(),
        file_params: Params::new(),
        command_line_params: Params::new(),
        only: None,
        files: FileHashes::new(),
    };
    write_first_version(&path, &spec, &[&root]).await;
    let before = std::fs::read(&path).unwrap();
    assert_eq!(looked_at(&path).await, [AttemptId(1)], "of an earlier format");
    assert_eq!(std::fs::read(&path).unwrap(), before);

    // A writer that has not moved what it committed into the file.
    let writer = SqliteStore::open(&path).await.unwrap();
    assert_eq!(looked_at(&path).await, [AttemptId(1)], "beside a writer");
    // As it was left by a writer that was killed, and copied without its index.
    let copy = tempfile::tempdir().unwrap();
    for name in ["state.db", "state.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    assert_eq!(looked_at(&copy.path().join("state.db")).await, [AttemptId(1)], "without the index");
    writer.connection.into_inner().close().await.unwrap();
    assert_eq!(looked_at(&path).await, [AttemptId(1)], "with nobody at work");
}

#[tokio::test]
async fn what_is_no_state_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    std::fs::create_dir(&path).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot open the state store `{}`: it is a directory", path.display()));
    assert_eq!(error.trouble(), Some(Trouble::InTheWay));
}
