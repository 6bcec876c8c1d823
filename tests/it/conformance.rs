//! The laws of the lake's traits, run on every implementation: the embedded one, the one for AWS on our own endpoint, and the
//! same on moto's server (<https://github.com/getmoto/moto>), a second opinion that we did not write.
//!
//! `./test` installs moto and names its Python in `SUIRO_TEST_MOTO`; without it those tests say that they are skipped.

mod athena;
mod catalog;
mod glue;
mod lost;
pub(crate) mod publish;
mod query;
mod scripted_athena;
pub(crate) mod server;
mod storage;
mod trino;

use std::sync::Arc;

use lake::aws::{AwsClients, AwsSettings, EngineKind};
use lake::catalog::{AwsCatalog, Catalog as _, Database, SqliteCatalog};
use lake::clock::{Clock, SystemClock};
use lake::crash::CrashPoints;
use lake::storage::Storage;
use lake::{Lake, LakeSettings};

use server::{Moto, OnAws};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

async fn aws_catalog(server: &impl OnAws) -> AwsCatalog {
    let clients = AwsClients::open(&server.settings(), clock()).await.unwrap();
    AwsCatalog::new(&clients, clock(), CrashPoints::default())
}

async fn aws_storage(server: &impl OnAws) -> Storage {
    let clients = AwsClients::open(&server.settings(), clock()).await.unwrap();
    Storage::open_s3(&clients, None, clock()).unwrap()
}

async fn lake_on_aws(server: &server::Emulated, engine: EngineKind) -> Lake {
    server.make_buckets();
    let settings = AwsSettings { engine, ..server.settings() };
    Lake::open(LakeSettings::aws(server.folder().join("aws"), settings)).await.unwrap()
}

#[tokio::test]
async fn the_embedded_catalog_is_a_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open_in(folder.path(), clock()).await.unwrap();
    catalog::run(&catalog).await;
    glue::run(&catalog).await;
}

#[tokio::test]
async fn the_catalog_on_glue_is_a_catalog() {
    let server = server::Emulated::start();
    catalog::run(&aws_catalog(&server).await).await;
}

#[tokio::test]
async fn the_catalog_on_glue_of_moto_is_a_catalog() {
    let Some(server) = Moto::start() else { return };
    let catalog = aws_catalog(&server).await;
    // Every account of AWS that has used Athena has it.
    catalog.create_database(&Database::new("default")).await.unwrap();
    catalog::run(&catalog).await;
}

#[tokio::test]
async fn a_folder_is_a_storage() {
    let folder = tempfile::tempdir().unwrap();
    storage::run(&Storage::open(folder.path()).await.unwrap()).await;
}

#[tokio::test]
async fn s3_is_a_storage() {
    let server = server::Emulated::start();
    server.make_buckets();
    storage::run(&aws_storage(&server).await).await;
}

#[tokio::test]
async fn calls_that_fail_now_and_then_are_made_again() {
    let server = server::Emulated::with_faults(
        "  - {service: s3, operation: UploadPart, nth: [2], effect: lost_reply}\n\
         \x20 - {service: s3, operation: CompleteMultipartUpload, nth: [1], effect: lost_reply}\n\
         \x20 - {service: glue, operation: GetPartitions, nth: [2], effect: lost_reply}\n\
         \x20 - {service: glue, probability: 0.05, effect: throttle}\n\
         \x20 - {service: glue, probability: 0.05, effect: unavailable}\n\
         \x20 - {service: s3, operation: GetObject, probability: 0.1, effect: unavailable}\n\
         \x20 - {service: s3, operation: PutObject, probability: 0.05, effect: throttle}\n\
         \x20 - {service: s3, operation: ListObjectsV2, probability: 0.1, effect: refuse}\n\
         \x20 - {service: s3, operation: DeleteObjects, probability: 0.3, effect: unavailable}\n",
    );
    server.make_buckets();
    storage::run(&aws_storage(&server).await).await;
    catalog::run(&aws_catalog(&server).await).await;
}

#[tokio::test]
async fn s3_of_moto_is_a_storage() {
    let Some(server) = Moto::start() else { return };
    server.make_buckets();
    let storage = aws_storage(&server).await;
    storage::run(&storage).await;
    storage::on_s3(&server, &storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_engine_is_a_query_engine() {
    let folder = tempfile::tempdir().unwrap();
    let settings = LakeSettings::new(folder.path().join(".suiro"), folder.path().join("warehouse"));
    query::run(&Lake::open(settings).await.unwrap(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn athena_is_a_query_engine() {
    query::run(&lake_on_aws(&server::Emulated::start(), EngineKind::Athena).await, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_engine_over_s3_is_a_query_engine() {
    query::run(&lake_on_aws(&server::Emulated::start(), EngineKind::Embedded).await, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trino_is_a_query_engine() {
    let Some(running) = crate::trino::Trino::find() else { return };
    let server = server::Emulated::start();
    server.make_buckets();
    let connected = running.connect(&format!("http://{}", server.address()));
    let state = tempfile::tempdir().unwrap();
    query::run(&trino::open(&server, &connected, state.path(), CrashPoints::default()).await, false).await;
}
