//! What every storage does.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use lake::ErrorKind;
use lake::aws::{AwsClients, CannedAcl, Encryption, S3Writes, StorageClass};
use lake::name::Location;
use lake::storage::{Marker, MarkerKind, Put, Storage};
use tokio::io::AsyncWriteExt as _;

use super::server::OnAws;

/// More than a page of a list and a batch of deletions hold on S3: 1,000.
const MANY: usize = 1_005;

fn at(text: &str) -> Location {
    Location::parse(text).unwrap()
}

async fn put(storage: &Storage, name: &str, content: &'static str) {
    storage.put(&at(name), Bytes::from(content), Put::Replace).await.unwrap();
}

async fn names(storage: &Storage, prefix: &str) -> Vec<String> {
    storage.list(&at(prefix)).await.unwrap().into_iter().map(|object| object.location.to_string()).collect()
}

/// Runs every law on the empty buckets `bucket-b` and `bucket-c`.
pub(super) async fn run(storage: &Storage) {
    objects(storage).await;
    lists(storage).await;
    writers(storage).await;
    copies(storage).await;
    deletions(storage).await;
    many(storage).await;
}

async fn objects(storage: &Storage) {
    let one = at("s3://bucket-b/o/one");
    assert_eq!(storage.head(&one).await.unwrap(), None);
    let error = storage.read(&one).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.to_string().contains("s3://bucket-b/o/one"), "{error}");
    storage.put(&one, Bytes::from("1"), Put::Create).await.unwrap();
    let error = storage.put(&one, Bytes::from("2"), Put::Create).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists);
    assert_eq!(storage.read(&one).await.unwrap(), "1");
    storage.put(&one, Bytes::from("three"), Put::Replace).await.unwrap();
    let object = storage.head(&one).await.unwrap().unwrap();
    assert_eq!((object.bytes, object.hidden), (5, false));
    assert!(object.modified_ms > 1_600_000_000_000);
    let chunks: Vec<Bytes> = storage.stream(&one).await.unwrap().try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"three");
    assert_eq!(storage.stream(&at("s3://bucket-b/o/two")).await.err().unwrap().kind, ErrorKind::NotFound);
    // Of writers that all want to be the first one is.
    let race = at("s3://bucket-b/o/race");
    let writers = (0..8).map(|writer: u8| storage.put(&race, Bytes::from(vec![writer]), Put::Create));
    let results = futures::future::join_all(writers).await;
    let won: Vec<usize> = (0..8).filter(|writer| results[*writer].is_ok()).collect();
    assert_eq!(won.len(), 1, "{results:?}");
    assert_eq!(storage.read(&race).await.unwrap()[..], [u8::try_from(won[0]).unwrap()]);
    // Names as partitions have them.
    for name in ["s3://bucket-b/o/dt=2026-01-01/a b+c", "s3://bucket-b/o/k=a%3Ab%2F/ü", "s3://bucket-b/o/'(1)!*~&$@,;="]
    {
        put(storage, name, "x").await;
        assert_eq!(storage.read(&at(name)).await.unwrap(), "x", "{name}");
        assert_eq!(storage.head(&at(name)).await.unwrap().unwrap().location, at(name));
    }
    let all = names(storage, "s3://bucket-b/o/").await;
    assert_eq!(all.len(), 5, "{all:?}");
    let gone: Vec<Location> = all.iter().map(|name| at(name)).collect();
    storage.delete(&gone).await.unwrap();
    assert!(storage.is_empty(&at("s3://bucket-b/o/")).await.unwrap());
}

