//! Who may point the catalog to a new version, when writers are on several machines.
//!
//! Glue compares no versions of partitions, so between a writer's look and its call another one could publish and be
//! overwritten. On AWS a writer therefore holds an object beside the versions of the partition, `_suiro_lease.json`: made only
//! when it is not there, changed only from the state that was seen, renewed while it is held, removed at the end. One that
//! nobody has renewed for its whole term is taken over. In a folder the catalog itself compares versions, and there are no
//! leases.
//!
//! Terms are measured by each machine's own monotonic clock, from the moment it saw the lease: clocks that differ do no harm.
//! A lease has a number that grows; it is written to the partition as `suiro.fence`, so a writer that was asleep beyond its
//! term finds a higher one there and stops. A call is given up when the lease ends before its answer. What stays is a call that was
//! on its way by then and comes after the next writer's: `late.rs` finds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::clock::Clock;
use crate::crash::CrashPoints;
use crate::error::{Error, ErrorKind, Result};
use crate::name::Location;
use crate::notice::Listener;
use crate::storage::{Storage, Tag};

/// The name of the object; hidden from readers by its `_`.
const NAME: &str = "_suiro_lease.json";

/// The parameter of a partition or table that holds the number of the lease it was written under.
const FENCE: &str = "suiro.fence";

/// The times of leases.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// How long a lease holds that nobody renews. A publish holds it for some calls, mostly below a second.
    term: Duration,
    /// How often it is renewed.
    renewed_every: Duration,
    /// How long before the end of its term it does not count any more: a call that begins now may take that long.
    margin: Duration,
    /// How often one that waits looks.
    looks_every: Duration,
    /// After how long it is told who is waited for. Writers that are there hold a lease for less.
    told_after: Duration,
}

const TIMES: Times = Times {
    term: Duration::from_secs(30),
    renewed_every: Duration::from_secs(10),
    margin: Duration::from_secs(5),
    looks_every: Duration::from_millis(300),
    told_after: Duration::from_secs(1),
};

/// How long one waits, while others come and go.
const PATIENCE: Duration = Duration::from_mins(3);

/// When a lease is over whatever clock it was written by: S3 refuses requests of machines whose clocks are off by more than
/// 15 minutes (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, `RequestTimeTooSkewed`).
const LONG_OVER_MS: i64 = 30 * 60 * 1000;

/// The leases of a lake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leases {
    on: Option<Arc<On>>,
}

#[derive(Debug)]
struct On {
    storage: Storage,
    clock: Arc<dyn Clock>,
    crash_points: CrashPoints,
    times: Times,
    /// Who is told that somebody is waited for.
    listener: Arc<dyn Listener>,
}

/// Whether something may be done that a lease is needed for.
#[derive(Debug)]
pub(crate) enum Turn {
    /// There are no leases.
    NotNeeded,
    /// The lease is held.
    Ours(Box<Lease>),
    /// Somebody else has it.
    Others,
}

/// What stands in the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// Whose it is: the version that is to be published. A step that is repeated after a stop finds its own.
    holder: Location,
    /// Grows with every holder.
    fence: i64,
    /// When it ends if it is not renewed, by the holder's clock: for people, and for leases that are long over.
    expires_ms: i64,
    /// The process that has it: for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
}

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    on: Arc<On>,
    location: Location,
    fence: i64,
    held: Arc<Mutex<Held>>,
    renewal: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Held {
    tag: Tag,
    until: Instant,
    lost: bool,
}

impl Leases {
    /// Makes the leases of a lake whose catalog compares versions itself.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Makes the leases of a lake whose writers are on several machines.
    /// `listener` is told whom a writer waits for.
    pub(crate) fn on(
        storage: Storage,
        clock: Arc<dyn Clock>,
        crash_points: CrashPoints,
        listener: Arc<dyn Listener>,
    ) -> Self {
        Self { on: Some(Arc::new(On { storage, clock, crash_points, times: TIMES, listener })) }
    }

    /// Tells whether a writer must hold one.
    pub(crate) fn are_needed(&self) -> bool {
        self.on.is_some()
    }

