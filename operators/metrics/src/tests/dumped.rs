//! A window that is dumped and verified, for whoever breaks it.

use futures::TryStreamExt as _;

use super::world::*;
use crate::archive::{ArchiveWriter, scan};
use crate::*;

pub(crate) struct Dumped {
    pub(crate) world: World,
    pub(crate) metrics: Metrics,
}

impl Dumped {
    /// A window of 40 series that is dumped and verified.
    pub(crate) async fn new() -> Self {
        let world = World::new();
        let metrics = world.open().await;
        let start_ms = ms("2026-02-01T00:00:00Z");
        let points: Vec<(i64, f64)> =
            (0..100).map(|minute| (start_ms + i64::from(minute) * 60_000, f64::from(minute) * 0.37)).collect();
        let names: Vec<String> = (0..40).map(|number| format!("host{number:02}.cpu")).collect();
        let series: Vec<(&str, &[(i64, f64)])> = names.iter().map(|name| (name.as_str(), points.as_slice())).collect();
        metrics.write(&tier("warm"), &batch(&series), Self::now()).await.unwrap();
        let dumped =
            metrics.dump(&tier("warm"), &tier("cold"), day("2026-02-01"), &options(), Self::now()).await.unwrap();
        assert_eq!(dumped.outcome, Outcome::Made);
        let dumped = Self { world, metrics };
        assert_eq!(dumped.verify().await.outcome, Outcome::Made);
        dumped
    }

    pub(crate) fn now() -> jiff::Timestamp {
        at("2026-02-10T00:00:00Z")
    }

    pub(crate) async fn verify(&self) -> WindowReport {
        self.metrics.verify(&tier("warm"), &tier("cold"), day("2026-02-01"), Self::now()).await.unwrap()
    }

    /// The one object of the window, and its file.
    pub(crate) async fn object(&self) -> (String, std::path::PathBuf) {
        let rows = self.metrics.windows(&tier("cold"), None).await.unwrap();
        let location = rows[0].standing.clone().unwrap().files[0].location.clone();
        (location.to_string(), self.metrics.lake.storage.file(&location).unwrap())
    }

    /// Dumps the window.
    pub(crate) async fn dump(&self) -> WindowReport {
        self.dump_with(&options()).await
    }

    /// Dumps the window from whatever is left of it.
    pub(crate) async fn dump_again(&self) -> WindowReport {
        self.dump_with(&MakeOptions { on_damage: OnDamage::Replace, ..options() }).await
    }

    async fn dump_with(&self, options: &MakeOptions) -> WindowReport {
        let (warm, cold) = (tier("warm"), tier("cold"));
        self.metrics.dump(&warm, &cold, day("2026-02-01"), options, Self::now()).await.unwrap()
    }

    /// The month of the roll-ups.
    pub(crate) fn month() -> Window {
        Window::parse(PartitionUnit::Month, "2026-02").unwrap()
    }

    /// Rolls the month up.
    pub(crate) async fn roll_up(&self, from: &str, to: &str) -> WindowReport {
        let (from, to, options) = (tier(from), tier(to), options());
        let rollup = self.metrics.rollup(&from, &to, Self::month(), RollupSource::Verified, &options, Self::now());
        rollup.await.unwrap()
    }

    /// Verifies a roll-up of the month.
    pub(crate) async fn verify_roll_up(&self, from: &str, to: &str) -> WindowReport {
        self.metrics.verify(&tier(from), &tier(to), Self::month(), Self::now()).await.unwrap()
    }

    /// Lists the windows of a roll-up that are due.
    pub(crate) async fn due_roll_ups(&self, from: &str, to: &str) -> Vec<Window> {
        self.metrics.due_rollups(&tier(from), &tier(to), None, RollupSource::Verified).await.unwrap()
    }

    /// Lists the windows that are due for their verification.
    pub(crate) async fn due_verifications(&self, of: &str) -> Vec<Window> {
        self.metrics.due_verifications(&tier(of), None).await.unwrap()
    }

    /// Tells of each window, by tier, whether it is made of older ones, and whether it is due.
    pub(crate) async fn stale_and_due(&self) -> Vec<(bool, bool)> {
        let all = self.metrics.status(at("2026-03-10T00:00:00Z")).await.unwrap();
        all.into_iter().map(|status| (status.is_stale, status.is_due)).collect()
    }

    /// Expires the window from its store.
    pub(crate) async fn expire(&self) -> WindowReport {
        self.metrics.expire(&tier("warm"), day("2026-02-01"), 0, Self::now()).await.unwrap()
    }

    /// Writes a point into the window whose time it did not have.
    pub(crate) async fn write_late(&self) {
        self.write_late_at("2026-02-01T12:00:00Z").await;
    }

    /// The same at another time.
    pub(crate) async fn write_late_at(&self, time: &str) {
        let late = batch(&[("host00.cpu", &[(ms(time), 5.0)])]);
        self.metrics.write(&tier("warm"), &late, Self::now()).await.unwrap();
    }

    /// Puts a whole Parquet object in the place of the window's: one value of one series is another.
    pub(crate) async fn change_a_value(&self) {
        let (_, file) = self.object().await;
        let standing = self.metrics.windows(&tier("cold"), None).await.unwrap()[0].standing.clone().unwrap();
        let storage = &self.metrics.lake.storage;
        let mut series: Vec<SeriesPoints> =
            scan(storage, &standing.files, store::Selection::All).try_concat().await.unwrap();
        let changed = [(ms("2026-02-01T00:10:00Z"), -1.0)];
        let (changed, _) = Points::of_written(&changed, DuplicateRule::Last).unwrap();
        series[7].points.merge(&changed, DuplicateRule::Last).unwrap();
        std::fs::remove_file(&file).unwrap();
        let mut writer = ArchiveWriter::new(storage, &standing.prefix);
        writer.write(&series).await.unwrap();
        writer.finish::<SeriesPoints>().await.unwrap();
    }
}