async fn lists(storage: &Storage) {
    for name in [
        "s3://bucket-b/l/b",
        "s3://bucket-b/l/a/x",
        "s3://bucket-b/l2/c",
        "s3://bucket-b/l/_hidden/y",
        "s3://bucket-b/l/.z",
        "s3://bucket-c/l/d",
    ] {
        put(storage, name, "x").await;
    }
    assert_eq!(
        names(storage, "s3://bucket-b/l/").await,
        ["s3://bucket-b/l/.z", "s3://bucket-b/l/_hidden/y", "s3://bucket-b/l/a/x", "s3://bucket-b/l/b"],
        "in the order of the keys, and nothing of `l2` or of the other bucket"
    );
    let seen = storage.list_data(&at("s3://bucket-b/l/")).await.unwrap();
    assert_eq!(seen.iter().map(|object| object.location.key()).collect::<Vec<_>>(), ["l/a/x", "l/b"]);
    assert_eq!(names(storage, "s3://bucket-c/").await, ["s3://bucket-c/l/d"]);
    assert!(!storage.is_empty(&at("s3://bucket-b/l/_hidden/")).await.unwrap(), "hidden objects count");
    assert!(storage.is_empty(&at("s3://bucket-b/l/b/")).await.unwrap());
    assert!(names(storage, "s3://bucket-b/absent/").await.is_empty());
}

async fn writers(storage: &Storage) {
    for bytes in [0_usize, 7, 8 << 20, (20 << 20) + 3] {
        let location = at(&format!("s3://bucket-b/w/{bytes}"));
        let content: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut writer = storage.writer(&location).unwrap();
        for piece in content.chunks(1 << 20) {
            writer.write_all(piece).await.unwrap();
        }
        assert_eq!(storage.head(&location).await.unwrap(), None, "nothing is there before the end");
        assert_eq!(writer.finish().await.unwrap(), bytes as u64);
        let mut read = Vec::new();
        let mut stream = storage.stream(&location).await.unwrap();
        while let Some(chunk) = stream.next().await {
            read.extend_from_slice(&chunk.unwrap());
        }
        assert!(read == content, "{bytes} bytes read back");
    }
    let given_up = at("s3://bucket-b/w/given_up");
    let mut writer = storage.writer(&given_up).unwrap();
    writer.write_all(&vec![1; 20 << 20]).await.unwrap();
    writer.abort().await.unwrap();
    drop(storage.writer(&given_up).unwrap());
    assert_eq!(storage.head(&given_up).await.unwrap(), None);
}

