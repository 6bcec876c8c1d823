//! Making a generation of a window: intent, objects, reading them back, one catalog call, and the ledger's note of it.
//!
//! What crashed in between is settled by the next step: a generation that the catalog points to is taken over, any other one is
//! given up.

use futures::StreamExt as _;
use lake::{Error, ErrorKind, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::archive::{ArchiveBatches, ArchiveWriter, Form, Place, SeriesRows, parts_of, scan, standing_of, state_of};
use crate::astray::Astray;
use crate::checksum::{Figures, PartSums, Tally};
use crate::ledger::{Archived, ArchivedFile, LedgerRow, MadeFrom};
use crate::metrics::Metrics;
use crate::store::Selection;
use crate::tiers::Tier;
use crate::window::Window;

/// Batches that the reader of the sources is ahead of the writer of objects.
const AHEAD: usize = 2;

/// A generation that is about to be written.
pub(crate) struct Making<'a> {
    pub(crate) tier: &'a Tier,
    pub(crate) window: Window,
    pub(crate) place: Place,
    pub(crate) archived: Archived,
    pub(crate) standing: Option<Archived>,
}

/// A window after what a crash left of it is settled.
pub(crate) struct Settled {
    pub(crate) row: Option<LedgerRow>,
    /// Where the catalog points, when that is not what stands in the row.
    pub(crate) astray: Option<Astray>,
}

/// What was written, and what it was made of.
pub(crate) struct WrittenObjects {
    pub(crate) files: Vec<ArchivedFile>,
    /// What went into the objects.
    pub(crate) target: Tally,
    /// What it was made of.
    pub(crate) source: Tally,
}

impl Metrics {
    /// Returns a window's row, and where the catalog points when that is not what the ledger knows. A generation that a crash left between
    /// its intent and its end is settled first, and a window that only the catalog knows is taken into the ledger.
    ///
    /// # Errors
    /// Those of the ledger and the catalog; `Conflict` for a partition that no tier made.
    pub(crate) async fn look(&self, tier: &Tier, window: Window, form: Form) -> Result<Settled> {
        let mut row = self.ledger.row(&tier.name, window).await?;
        let place = Place::find(&self.lake, tier, window, form).await?;
        let partition = place.as_ref().and_then(|place| place.partition.as_ref());
        if let Some(making) = row.as_ref().and_then(|row| row.making.clone()) {
            match (&place, partition) {
                (Some(place), Some(partition)) if partition.location == making.prefix => {
                    // Once more, for what comes after the catalog call.
                    place.publish(&self.lake, &making, &parts_of(partition).unwrap_or_default()).await?;
                    let promote = self.ledger.promote(&tier.name, window, &making);
                    self.points().around("metrics: note what was published", promote).await?;
                }
                _ => self.give_up(tier, window, &making).await?,
            }
            row = self.ledger.row(&tier.name, window).await?;
        }
        let standing = row.as_ref().and_then(|row| row.standing.as_ref());
        match (standing, partition) {
            (None, Some(partition)) => {
                let Some(found) = standing_of(partition)? else { return Err(foreign(tier, window, "no tier made it")) };
                let sums = parts_of(partition);
                let is_late = form == Form::Points;
                let state = state_of(partition);
                self.bind(&[tier]).await?;
                let restore = self.ledger.restore(&tier.name, window, &found, state, sums.as_ref(), is_late);
                self.points().around("metrics: take a window from the catalog", restore).await?;
                row = self.ledger.row(&tier.name, window).await?;
            }
            (Some(standing), Some(partition)) if standing.prefix != partition.location => {
                let astray = Some(Astray::Elsewhere(partition.location.clone()));
                return Ok(Settled { row, astray });
            }
            (Some(_), None) if self.is_dropped(tier, window).await? => {
                // A stop came after the catalog call.
                self.end_drop(tier, window).await?;
                row = self.ledger.row(&tier.name, window).await?;
            }
            (Some(_), None) => return Ok(Settled { row, astray: Some(Astray::Gone) }),
            _ => {}
        }
        Ok(Settled { row, astray: None })
    }

    /// Gives up a generation that readers were never pointed to.
    pub(crate) async fn give_up(&self, tier: &Tier, window: Window, making: &Archived) -> Result<()> {
        self.lake.abandon_version(&making.prefix).await?;
        let give_up = self.ledger.give_up(&tier.name, window, making.generation);
        self.points().around("metrics: note what was given up", give_up).await
    }