    /// Waits for the lease of the partition (or table) that a version is of, and takes it; none where there are no leases.
    ///
    /// # Errors
    /// `External`, to be tried again, when others hold it for minutes; those of the storage.
    pub(crate) async fn take(&self, version: &Location) -> Result<Option<Lease>> {
        let Some(on) = &self.on else { return Ok(None) };
        let taken = Box::pin(Arc::clone(on).take(place(version)?, version));
        on.crash_points.around("aws: take the lease", taken).await.map(Some)
    }

    /// Takes the lease of the partition (or table) that a version is of to delete the version, unless somebody else has it.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn take_to_collect(&self, version: &Location) -> Result<Turn> {
        let Some(on) = &self.on else { return Ok(Turn::NotNeeded) };
        let location = place(version)?;
        // Not the name that its own publish would have.
        let holder = version.join("collection/")?;
        let mut seen = None;
        let taking = async {
            let taken = Box::pin(Arc::clone(on).try_take(&location, &holder, &mut seen)).await?;
            // What was quicker may be our own first try, whose answer was lost: then the second look has it.
            Ok(match taken {
                Try::SomebodyWasQuicker => Box::pin(Arc::clone(on).try_take(&location, &holder, &mut seen)).await?,
                taken => taken,
            })
        };
        Ok(match on.crash_points.around("aws: take the lease", taking).await? {
            Try::Taken(lease) => Turn::Ours(Box::new(lease)),
            Try::SomebodyWasQuicker | Try::Held { .. } => Turn::Others,
        })
    }

    /// Returns the version that holds the lease of the partition (or table) which a version is of; none when nobody has it.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn holder(&self, version: &Location) -> Result<Option<Location>> {
        let Some(on) = &self.on else { return Ok(None) };
        let found = on.look(&place(version)?).await?;
        let is_over = |written: &Written| on.now_ms().saturating_sub(written.expires_ms) > LONG_OVER_MS;
        Ok(found.map(|(written, _)| written).filter(|written| !is_over(written)).map(|written| written.holder))
    }

    /// Removes the lease that a process left which was stopped when it had published a version.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn clear(&self, version: &Location) -> Result<()> {
        let Some(on) = &self.on else { return Ok(()) };
        let location = place(version)?;
        match on.look(&location).await? {
            Some((written, _)) if written.holder == *version => {
                let removed = on.storage.delete(std::slice::from_ref(&location));
                on.crash_points.around("aws: remove a lease that was left", removed).await
            }
            _ => Ok(()),
        }
    }

    /// Gives a lease back after what was done under it. What was done counts: a lease that cannot be removed ends by itself.
    pub(crate) async fn end<T>(&self, lease: Option<Lease>, done: Result<T>) -> Result<T> {
        let (Some(on), Some(lease)) = (&self.on, lease) else { return done };
        let location = lease.location.clone();
        match on.crash_points.around("aws: give the lease back", Box::pin(lease.give_back())).await {
            // A test that stops here stops the step.
            Err(error) if error.kind == ErrorKind::Canceled => done.and(Err(error)),
            Err(error) => {
                tracing::warn!(%error, %location, "a lease could not be removed; it ends by itself");
                done
            }
            Ok(()) => done,
        }
    }
}

/// Returns where the lease of a version is: `<version root>/<hash of values>/<version>/` has it beside the versions of the
/// same values.
fn place(version: &Location) -> Result<Location> {
    version.parent().unwrap_or_else(|| version.as_prefix()).join(NAME)
}

/// What a try at taking a lease came to.
enum Try {
    /// It is ours.
    Taken(Lease),
    /// It changed between the look and the call.
    SomebodyWasQuicker,
    /// Somebody else has it, and it is taken over after so long if nobody renews it until then.
    Held { by: Written, for_at_most: Duration },
}

