use super::*;

fn at(text: &str) -> Location {
    Location::parse(text).unwrap()
}

async fn put(storage: &Storage, text: &str) {
    storage.put(&at(text), Bytes::from_static(b"x"), Put::Replace).await.unwrap();
}

#[tokio::test]
async fn hidden_objects_are_listed_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    for name in ["s3://b/_t/a", "s3://b/_t/_tmp/b", "s3://b/_t/.c", "s3://b/_t/d=1 %3A/e"] {
        put(&storage, name).await;
    }
    let listed = storage.list(&at("s3://b/_t/")).await.unwrap();
    assert_eq!(listed.len(), 4);
    let data: Vec<String> =
        storage.list_data(&at("s3://b/_t")).await.unwrap().iter().map(|object| object.location.to_string()).collect();
    assert_eq!(data, ["s3://b/_t/a", "s3://b/_t/d=1 %3A/e"]);
    assert!(folder.path().join("s3/b/_t/d=1 %3A/e").is_file());
}

#[tokio::test]
async fn a_prefix_without_our_marker_is_never_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    for name in ["s3://b/t/a", "s3://b/t--versions/0123/20260102T030405Z-0123456789ab-g1/part", "s3://b/t2/a"] {
        put(&storage, name).await;
    }
    for prefix in ["s3://b/t/", "s3://b/t", "s3://b", "s3://b/t--versions/0123/20260102T030405Z-0123456789ab-g1/"] {
        let error = storage.delete_prefix(&at(prefix)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{prefix}");
    }
    storage.mark(&at("s3://b/t--versions/"), &Marker::new(MarkerKind::VersionRoot, None)).await.unwrap();
    // The root itself and the level of the values stay refused: only versions are ours to delete.
    for prefix in ["s3://b/t--versions/", "s3://b/t--versions/0123/"] {
        assert!(storage.delete_prefix(&at(prefix)).await.is_err(), "{prefix}");
    }
    let version = at("s3://b/t--versions/0123/20260102T030405Z-0123456789ab-g1/");
    assert_eq!(storage.delete_prefix(&version).await.unwrap(), 1);
    assert_eq!(storage.delete_prefix(&version).await.unwrap(), 0);
    assert!(!storage.file(&version).unwrap().try_exists().unwrap());
    assert!(storage.head(&at("s3://b/t/a")).await.unwrap().is_some());
    assert!(storage.head(&at("s3://b/t2/a")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_writer_shows_nothing_before_its_end() {
    use tokio::io::AsyncWriteExt;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    let location = at("s3://b/big");
    let mut writer = storage.writer(&location).unwrap();
    for _ in 0..30 {
        writer.write_all(&vec![7_u8; 1 << 20]).await.unwrap();
    }
    assert!(storage.is_empty(&at("s3://b/")).await.unwrap());
    assert_eq!(writer.finish().await.unwrap(), 30 << 20);
    assert_eq!(storage.head(&location).await.unwrap().unwrap().bytes, 30 << 20);
}

#[tokio::test]
async fn an_object_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    let location = at("s3://b/once");
    storage.put(&location, Bytes::from_static(b"1"), Put::Create).await.unwrap();
    let error = storage.put(&location, Bytes::from_static(b"2"), Put::Create).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AlreadyExists);
    assert_eq!(storage.read(&location).await.unwrap(), Bytes::from_static(b"1"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Storage::open(&file).await.unwrap_err();
    assert!(error.to_string().contains(&file.join("s3").display().to_string()), "{error}");
}

#[tokio::test]
async fn a_key_that_no_file_can_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    for key in ["pipe|", "odd/zz|", "colon:"] {
        let location = at(&format!("s3://b/{key}"));
        let error = storage.put(&location, Bytes::from_static(b"x"), Put::Replace).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{key}");
        assert_eq!(
            error.message,
            "cannot write an object: its key ends in a letter and `|` or `:`, which a lake in a folder cannot hold: let it end \
             otherwise"
        );
        assert_eq!(storage.writer(&location).unwrap_err().message, error.message, "{key}");
        assert_eq!(storage.head(&location).await.unwrap().map(|object| object.location), None, "{key}");
    }
    for key in ["1|", "z|z", "ü|", "a|/b", "a:b"] {
        put(&storage, &format!("s3://b/{key}")).await;
        assert_eq!(storage.read(&at(&format!("s3://b/{key}"))).await.unwrap(), "x", "{key}");
    }
}

#[test]
fn version_names_have_one_form() {
    assert!(marker::is_version_name("20260102T030405Z-0123456789ab-g12"));
    for name in ["", "a", "20260102T030405Z-0123456789ab", "20260102T030405Z-0123456789ab-g", "dt=2026-g1-a"] {
        assert!(!marker::is_version_name(name), "{name}");
    }
}

#[tokio::test]
async fn what_a_dead_writer_left_goes_and_what_a_living_one_writes_stays() {
    use tokio::io::AsyncWriteExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (unfinished, bucket) = (folder.path().join("s3/.staging"), folder.path().join("s3/b"));
    let storage = Storage::open(folder.path()).await.unwrap();
    let mut writer = storage.writer(&at("s3://b/t/big")).unwrap();
    // More than the writer keeps in memory.
    for _ in 0..30 {
        writer.write_all(&vec![7_u8; 1 << 20]).await.unwrap();
    }
    writer.flush().await.unwrap();
    assert!(!bucket.try_exists().unwrap(), "nothing is beside the object before it is whole");
    let dead = unfinished.join("0123456789abcdef0123456789abcdef");
    std::fs::create_dir(&dead).unwrap();
    std::fs::write(dead.join("1#1"), "half").unwrap();
    std::fs::write(dead.with_extension("lock"), "").unwrap();

    let second = Storage::open(folder.path()).await.unwrap();
    assert!(!dead.try_exists().unwrap());
    assert_eq!(writer.finish().await.unwrap(), 30 << 20);
    second.put(&at("s3://b/t/small"), Bytes::from_static(b"x"), Put::Create).await.unwrap();
    let names: Vec<String> =
        second.list(&at("s3://b/")).await.unwrap().iter().map(|object| object.location.key().to_owned()).collect();
    assert_eq!(names, ["t/big", "t/small"]);
    drop((storage, second));
    assert!(!unfinished.try_exists().unwrap(), "the last one takes the folder with it");
}

#[tokio::test]
async fn many_objects_are_brought_to_the_disk_together() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    let markers: Vec<(Location, Marker)> =
        (0..40).map(|number| (at(&format!("s3://b/t/{number}/v/")), Marker::new(MarkerKind::Prefix, None))).collect();
    storage.mark_all(&markers).await.unwrap();
    for (prefix, marker) in &markers {
        assert_eq!(storage.marker(prefix).await.unwrap().as_ref(), Some(marker));
    }
    storage.sync_all(&[]).await.unwrap();
    let error = storage.sync_all(&[at("s3://b/t/0/v/_suiro.json"), at("s3://b/absent")]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_stands_in_the_place_of_the_warehouse_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("gone", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("file", folder.path().join("astray")).unwrap();
    for (name, found) in [
        ("file", "no folder but a file"),
        ("file/below", "no folder but a file"),
        ("link", "a link to `gone`, which is not there"),
        ("astray", "a link to `file`, which is no folder"),
    ] {
        let error = Storage::open(&folder.path().join(name)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidInput, "{name}: {error}");
        let at = folder.path().join(name.split('/').next().unwrap());
        let named = format!("`{}` is {found}", at.display());
        assert!(error.message.ends_with(&named), "{name}: {error}");
        assert_eq!(error.help.unwrap(), format!("move `{}` away, or name another folder", at.display()));
    }
}

#[tokio::test]
async fn a_bucket_is_missing_only_where_buckets_are_kept_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path()).await.unwrap();
    storage.require_bucket(&at("s3://absent/t/")).await.unwrap();
    let names = folder.path().join("names");
    let storage = storage.with_bucket_names(Some(names.clone()));
    let error = storage.require_bucket(&at("s3://absent/t/")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.message.starts_with("HIVE_FILESYSTEM_ERROR: "), "{error}");
    put(&storage, "s3://there/t/a").await;
    storage.require_bucket(&at("s3://there/other/")).await.unwrap();
    std::fs::create_dir(&names).unwrap();
    std::fs::write(names.join("absent"), []).unwrap();
    storage.require_bucket(&at("s3://absent/t/")).await.unwrap();
}
