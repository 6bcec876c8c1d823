use futures::TryStreamExt as _;
use lake::name::Location;
use lake::storage::Storage;

use super::*;
use crate::bucket::{Gather, SeriesBuckets};
use crate::checksum::Tally;
use crate::ledger::ArchivedFile;
use crate::point::{Points, SeriesName, SeriesPoints};
use crate::store::Selection;
use crate::tiers::Step;

struct World {
    folder: tempfile::TempDir,
    storage: Storage,
    prefix: Location,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        Self { folder, storage, prefix: Location::parse("s3://b/v/").unwrap() }
    }

    /// The file of an object.
    fn path(&self, location: &Location) -> std::path::PathBuf {
        self.folder.path().join("s3").join(location.bucket()).join(location.key())
    }

    async fn write<S: SeriesRows>(&self, batches: &[&[S]], object_rows: usize) -> Vec<ArchivedFile> {
        let mut writer = ArchiveWriter::new(&self.storage, &self.prefix).object_rows(object_rows);
        for batch in batches {
            writer.write(batch).await.unwrap();
        }
        writer.finish::<S>().await.unwrap()
    }

    async fn read<S: SeriesRows>(&self, files: &[ArchivedFile], selection: Selection<'_>) -> Vec<S> {
        scan(&self.storage, files, selection).try_concat().await.unwrap()
    }
}

fn name(number: usize) -> SeriesName {
    SeriesName::new(&format!(
        "a long beginning that all names of the hosts have in common, whatever they count: {number:04}"
    ))
    .unwrap()
}

