//! The suite that every store passes: what the engine relies on, one function a promise.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::document::FileHashes;
use crate::params::Params;
use crate::session::{TaskGraph, TaskId, TaskState};
use crate::workflow::{TaskDef, Workflow};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn key(workflow: &str) -> SessionKey {
    SessionKey { project: "p".to_owned(), workflow: workflow.to_owned(), session_time: NOW }
}

fn holder(pid: u32) -> Holder {
    Holder {
        host: "here".to_owned(),
        pid,
        process_mark: "boot/1".to_owned(),
        since: NOW,
        lease_until: NOW + Duration::from_mins(1),
    }
}

fn new_attempt(workflow: &str, after: Option<AttemptId>) -> NewAttempt {
    let mut root = TaskDef::group(format!("+{workflow}"));
    root.children =
        vec![TaskDef::action("+a", "echo", Params::from_iter([("_command".to_owned(), json!("x\u{0}y ü \"'"))]))];
    let workflow = Workflow { name: workflow.to_owned(), time_zone: "UTC".to_owned(), schedule: None, root };
    let spec = AttemptSpec {
        workflow,
        settings_params: Params::new(),
        file_params: Params::new(),
        command_line_params: Params::from_iter([("n".to_owned(), json!(215_492_859_907_334.66))]),
        only: None,
        files: FileHashes::new(),
    };
    let key = key(&spec.workflow.name);
    NewAttempt { key, session_uuid: "uuid".to_owned(), after, resumes: after, spec: Arc::new(spec), created_at: NOW }
}

fn rows(new: &NewAttempt) -> Vec<StoredTask> {
    let graph = TaskGraph::new(new.spec.workflow.root.clone(), 100).unwrap();
    graph.tasks().iter().map(StoredTask::of).collect()
}

async fn create(store: &dyn StateStore, workflow: &str) -> Claim {
    let new = new_attempt(workflow, None);
    store.create_attempt(&new, &rows(&new), &holder(1)).await.unwrap()
}

async fn finish(store: &dyn StateStore, claim: &Claim, state: AttemptState) {
    let tick = Tick { finished: Some((state, NOW)), ..Tick::default() };
    store.save(claim, &tick).await.unwrap();
}

/// What is written is read: every field of an attempt and its tasks.
async fn keeps_everything(store: &dyn StateStore) {
    assert!(store.session(&key("keeps")).await.unwrap().is_none());
    let new = new_attempt("keeps", None);
    let claim = store.create_attempt(&new, &rows(&new), &holder(1)).await.unwrap();
    let mut tasks = rows(&new);
    let mut progress = tasks.remove(1).progress;
    progress.state = TaskState::RetryWaiting;
    progress.retry_count = 3;
    progress.retries_used = 2;
    progress.retry_at = Some(NOW + Duration::from_millis(1_500));
    progress.retry.limit = 5;
    progress.has_state = true;
    let failure: Failure =
        serde_json::from_value(json!({"kind": "failed", "code": "T0101", "message": "no", "help": ["do"]})).unwrap();
    let mut update = TaskUpdate::new(TaskId(1));
    update.progress = Some(progress.clone());
    update.operator_state = Some(json!({"query": "q\u{0}"}));
    update.result =
        Some(StoredResult { store: Params::from_iter([("k".to_owned(), json!(null))]), ..StoredResult::default() });
    update.failure = Some(failure.clone());
    update.started_at = Some(NOW);
    store.save(&claim, &Tick { updated: vec![update], ..Tick::default() }).await.unwrap();
    // What an update leaves out stays.
    let mut update = TaskUpdate::new(TaskId(1));
    update.finished_at = Some(NOW + Duration::from_secs(2));
    store.save(&claim, &Tick { updated: vec![update], ..Tick::default() }).await.unwrap();

    let found = store.tasks(claim.attempt).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].task.parent, None);
    let task = &found[1];
    let written = &new.spec.workflow.root.children[0];
    assert_eq!(TaskDef { name: task.task.name.to_string(), ..TaskDef::clone(&task.task.def) }, *written);
    assert!(task.task.bound.is_empty());
    assert_eq!(task.task.progress, progress);
    assert_eq!(task.operator_state, json!({"query": "q\u{0}"}));
    assert_eq!(task.result.as_ref().unwrap().store, Params::from_iter([("k".to_owned(), json!(null))]));
    assert_eq!(task.failure.as_deref(), Some(&failure));
    assert_eq!((task.started_at, task.finished_at), (Some(NOW), Some(NOW + Duration::from_secs(2))));
    let session = store.session(&key("keeps")).await.unwrap().unwrap();
    assert_eq!((session.id, session.uuid.as_str(), &session.key), (claim.session, "uuid", &new.key));
    let attempt = session.last_attempt;
    assert_eq!((attempt.id, attempt.number, attempt.state), (claim.attempt, 1, AttemptState::Running));
    assert_eq!(attempt.spec, new.spec);
    assert_eq!(attempt.holder, Some(holder(1)));

    // Null forgets what the operator remembered.
    let mut update = TaskUpdate::new(TaskId(1));
    update.operator_state = Some(json!(null));
    store.save(&claim, &Tick { updated: vec![update], ..Tick::default() }).await.unwrap();
    let task = store.tasks(claim.attempt).await.unwrap().remove(1);
    assert!(task.operator_state.is_null() && !task.task.progress.has_state);
}