    /// Notes that a generation is about to be made, and prepares its prefix.
    pub(crate) async fn begin_making<'a>(
        &self,
        tier: &'a Tier,
        row: &LedgerRow,
        form: Form,
        made_from: Vec<MadeFrom>,
        attempt: &str,
    ) -> Result<Making<'a>> {
        let window = row.window;
        self.bind(&[tier]).await?;
        let place = Place::make(&self.lake, tier, window, form).await?;
        let planned_ms = self.lake.settings.clock.now().as_millisecond();
        let generation = row.generation + 1;
        let archived = Archived {
            generation,
            prefix: place.prefix(generation, attempt, planned_ms)?,
            files: Vec::new(),
            figures: Figures::default(),
            source: Figures::default(),
            made_from,
            touched: row.touched(),
            begun: Some(row.begun),
            attempt: attempt.to_owned(),
            made_ms: planned_ms,
        };
        let intend = self.ledger.intend(&tier.name, window, &archived);
        self.points().around("metrics: note what is about to be made", intend).await?;
        self.lake.begin_version(&place.root()?, &archived.prefix, &place.table.name, Some(&place.values)).await?;
        // A ledger that was lost and rebuilt may give the same name twice: what is there now would be taken for ours.
        let stray = self.lake.storage.list_data(&archived.prefix).await?;
        if !stray.is_empty() {
            let stray: Vec<_> = stray.into_iter().map(|object| object.location).collect();
            let delete = self.lake.storage.delete(&stray);
            self.points().around("metrics: delete objects of a forgotten try", delete).await?;
        }
        Ok(Making { tier, window, place, archived, standing: row.standing.clone() })
    }

    /// Starts to write objects in a task of its own: whoever reads the sources is not kept waiting by the encoder.
    pub(crate) fn start_writer<S: SeriesRows>(&self, making: &Making<'_>) -> ObjectsWriter<S> {
        let (sender, mut receiver) = mpsc::channel::<Vec<S>>(AHEAD);
        let mut writer = ArchiveWriter::new(&self.lake.storage, &making.archived.prefix);
        let task = tokio::spawn(async move {
            let mut tally = Tally::default();
            while let Some(series) = receiver.recv().await {
                // Nothing is the end: a sender that went away without it was given up.
                if series.is_empty() {
                    return writer.finish::<S>().await.map(|files| (files, tally));
                }
                writer.write(&series).await?;
                for series in &series {
                    series.tally(&mut tally);
                }
            }
            Err(Error::new(ErrorKind::Canceled, "write an archive", "the writing was given up"))
        });
        ObjectsWriter { sender, task }
    }

    /// Reads the objects back, compares, and makes them what readers see; or finds that they are what readers see already.
    /// Returns whether something new was published.
    pub(crate) async fn end_making<S: SeriesRows>(&self, making: Making<'_>, written: WrittenObjects) -> Result<bool> {
        let Making { tier, window, place, mut archived, standing } = making;
        archived.files = written.files;
        archived.source = written.source.figures;
        let (figures, sums) = self.read_back::<S>(&archived.files).await?;
        if (figures, &sums) != (written.target.figures, &written.target.parts) {
            let message = format!(
                "the window {window} of `{}` reads back otherwise than it was written: {} points with the checksum {}, not {} \
                 with {}",
                tier.name,
                figures.count,
                figures.checksum,
                written.target.figures.count,
                written.target.figures.checksum
            );
            return Err(Error::new(ErrorKind::DataQuality, "archive a window", message));
        }
        archived.figures = figures;
        if let Some(standing) = standing.filter(|standing| standing.figures == figures)
            && self.ledger.parts(&tier.name, window).await?.is_none_or(|parts| parts.target == sums)
        {
            // What readers see is the same: nothing new for them.
            self.lake.abandon_version(&archived.prefix).await?;
            let standing = Archived {
                source: archived.source,
                made_from: archived.made_from,
                touched: archived.touched,
                begun: archived.begun,
                ..standing
            };
            let confirm = self.ledger.confirm(&tier.name, window, &standing, &written.source);
            self.points().around("metrics: note that nothing has changed", confirm).await?;
            return Ok(false);
        }
        let target = Tally { figures, parts: sums };
        let made = self.ledger.made(&tier.name, window, &archived, &target, &written.source);
        self.points().around("metrics: note what was read back", made).await?;
        place.publish(&self.lake, &archived, &target.parts).await?;
        let promote = self.ledger.promote(&tier.name, window, &archived);
        self.points().around("metrics: note what was published", promote).await?;
        Ok(true)
    }

    /// Reads archived objects from the storage and counts what is in them.
    ///
    /// # Errors
    /// Those of the storage; `InvalidData` for objects that cannot be read.
    pub(crate) async fn read_back<S: SeriesRows>(&self, files: &[ArchivedFile]) -> Result<(Figures, PartSums)> {
        let mut batches: ArchiveBatches<S> = scan(&self.lake.storage, files, Selection::All);
        let mut tally = Tally::default();
        while let Some(batch) = batches.next().await {
            for series in batch? {
                series.tally(&mut tally);
            }
        }
        Ok((tally.figures, tally.parts))
    }
}

/// Writes objects in a task.
pub(crate) struct ObjectsWriter<S> {
    sender: mpsc::Sender<Vec<S>>,
    task: JoinHandle<Result<(Vec<ArchivedFile>, Tally)>>,
}

impl<S: SeriesRows> ObjectsWriter<S> {
    /// Takes series that come after all before. A writer that failed takes them too, and says so at the end.
    pub(crate) async fn take(&self, series: Vec<S>) {
        if !series.is_empty() {
            let _said_at_the_end = self.sender.send(series).await;
        }
    }

    /// Ends the objects.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) async fn finish(self) -> Result<(Vec<ArchivedFile>, Tally)> {
        let _said_by_the_task = self.sender.send(Vec::new()).await;
        self.task
            .await
            .map_err(|error| Error::new(ErrorKind::External, "write an archive", "the writing stopped").source(error))?
    }
}

fn foreign(tier: &Tier, window: Window, why: &str) -> Error {
    let message = format!(
        "the catalog's partition of the window {window} of `{}` is not the one of the ledger: {why}",
        tier.name
    );
    Error::new(ErrorKind::Conflict, "archive a window", message)
        .help(
            "after an undo: redo it (`suiro partition redo`), then run this again; a partition of somebody else: give the tier a table of \
             its own",
        )
}