/// Series whose values do not repeat, so that they take room.
fn series(count: usize, points: i64) -> Vec<SeriesPoints> {
    let of = |number: usize| {
        let value = |at: i64| {
            let mixed = (at.cast_unsigned() + 1_000_000_007 * number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            f64::from_bits((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 2)
        };
        let times_ms: Vec<i64> = (0..points).map(|at| at * 60_000).collect();
        let values = times_ms.iter().map(|time_ms| value(*time_ms)).collect();
        SeriesPoints { name: name(number), points: Points::of_sorted(times_ms, values).unwrap() }
    };
    (0..count).map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rows_are_split_by_the_hash_of_the_series_and_one_is_found_in_one_object() {
    let world = World::new().await;
    let written = series(300, 1_440);
    let batches: Vec<&[SeriesPoints]> = written.chunks(50).collect();
    let files = world.write(&batches, 100_000).await;
    let slots: Vec<_> = files.iter().map(|file| file.slot.map(|slot| (slot.number, slot.of))).collect();
    assert_eq!(slots, (0..5).map(|number| Some((number, 5))).collect::<Vec<_>>());
    let names: Vec<&str> = files.iter().map(|file| file.location.file_name()).collect();
    assert_eq!(names[0], "part-00000-of-00005.parquet");
    assert_eq!(world.storage.list_data(&world.prefix).await.unwrap().len(), 5, "the whole is gone");
    for file in &files {
        assert_eq!(hash_of_object(&world.storage, &file.location).await.unwrap(), (file.bytes, file.hash.clone()));
        assert!(file.bytes > 500_000, "about the same size each: {}", file.bytes);
        // In the order of name and time, each series whole.
        let inside = world.read::<SeriesPoints>(std::slice::from_ref(file), Selection::All).await;
        assert!(inside.is_sorted_by(|left, right| left.name < right.name));
        assert!(inside.iter().all(|series| series.points.len() == 1_440 && file.slot.unwrap().holds(&series.name)));
    }
    let read = world.read::<SeriesPoints>(&files, Selection::All).await;
    assert!(read == written);
    let wanted = [name(299), name(7), name(100), name(5_000), name(7)];
    let found = world.read::<SeriesPoints>(&files, Selection::Names(&wanted)).await;
    assert!(found == [written[7].clone(), written[100].clone(), written[299].clone()]);

    // The other objects are not even opened.
    let own = files.iter().find(|file| file.slot.unwrap().holds(&name(7))).unwrap();
    let others: Vec<Location> = files.iter().filter(|file| *file != own).map(|file| file.location.clone()).collect();
    world.storage.delete(&others).await.unwrap();
    let found = world.read::<SeriesPoints>(&files, Selection::Names(&[name(7)])).await;
    assert!(found == [written[7].clone()]);
    assert!(world.read::<SeriesPoints>(&[], Selection::All).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_in_the_object_of_others_is_damage() {
    let world = World::new().await;
    let written = series(4, 10);
    let files = world.write(&[written.as_slice()], 20).await;
    assert_eq!(files.len(), 2);
    let slot = files[1].slot;
    let exchanged = ArchivedFile { slot, ..files[0].clone() };
    let read = scan::<SeriesPoints>(&world.storage, &[exchanged], Selection::All).try_concat().await;
    let error = read.unwrap_err();
    assert!(error.message.ends_with("in the object of the series whose hashes have the remainder 1 by 2"), "{error}");
}

/// What is read of a large object in pieces is compared with what was written, wherever in it a byte has changed.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_of_a_piece_are_no_answer() {
    let world = World::new().await;
    let written = series(300, 1_440);
    let files = world.write(&[written.as_slice()], 1_000_000).await;
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let end = file.end.clone().unwrap();
    assert!(file.bytes > 3_000_000 && end.bytes < file.bytes / 20, "{file:?}");
    let all: Vec<SeriesName> = (0..300).map(name).collect();
    let read = async |names: &[SeriesName]| read_named::<SeriesPoints>(&world.storage, &files, names).await;
    assert!(read(&all).await.unwrap() == written);
    assert!(read(&[name(150)]).await.unwrap() == [written[150].clone()]);

    let path = world.path(&file.location);
    let whole = std::fs::read(&path).unwrap();
    let places = (0..40).map(|part| part * whole.len() / 40 + 5).chain([whole.len() - 1, whole.len() - 100]);
    let (mut untouched, mut met) = (0, 0);
    for place in places {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let error = read(&all).await.unwrap_err();
        assert_eq!(error.kind, lake::ErrorKind::InvalidData, "{place}: {error}");
        assert!(error.message.starts_with("the object has other bytes than were written"), "{place}: {error}");
        // Of one series a few pieces are read: they are as they were written, or there is no answer.
        match read(&[name(150)]).await {
            Ok(found) => {
                assert!(found == [written[150].clone()], "{place}");
                untouched += 1;
            }
            Err(_) => met += 1,
        }
    }
    assert!(untouched > 20 && met > 0, "{untouched} {met}");

    // One that was written before is read as ever.
    std::fs::write(&path, &whole).unwrap();
    let before = [ArchivedFile { end: None, ..file.clone() }];
    let found = read_named::<SeriesPoints>(&world.storage, &before, &[name(7)]).await.unwrap();
    assert!(found == [written[7].clone()]);
}

/// Versions of before: objects follow one another in the order of names.
#[tokio::test(flavor = "multi_thread")]
async fn objects_in_the_order_of_names_are_still_read() {
    let mut world = World::new().await;
    let written = series(40, 100);
    let mut files = Vec::new();
    for (number, part) in written.chunks(15).enumerate() {
        world.prefix = Location::parse(&format!("s3://b/v{number}/")).unwrap();
        files.extend(world.write(&[part], 1_000_000).await);
    }
    assert!(files.iter().all(|file| file.slot.is_none()));
    assert!(world.read::<SeriesPoints>(&files, Selection::All).await == written);
    let found = world.read::<SeriesPoints>(&files, Selection::Names(&[name(39), name(16)])).await;
    assert!(found == [written[16].clone(), written[39].clone()]);
    let kept = serde_json::to_string(&files[0]).unwrap();
    assert!(!kept.contains("slot"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_points_are_the_same_bytes() {
    let world = World::new().await;
    let written = series(20, 100);
    for object_rows in [1_000_000, 700] {
        let first = world.write(&[written.as_slice()], object_rows).await;
        let second = world.write(&[written.as_slice()], object_rows).await;
        assert_eq!(first, second);
    }
    // However they come.
    let whole = world.write(&[written.as_slice()], 700).await;
    let pieces: Vec<&[SeriesPoints]> = written.chunks(3).collect();
    assert_eq!(world.write(&pieces, 700).await, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_read_as_they_were_written() {
    let world = World::new().await;
    let buckets = series(30, 1_000).into_iter().map(|series| {
        let mut gather = Gather::new(Step::from_ms(3_600_000).unwrap());
        gather.points(&series.points);
        SeriesBuckets { name: series.name, buckets: gather.finish() }
    });
    let mut written: Vec<SeriesBuckets> = buckets.collect();
    let mut nothing = Gather::new(Step::from_ms(3_600_000).unwrap());
    nothing.points(&Points::of_sorted(vec![5], vec![f64::NAN]).unwrap());
    written.push(SeriesBuckets { name: name(9_999), buckets: nothing.finish() });
    let files = world.write(&[written.as_slice()], 1_000_000).await;
    let read = world.read::<SeriesBuckets>(&files, Selection::All).await;
    assert_eq!(read, written);
    let tally = |series: &[SeriesBuckets]| {
        let mut tally = Tally::default();
        for series in series {
            series.tally(&mut tally);
        }
        tally
    };
    assert_eq!(tally(&read), tally(&written));
}
