//! A reader of all tiers that looks again and again while processes move points: what it finds is never less than was
//! taken, never twice, and never something that nobody wrote.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::{self, TryRecvError};

use engine::secret::Secrets;
use jiff::Timestamp;
use lake::{Lake, LakeSettings};
use metrics::{Ledger, Metrics, OnGap, ReadRequest, SeriesName, TimeRange};
use tokio::runtime::Runtime;

use super::SERIES;
use crate::support::Project;

/// What a reader should find.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    /// All points, as lines `series,timestamp,value`.
    pub(super) points: &'a BTreeSet<String>,
    /// Whether they are still being written: then a part of them is right too, and what was seen once stays.
    pub(super) is_growing: bool,
}

/// Reads all series again and again.
pub(super) struct Sampler<'a> {
    runtime: Runtime,
    project: &'a Project,
    tiers: Option<Metrics>,
    expected: Expected<'a>,
    seen: BTreeSet<String>,
    /// How often it has read.
    pub(super) samples: usize,
    /// What it should not have found.
    pub(super) wrong: Vec<String>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(project: &'a Project, expected: Expected<'a>) -> Self {
        let (seen, wrong) = (BTreeSet::new(), Vec::new());
        Self { runtime: runtime(), project, tiers: None, expected, seen, samples: 0, wrong }
    }

    /// Does something in a thread of its own, and reads without a pause until it is done, and once more then.
    pub(super) fn while_done<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel();
            scope.spawn(move || ended.send(work()).unwrap());
            loop {
                self.look();
                match end.try_recv() {
                    Ok(done) => {
                        self.look();
                        return done;
                    }
                    // A processor is the reader's as long as nobody else wants it.
                    Err(TryRecvError::Empty) => std::thread::yield_now(),
                    Err(TryRecvError::Disconnected) => panic!("what was watched did not come to its end"),
                }
            }
        })
    }

    /// Runs a command, and reads until it has ended.
    pub(super) fn watch(&mut self, command: &mut Command) -> Output {
        self.while_done(|| command.output().unwrap())
    }

    /// Reads once. Whoever opens the tiers first makes a lost ledger again: that is left to the process that is watched.
    fn look(&mut self) {
        let Self { runtime, project, tiers, .. } = self;
        if tiers.is_none() && runtime.block_on(knows_the_archive(project.path())) {
            *tiers = Some(runtime.block_on(open(project.path())));
        }
        let Some(tiers) = tiers else { return };
        let found = runtime.block_on(read(tiers));
        self.samples += 1;
        match found {
            Ok(found) => self.compare(found),
            Err(error) => self.wrong.push(format!("a reader failed: {error}")),
        }
    }

    fn compare(&mut self, found: BTreeSet<String>) {
        let Expected { points, is_growing } = self.expected;
        if found != *points {
            let foreign: Vec<_> = found.difference(points).collect();
            let taken = if is_growing { &self.seen } else { points };
            let missing: Vec<_> = taken.difference(&found).collect();
            if !foreign.is_empty() || !missing.is_empty() {
                self.wrong.push(format!(
                    "a reader found {} foreign points and missed {}: {:?} {:?}",
                    foreign.len(),
                    missing.len(),
                    foreign.first(),
                    missing.first()
                ));
            }
        }
        if is_growing {
            self.seen = found;
        }
    }
}

/// What all tiers together hold, read as one. Read in a copy, by somebody who finds the files as they were left.
pub(super) fn union(project: &Project) -> BTreeSet<String> {
    let project = project.copy_with_state();
    runtime().block_on(async {
        let tiers = open(project.path()).await;
        read(&tiers).await.unwrap()
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Tells whether a ledger is there that has been filled from the catalog.
async fn knows_the_archive(project: &Path) -> bool {
    let file = project.join(".suiro").join(metrics::ledger::FILE);
    if !file.is_file() {
        return false;
    }
    let Ok(ledger) = Ledger::open(&file).await else { return false };
    ledger.known().await.is_ok_and(|known| known.contains("cold"))
}

/// Opens the tiers of the points. Roll-ups say nothing more of them, and are known to the ledger later.
async fn open(project: &Path) -> Metrics {
    let text = std::fs::read_to_string(project.join("tiers.yml")).unwrap();
    let mut config = operators::read_tiers_config("tiers.yml", &text, &mut |text| Ok(text.to_owned())).unwrap();
    config.tiers.retain(|name, _| ["hot", "warm", "cold"].contains(&name.as_str()));
    let state = project.join(".suiro");
    let warehouse = state.join("warehouse");
    let lake = Box::pin(Lake::open(LakeSettings::new(state, warehouse))).await.unwrap();
    Box::pin(operators::open_metrics(&lake, &config, &Secrets::none())).await.unwrap()
}

/// Reads all points: a line `series,timestamp,value` for each.
async fn read(tiers: &Metrics) -> Result<BTreeSet<String>, String> {
    let request = ReadRequest {
        names: SERIES.iter().map(|name| SeriesName::new(name).unwrap()).collect(),
        range: TimeRange::ALL,
        step: Some(tiers.tiers().raw_step()),
        aggregate: None,
        on_gap: OnGap::Fail,
    };
    let answer = Box::pin(tiers.read(&request, Timestamp::now())).await.map_err(|error| format!("{error:?}"))?;
    let mut points = BTreeSet::new();
    for series in answer.series {
        let mut before = None;
        for row in series.rows {
            if before.replace(row.time_ms).is_some_and(|before| before >= row.time_ms) {
                return Err(format!("{} of {} has two owners", row.time_ms, series.name));
            }
            let time = Timestamp::from_millisecond(row.time_ms).unwrap();
            points.insert(format!("{},{time},{}", series.name, row.value));
        }
    }
    Ok(points)
}