impl On {
    async fn take(self: Arc<Self>, location: Location, holder: &Location) -> Result<Lease> {
        let begun = Instant::now();
        let mut seen = None;
        let mut is_told = false;
        loop {
            match Arc::clone(&self).try_take(&location, holder, &mut seen).await? {
                Try::Taken(lease) => return Ok(lease),
                // More often than not our own first try, whose answer was lost. A look tells.
                Try::SomebodyWasQuicker if begun.elapsed() <= PATIENCE => continue,
                Try::Held { by, for_at_most } if !is_told && begun.elapsed() >= self.times.told_after => {
                    self.tell(&location, &by, for_at_most);
                    is_told = true;
                }
                Try::SomebodyWasQuicker | Try::Held { .. } => {}
            }
            if begun.elapsed() > PATIENCE {
                let message = "other writers have published the same partition for minutes";
                let error = Error::new(ErrorKind::External, "publish a version", message).retryable();
                return Err(error.with("lease", location.to_string()));
            }
            tokio::time::sleep(self.times.looks_every).await;
        }
    }

    /// Takes a lease if nobody has it; `seen` is what was there at the last look, and since when.
    async fn try_take(
        self: Arc<Self>,
        location: &Location,
        holder: &Location,
        seen: &mut Option<(Tag, Instant)>,
    ) -> Result<Try> {
        let found = self.look(location).await?;
        match &found {
            None => {}
            Some((written, _)) if written.holder == *holder => {}
            Some((written, tag)) => {
                let unchanged = seen.as_ref().filter(|(before, _)| before == tag).map(|(_, since)| *since);
                let since = unchanged.unwrap_or_else(Instant::now);
                *seen = Some((tag.clone(), since));
                let for_at_most = self.times.term.saturating_sub(since.elapsed());
                let is_long_over = self.now_ms().saturating_sub(written.expires_ms) > LONG_OVER_MS;
                if !for_at_most.is_zero() && !is_long_over {
                    return Ok(Try::Held { by: written.clone(), for_at_most });
                }
            }
        }
        let before = Instant::now();
        let fence = self.now_ms().max(found.as_ref().map_or(0, |(written, _)| written.fence + 1));
        let (expires_ms, process) = (self.expires_ms(), Some(std::process::id()));
        let written = Written { holder: holder.clone(), fence, expires_ms, process };
        let tag = found.as_ref().map(|(_, tag)| tag);
        let Some(tag) = self.storage.swap(location, tag, encode(&written)?).await? else {
            return Ok(Try::SomebodyWasQuicker);
        };
        let held = Arc::new(Mutex::new(Held { tag, until: before + self.times.term, lost: false }));
        let renewal = tokio::spawn(Arc::clone(&self).renew(location.clone(), written, Arc::clone(&held)));
        let renewal = AbortOnDropHandle::new(renewal);
        Ok(Try::Taken(Lease { on: self, location: location.clone(), fence, held, renewal }))
    }

    /// Tells whom a writer waits for, and until when at most if that one is gone.
    fn tell(&self, location: &Location, by: &Written, for_at_most: Duration) {
        let time =
            |ms: i64| Timestamp::from_second(ms.div_euclid(1000)).map_or_else(|_| "?".to_owned(), |at| at.to_string());
        let rest_ms = i64::try_from(for_at_most.as_millis()).unwrap_or(i64::MAX);
        let process = by.process.map_or_else(String::new, |process| format!(" (process {process} of its machine)"));
        self.listener.hear(&format!(
            "waiting for another writer of the same partition or table{process}: it has held the lease `{location}` since {}, \
             and is taken for gone at {} if it has not renewed it until then",
            time(by.fence),
            time(self.now_ms().saturating_add(rest_ms).saturating_add(999))
        ));
    }