async fn copies(storage: &Storage) {
    put(storage, "s3://bucket-b/k/a b=c", "x").await;
    for target in ["s3://bucket-b/k/copy", "s3://bucket-c/k/copy"] {
        storage.copy(&at("s3://bucket-b/k/a b=c"), &at(target)).await.unwrap();
        // Repeated over what is there.
        storage.copy(&at("s3://bucket-b/k/a b=c"), &at(target)).await.unwrap();
        assert_eq!(storage.read(&at(target)).await.unwrap(), "x");
    }
    let error = storage.copy(&at("s3://bucket-b/k/absent"), &at("s3://bucket-b/k/copy")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(storage.read(&at("s3://bucket-b/k/copy")).await.unwrap(), "x");
}

async fn deletions(storage: &Storage) {
    put(storage, "s3://bucket-b/d/a", "x").await;
    put(storage, "s3://bucket-c/d/a", "x").await;
    let all = [at("s3://bucket-b/d/a"), at("s3://bucket-b/d/absent"), at("s3://bucket-c/d/a")];
    storage.delete(&all).await.unwrap();
    storage.delete(&all).await.unwrap();
    assert!(storage.is_empty(&at("s3://bucket-b/d/")).await.unwrap());
    assert!(storage.is_empty(&at("s3://bucket-c/d/")).await.unwrap());

    let version = "s3://bucket-b/t--versions/0123/20260102T030405Z-0123456789ab-g1/";
    for name in ["s3://bucket-b/t/a", "s3://bucket-b/t2/a"] {
        put(storage, name, "x").await;
    }
    put(storage, &format!("{version}part"), "x").await;
    for prefix in ["s3://bucket-b/t/", "s3://bucket-b/t", "s3://bucket-b", version] {
        let error = storage.delete_prefix(&at(prefix)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{prefix}: it carries no marker of ours");
    }
    storage.mark(&at("s3://bucket-b/t--versions/"), &Marker::new(MarkerKind::VersionRoot, None)).await.unwrap();
    for prefix in ["s3://bucket-b/t--versions/", "s3://bucket-b/t--versions/0123/"] {
        assert!(storage.delete_prefix(&at(prefix)).await.is_err(), "{prefix}");
    }
    assert_eq!(storage.delete_prefix(&at(version)).await.unwrap(), 1);
    assert_eq!(storage.delete_prefix(&at(version)).await.unwrap(), 0);
    for name in ["s3://bucket-b/t/a", "s3://bucket-b/t2/a"] {
        assert!(storage.head(&at(name)).await.unwrap().is_some(), "{name}");
    }
}

async fn many(storage: &Storage) {
    let prefix = at("s3://bucket-b/many/");
    storage.mark(&prefix, &Marker::new(MarkerKind::Prefix, None)).await.unwrap();
    let locations: Vec<Location> = (0..MANY).map(|number| at(&format!("s3://bucket-b/many/{number:05}"))).collect();
    let puts = locations.iter().map(|location| storage.put(location, Bytes::from("x"), Put::Replace));
    let mut puts = futures::stream::iter(puts).buffer_unordered(16);
    while let Some(done) = puts.next().await {
        done.unwrap();
    }
    drop(puts);
    let found: Vec<Location> =
        storage.list_data(&prefix).await.unwrap().into_iter().map(|object| object.location).collect();
    assert_eq!(found, locations);
    assert_eq!(storage.delete_prefix(&prefix).await.unwrap(), MANY + 1);
    assert!(storage.is_empty(&prefix).await.unwrap());
}

/// What S3 alone does: the settings of writes arrive, what is missing is named, and nothing stays behind.
pub(super) async fn on_s3(server: &impl OnAws, storage: &Storage) {
    let error = storage.put(&at("s3://absent/k"), Bytes::from("x"), Put::Replace).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.to_string().contains("NoSuchBucket") && error.to_string().contains("s3://absent/k"), "{error}");

    let writes = S3Writes {
        encryption: Encryption::S3,
        acl: Some(CannedAcl::BucketOwnerFullControl),
        storage_class: Some(StorageClass::StandardIa),
        tags: [("team".to_owned(), "a b+c/d@e".to_owned())].into_iter().collect(),
        requester_pays: true,
    };
    let settings = lake::aws::AwsSettings { writes, ..server.settings() };
    let clients = AwsClients::open(&settings, super::clock()).await.unwrap();
    let storage = Storage::open_s3(&clients, None, super::clock()).unwrap();
    put(&storage, "s3://bucket-b/s/put", "x").await;
    storage.copy(&at("s3://bucket-b/s/put"), &at("s3://bucket-b/s/copy")).await.unwrap();
    let mut writer = storage.writer(&at("s3://bucket-b/s/parts")).unwrap();
    writer.write_all(&vec![1; 20 << 20]).await.unwrap();
    writer.finish().await.unwrap();
    for name in ["put", "copy", "parts"] {
        let head = server.ask("HEAD", &format!("/bucket-b/s/{name}")).to_lowercase();
        assert!(head.contains("x-amz-server-side-encryption: aes256"), "{name}: {head}");
        assert!(head.contains("x-amz-storage-class: standard_ia"), "{name}: {head}");
        let tags = server.ask("GET", &format!("/bucket-b/s/{name}?tagging"));
        assert!(tags.contains("<Key>team</Key>") && tags.contains("<Value>a b+c/d@e</Value>"), "{name}: {tags}");
    }
    assert_eq!(storage.read(&at("s3://bucket-b/s/parts")).await.unwrap().len(), 20 << 20);
    let uploads = server.ask("GET", "/bucket-b?uploads");
    assert!(!uploads.contains("<UploadId>"), "no upload stays behind: {uploads}");

    // A console's folder is no object.
    server.ask("PUT", "/bucket-b/folder/below/");
    put(&storage, "s3://bucket-b/folder/a", "x").await;
    assert_eq!(names(&storage, "s3://bucket-b/folder/").await, ["s3://bucket-b/folder/a"]);
}