/// A session has one open attempt at most, and its attempts are numbered.
async fn one_open_attempt(store: &dyn StateStore) {
    let claim = create(store, "one").await;
    for after in [None, Some(claim.attempt)] {
        let new = new_attempt("one", after);
        let refused = store.create_attempt(&new, &rows(&new), &holder(2)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    }
    finish(store, &claim, AttemptState::Failed).await;
    let new = new_attempt("one", None);
    assert!(store.create_attempt(&new, &rows(&new), &holder(2)).await.is_err(), "`after` is not the latest attempt");
    let new = new_attempt("one", Some(claim.attempt));
    let second = store.create_attempt(&new, &rows(&new), &holder(2)).await.unwrap();
    assert_eq!(second.session, claim.session);
    let attempts = store.attempts(claim.session).await.unwrap();
    let listed: Vec<_> =
        attempts.iter().map(|attempt| (attempt.id, attempt.number, attempt.state, attempt.resumes)).collect();
    let expected = [
        (second.attempt, 2, AttemptState::Running, Some(claim.attempt)),
        (claim.attempt, 1, AttemptState::Failed, None),
    ];
    assert_eq!(listed, expected);
}

/// After a take-over nothing of the old holder gets in, whatever it tries.
async fn zombie(store: &dyn StateStore) {
    let old = create(store, "zombie").await;
    let new = store.claim(old.attempt, old.epoch, &holder(2)).await.unwrap();
    assert!(new.epoch > old.epoch);
    let mut update = TaskUpdate::new(TaskId(1));
    update.operator_state = Some(json!("zombie"));
    let tick = Tick { updated: vec![update], finished: Some((AttemptState::Failed, NOW)), ..Tick::default() };
    for lost in [
        store.save(&old, &tick).await.unwrap_err(),
        store.heartbeat(&old, NOW).await.unwrap_err(),
        store.release(&old).await.unwrap_err(),
    ] {
        let StoreError::LeaseLost { by: Some(by), .. } = lost else { panic!("{lost}") };
        assert_eq!(*by, holder(2));
    }
    assert!(store.tasks(old.attempt).await.unwrap()[1].operator_state.is_null());
    let late = store.claim(old.attempt, old.epoch, &holder(3)).await.unwrap_err();
    assert!(matches!(late, StoreError::Conflict { .. }), "{late}");
}

/// A lease is extended, given back, and ends with the attempt.
async fn leases(store: &dyn StateStore) {
    let claim = create(store, "leases").await;
    let until = NOW + Duration::from_secs(500);
    assert_eq!(store.heartbeat(&claim, until).await.unwrap(), KillRequest::None);
    let attempt = store.attempt(claim.attempt).await.unwrap().unwrap();
    assert_eq!(attempt.holder.unwrap().lease_until, until);
    assert!(store.request_kill(claim.attempt).await.unwrap());
    assert_eq!(store.heartbeat(&claim, until).await.unwrap(), KillRequest::Requested);
    store.release(&claim).await.unwrap();
    assert_eq!(store.attempt(claim.attempt).await.unwrap().unwrap().holder, None);
    let claim = store.claim(claim.attempt, claim.epoch, &holder(2)).await.unwrap();
    finish(store, &claim, AttemptState::Canceled).await;
    let attempt = store.attempt(claim.attempt).await.unwrap().unwrap();
    assert_eq!((attempt.state, attempt.finished_at, attempt.holder), (AttemptState::Canceled, Some(NOW), None));
    assert!(matches!(store.save(&claim, &Tick::default()).await, Err(StoreError::LeaseLost { .. })));
    assert!(!store.request_kill(claim.attempt).await.unwrap());
}

/// Sessions are listed by project and workflow, latest first.
async fn lists(store: &dyn StateStore) {
    for (workflow, seconds) in [("list_a", 1), ("list_b", 3), ("list_a", 2)] {
        let mut new = new_attempt(workflow, None);
        new.key.project = "lists".to_owned();
        new.key.session_time = NOW + Duration::from_secs(seconds);
        store.create_attempt(&new, &rows(&new), &holder(1)).await.unwrap();
    }
    let seconds = |sessions: Vec<SessionRecord>| {
        sessions.into_iter().map(|session| session.key.session_time.as_second()).collect::<Vec<_>>()
    };
    assert_eq!(seconds(store.sessions("lists", None, 10).await.unwrap()), [3, 2, 1]);
    assert_eq!(seconds(store.sessions("lists", Some("list_a"), 10).await.unwrap()), [2, 1]);
    assert_eq!(seconds(store.sessions("lists", None, 1).await.unwrap()), [3]);
    assert_eq!(seconds(store.sessions("nobody", None, 1).await.unwrap()), [0_i64; 0]);
}

/// Attempts of a workflow are listed as they were made, whatever the times of their sessions.
async fn recent(store: &dyn StateStore) {
    let mut made = Vec::new();
    for (workflow, seconds) in [("recent_a", 5), ("recent_b", 9), ("recent_a", 3), ("recent_a", 4)] {
        let mut new = new_attempt(workflow, None);
        new.key.project = "recent".to_owned();
        new.key.session_time = NOW + Duration::from_secs(seconds);
        let claim = store.create_attempt(&new, &rows(&new), &holder(1)).await.unwrap();
        made.push((new.key, claim.attempt));
    }
    let listed = async |project: &str, workflow: &str, limit: u32| {
        let found = store.recent_attempts(project, workflow, limit).await.unwrap();
        found.into_iter().map(|(key, attempt)| (key, attempt.id)).collect::<Vec<_>>()
    };
    assert_eq!(listed("recent", "recent_a", 10).await, [made[3].clone(), made[2].clone(), made[0].clone()]);
    assert_eq!(listed("recent", "recent_a", 1).await, [made[3].clone()]);
    assert_eq!(listed("recent", "nobody", 10).await, []);
    assert_eq!(listed("nobody", "recent_a", 10).await, []);
}

/// A tick of many tasks is one commit, added and changed.
async fn many(store: &dyn StateStore) {
    let claim = create(store, "many").await;
    let template = rows(&new_attempt("many", None)).remove(1);
    let inserted: Vec<StoredTask> = (2..5_002).map(|id| StoredTask { id: TaskId(id), ..template.clone() }).collect();
    let updated = inserted.iter().map(|task| {
        let mut update = TaskUpdate::new(task.id);
        update.started_at = Some(NOW);
        update
    });
    let tick = Tick { updated: updated.collect(), inserted, ..Tick::default() };
    store.save(&claim, &tick).await.unwrap();
    let tasks = store.tasks(claim.attempt).await.unwrap();
    assert_eq!(tasks.len(), 5_002);
    assert!(tasks.iter().skip(2).all(|task| task.started_at == Some(NOW)));
}

async fn all(store: &dyn StateStore) {
    keeps_everything(store).await;
    one_open_attempt(store).await;
    zombie(store).await;
    leases(store).await;
    lists(store).await;
    recent(store).await;
    many(store).await;
}

#[tokio::test]
async fn memory_conforms() {
    all(&MemoryStore::default()).await;
}

#[tokio::test]
async fn sqlite_conforms() {
    let dir = tempfile::tempdir().unwrap();
    all(&SqliteStore::open(&dir.path().join("state.db")).await.unwrap()).await;
}

#[tokio::test]
async fn sqlite_survives_and_two_processes_share_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let first = SqliteStore::open(&path).await.unwrap();
    let second = SqliteStore::open(&path).await.unwrap();
    let old = create(&first, "shared").await;
    let new = second.claim(old.attempt, old.epoch, &holder(2)).await.unwrap();
    assert!(matches!(first.save(&old, &Tick::default()).await, Err(StoreError::LeaseLost { .. })));
    second.save(&new, &Tick::default()).await.unwrap();
    drop((first, second));
    let third = SqliteStore::open(&path).await.unwrap();
    assert_eq!(third.attempt(old.attempt).await.unwrap().unwrap().epoch, new.epoch);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing/state.db");
    let error = SqliteStore::open(&missing).await.unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot open the state store `{}`: ", missing.display())),
        "{error}"
    );
    let newer = dir.path().join("newer.db");
    drop(SqliteStore::open(&newer).await.unwrap());
    {
        use sqlx::{ConnectOptions, Executor};
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(&newer).connect().await.unwrap();
        connection.execute("PRAGMA user_version = 99").await.unwrap();
    }
    let error = SqliteStore::open(&newer).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, supported: 2, .. }), "{error}");
}