    async fn look(&self, location: &Location) -> Result<Option<(Written, Tag)>> {
        let Some((bytes, tag)) = self.storage.read_tagged(location).await? else { return Ok(None) };
        let written = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the lease is damaged: {error}");
            Error::new(ErrorKind::InvalidData, "publish a version", message)
                .with("lease", location.to_string())
                .help("remove the object when nobody publishes")
        })?;
        Ok(Some((written, tag)))
    }

    /// Renews a lease until it is given back, or another has it.
    async fn renew(self: Arc<Self>, location: Location, mut written: Written, held: Arc<Mutex<Held>>) {
        loop {
            tokio::time::sleep(self.times.renewed_every).await;
            let before = Instant::now();
            written.expires_ms = self.expires_ms();
            let tag = lock(&held).tag.clone();
            let renewed = match encode(&written) {
                Ok(bytes) => self.storage.swap(&location, Some(&tag), bytes).await,
                Err(error) => Err(error),
            };
            match renewed {
                Ok(Some(tag)) => {
                    let mut held = lock(&held);
                    held.tag = tag;
                    held.until = before + self.times.term;
                }
                Ok(None) => match self.look(&location).await {
                    // The client repeats a call whose answer was lost, and then meets its own first try.
                    Ok(Some((found, tag))) if found.holder == written.holder && found.fence == written.fence => {
                        let mut held = lock(&held);
                        held.tag = tag;
                        held.until = before + self.times.term;
                    }
                    Ok(_) => {
                        lock(&held).lost = true;
                        return;
                    }
                    Err(error) => tracing::warn!(%error, %location, "a lease could not be looked at yet"),
                },
                Err(error) => tracing::warn!(%error, %location, "a lease could not be renewed yet"),
            }
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    fn expires_ms(&self) -> i64 {
        self.now_ms().saturating_add(i64::try_from(self.times.term.as_millis()).unwrap_or(i64::MAX))
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encode(written: &Written) -> Result<Bytes> {
    serde_json::to_vec(written).map(Bytes::from).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "publish a version", "the lease cannot be written as JSON").source(error)
    })
}

impl Lease {
    /// Says that the catalog call may come now, given the parameters of what it replaces.
    ///
    /// # Errors
    /// `Conflict` when the lease is over, or another writer has published under a later one.
    pub(crate) fn check(&self, current: Option<&IndexMap<String, String>>) -> Result<()> {
        let over = {
            let held = lock(&self.held);
            held.lost || held.until.saturating_duration_since(Instant::now()) < self.on.times.margin
        };
        let later = current.and_then(fence_of).is_some_and(|fence| fence > self.fence);
        if !over && !later {
            return Ok(());
        }
        let why = if later { "another writer has published under a later lease" } else { "the lease is over" };
        let message = format!("another writer may have published meanwhile: {why}");
        Err(Error::new(ErrorKind::Conflict, "publish a version", message).with("lease", self.location.to_string()))
    }

    /// Leaves the number of the lease in the parameters of what is published.
    pub(crate) fn stamp(&self, parameters: &mut IndexMap<String, String>) {
        parameters.insert(FENCE.to_owned(), self.fence.to_string());
    }

    /// Carries out a call that ends with the lease: what is not sent by then is not sent any more, so that no repeat of it comes
    /// after the next writer's.
    ///
    /// # Errors
    /// Those of the call; `External`, to be tried again, when the lease ends first: whether the call went through is not known.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut call = std::pin::pin!(call);
        loop {
            let until = lock(&self.held).until;
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(until) => {
                    if lock(&self.held).until <= until {
                        let message = "the lease ended before the catalog had answered";
                        let error = Error::new(ErrorKind::External, "publish a version", message).retryable();
                        return Err(error.with("lease", self.location.to_string()));
                    }
                }
                done = &mut call => return done,
            }
        }
    }

    /// Removes the object, if it is ours for long enough that the call cannot meet the next one's.
    async fn give_back(self) -> Result<()> {
        self.renewal.abort();
        let _stopped = self.renewal.await;
        let surely_ours = {
            let held = lock(&self.held);
            !held.lost && held.until.saturating_duration_since(Instant::now()) > self.on.times.term / 2
        };
        if surely_ours {
            self.on.storage.delete(std::slice::from_ref(&self.location)).await?;
        }
        Ok(())
    }
}

/// Returns the number of the lease under which parameters were written.
pub(super) fn fence_of(parameters: &IndexMap<String, String>) -> Option<i64> {
    parameters.get(FENCE)?.parse().ok()
}

#[cfg(test)]
mod tests;
