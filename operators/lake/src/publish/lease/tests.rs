use jiff::Timestamp;

use super::*;
use crate::clock::ManualClock;

const ROOT: &str = "s3://b/t--versions/0123456789abcdef/";

fn version(name: &str) -> Location {
    Location::parse(&format!("{ROOT}{name}/")).unwrap()
}

struct Machines {
    storage: Storage,
    clock: Arc<ManualClock>,
}

impl Machines {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
        Self { storage: Storage::in_memory(), clock: Arc::new(clock) }
    }

    fn leases(&self) -> Leases {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Leases::on(self.storage.clone(), clock, CrashPoints::default())
    }

    async fn lease_is_there(&self) -> bool {
        let location = Location::parse(ROOT).unwrap().join(NAME).unwrap();
        self.storage.head(&location).await.unwrap().is_some()
    }
}

#[tokio::test(start_paused = true)]
async fn one_waits_for_the_other_and_nothing_is_left() {
    let machines = Machines::new();
    let (one, other) = (machines.leases(), machines.leases());
    let first = one.take(&version("a")).await.unwrap().unwrap();
    first.check(None).unwrap();
    let waits = tokio::spawn({
        let other = other.clone();
        async move { other.take(&version("b")).await }
    });
    // Renewed for much longer than its term.
    tokio::time::sleep(TERM * 3).await;
    assert!(!waits.is_finished());
    first.check(None).unwrap();
    let first_fence = first.fence;
    one.end(Some(first), Ok(())).await.unwrap();
    let second = waits.await.unwrap().unwrap().unwrap();
    second.check(None).unwrap();
    assert!(second.fence >= first_fence);
    other.end(Some(second), Ok(())).await.unwrap();
    assert!(!machines.lease_is_there().await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_over() {
    let machines = Machines::new();
    let (one, other) = (machines.leases(), machines.leases());
    let asleep = one.take(&version("a")).await.unwrap().unwrap();
    asleep.renewal.abort();
    let begun = Instant::now();
    let taken = other.take(&version("b")).await.unwrap().unwrap();
    assert!(begun.elapsed() >= TERM);
    assert!(taken.fence > asleep.fence);
    taken.check(None).unwrap();
    let error = asleep.check(None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    // The one that slept does not take the lease away from the one that has it.
    one.end(Some(asleep), Ok(())).await.unwrap();
    assert!(machines.lease_is_there().await);
    other.end(Some(taken), Ok(())).await.unwrap();
    assert!(!machines.lease_is_there().await);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_repeated_finds_its_own_lease() {
    let machines = Machines::new();
    let stopped = machines.leases().take(&version("a")).await.unwrap().unwrap();
    stopped.renewal.abort();
    let begun = Instant::now();
    let again = machines.leases().take(&version("a")).await.unwrap().unwrap();
    assert!(begun.elapsed() < LOOKS_EVERY);
    assert!(again.fence > stopped.fence);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_yesterday_is_taken_at_once() {
    let machines = Machines::new();
    let forgotten = machines.leases().take(&version("a")).await.unwrap().unwrap();
    forgotten.renewal.abort();
    machines.clock.advance(Duration::from_hours(24));
    let begun = Instant::now();
    machines.leases().take(&version("b")).await.unwrap().unwrap();
    assert!(begun.elapsed() < LOOKS_EVERY);
}

#[tokio::test(start_paused = true)]
async fn a_later_fence_in_the_catalog_stops_a_writer() {
    let machines = Machines::new();
    let lease = machines.leases().take(&version("a")).await.unwrap().unwrap();
    let mut parameters = IndexMap::new();
    lease.stamp(&mut parameters);
    lease.check(Some(&parameters)).unwrap();
    parameters.insert(FENCE.to_owned(), (lease.fence + 1).to_string());
    assert_eq!(lease.check(Some(&parameters)).unwrap_err().kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn in_a_folder_there_are_none() {
    let leases = Leases::none();
    let lease = leases.take(&version("a")).await.unwrap();
    assert!(lease.is_none());
    assert_eq!(leases.end(lease, Ok(3)).await.unwrap(), 3);
}
