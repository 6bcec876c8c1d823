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
    _folder: tempfile::TempDir,
    storage: Storage,
    prefix: Location,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path()).await.unwrap();
        Self { _folder: folder, storage, prefix: Location::parse("s3://b/v/").unwrap() }
    }

    async fn write<S: SeriesRows>(&self, batches: &[&[S]], object_rows: usize) -> Vec<ArchivedFile> {
        let mut writer = ArchiveWriter::new(&self.storage, &self.prefix).object_rows(object_rows);
        for batch in batches {
            writer.write(batch).await.unwrap();
        }
        writer.finish().await.unwrap()
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
async fn series_are_whole_in_one_of_several_objects_and_found_by_name() {
    let world = World::new().await;
    let written = series(300, 1_440);
    let batches: Vec<&[SeriesPoints]> = written.chunks(50).collect();
    let files = world.write(&batches, 100_000).await;
    assert_eq!(files.len(), 3);
    assert_eq!((files[0].first.as_str(), files[0].last.as_str()), (name(0).as_str(), name(99).as_str()));
    for file in &files {
        assert_eq!(hash_of_object(&world.storage, &file.location).await.unwrap(), (file.bytes, file.hash.clone()));
        assert!(file.bytes > 1 << 20, "read in parts: {}", file.bytes);
    }
    let read = world.read::<SeriesPoints>(&files, Selection::All).await;
    assert!(read == written);
    let wanted = [name(299), name(7), name(100), name(5_000), name(7)];
    let found = world.read::<SeriesPoints>(&files, Selection::Names(&wanted)).await;
    assert!(found == [written[7].clone(), written[100].clone(), written[299].clone()]);
    assert!(world.read::<SeriesPoints>(&[], Selection::All).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_points_are_the_same_bytes() {
    let world = World::new().await;
    let written = series(20, 100);
    let first = world.write(&[written.as_slice()], 1_000_000).await;
    let second = world.write(&[written.as_slice()], 1_000_000).await;
    assert_eq!(first, second);
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
