use jiff::Timestamp;

use super::*;
use crate::clock::ManualClock;

const ROOT: &str = "s3://b/t--versions/0123456789abcdef/";

fn version(name: &str) -> Location {
    Location::parse(&format!("{ROOT}{name}/")).unwrap()
}

/// Times that a test can wait for.
const SHORT: Times = Times {
    term: Duration::from_secs(2),
    renewed_every: Duration::from_millis(100),
    margin: Duration::from_millis(100),
    looks_every: Duration::from_millis(10),
    told_after: Duration::from_millis(100),
};

/// Keeps what is told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Listener for Heard {
    fn hear(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

struct Machines {
    storage: Storage,
    clock: Arc<ManualClock>,
    heard: Arc<Heard>,
}

impl Machines {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap());
        Self { storage: Storage::in_memory(), clock: Arc::new(clock), heard: Arc::default() }
    }

    fn leases(&self) -> Leases {
        let (storage, clock) = (self.storage.clone(), Arc::clone(&self.clock) as Arc<dyn Clock>);
        let listener = Arc::clone(&self.heard) as Arc<dyn Listener>;
        Leases {
            on: Some(Arc::new(On { storage, clock, crash_points: CrashPoints::default(), times: SHORT, listener })),
        }
    }

    /// Returns the state of the lease.
    async fn seen(&self) -> Option<Tag> {
        let location = Location::parse(ROOT).unwrap().join(NAME).unwrap();
        self.storage.read_tagged(&location).await.unwrap().map(|(_, tag)| tag)
    }
}

#[tokio::test]
async fn one_waits_for_the_other_and_nothing_is_left() {
    let machines = Machines::new();
    let (one, other) = (machines.leases(), machines.leases());
    let first = one.take(&version("a")).await.unwrap().unwrap();
    first.check(None).unwrap();
    let waits = tokio::spawn({
        let other = other.clone();
        async move { other.take(&version("b")).await }
    });
    // Renewed for longer than its term.
    let mut before = machines.seen().await;
    let mut renewals = 0;
    while renewals < 25 {
        let now = machines.seen().await;
        renewals += u32::from(now != before);
        before = now;
        tokio::task::yield_now().await;
    }
    assert!(!waits.is_finished());
    first.check(None).unwrap();
    let first_fence = first.fence;
    one.end(Some(first), Ok(())).await.unwrap();
    let second = waits.await.unwrap().unwrap().unwrap();
    second.check(None).unwrap();
    assert!(second.fence >= first_fence);
    other.end(Some(second), Ok(())).await.unwrap();
    assert_eq!(machines.seen().await, None);
}

#[tokio::test]
async fn a_lease_that_nobody_renews_is_taken_over() {
    let machines = Machines::new();
    let (one, other) = (machines.leases(), machines.leases());
    let asleep = one.take(&version("a")).await.unwrap().unwrap();
    asleep.renewal.abort();
    let taken = other.take(&version("b")).await.unwrap().unwrap();
    assert!(taken.fence > asleep.fence);
    // Told once, though it is looked at again and again.
    let told = machines.heard.0.lock().unwrap().clone();
    let [line] = told.as_slice() else { panic!("{told:?}") };
    let begins = format!(
        "waiting for another writer of the same partition or table (process {} of its machine): it has held the lease \
         `{ROOT}_suiro_lease.json` since 2027-01-15T08:00:00Z, and is taken for gone at 2027-01-15T08:00:0",
        std::process::id()
    );
    assert!(line.starts_with(&begins) && line.ends_with("Z if it has not renewed it until then"), "{line}");
    taken.check(None).unwrap();
    let error = asleep.check(None).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    // The one that slept does not take the lease away from the one that has it.
    one.end(Some(asleep), Ok(())).await.unwrap();
    assert!(machines.seen().await.is_some());
    other.end(Some(taken), Ok(())).await.unwrap();
    assert_eq!(machines.seen().await, None);
}

#[tokio::test]
async fn a_step_that_is_repeated_finds_its_own_lease() {
    let machines = Machines::new();
    let stopped = machines.leases().take(&version("a")).await.unwrap().unwrap();
    stopped.renewal.abort();
    let again = machines.leases().take(&version("a")).await.unwrap().unwrap();
    assert!(again.fence > stopped.fence);
    stopped.check(None).unwrap();
    again.check(None).unwrap();
}

#[tokio::test]
async fn a_lease_of_yesterday_is_taken_at_once() {
    let machines = Machines::new();
    let forgotten = machines.leases().take(&version("a")).await.unwrap().unwrap();
    forgotten.renewal.abort();
    machines.clock.advance(Duration::from_hours(24));
    let taken = machines.leases().take(&version("b")).await.unwrap().unwrap();
    taken.check(None).unwrap();
}

#[tokio::test]
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

#[tokio::test]
async fn a_call_ends_with_the_lease_and_not_while_it_is_renewed() {
    let machines = Machines::new();
    let lease = machines.leases().take(&version("a")).await.unwrap().unwrap();
    let begun = Instant::now();
    let longer_than_the_term = async {
        while begun.elapsed() < SHORT.term * 3 / 2 {
            tokio::task::yield_now().await;
        }
        Ok(7)
    };
    assert_eq!(lease.within(longer_than_the_term).await.unwrap(), 7);
    lease.renewal.abort();
    let error = lease.within(std::future::pending::<Result<()>>()).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), (ErrorKind::External, crate::error::Retryable::Yes));
    assert_eq!(error.message, "the lease ended before the catalog had answered");
}

#[tokio::test]
async fn whoever_collects_does_not_wait_and_goes_on_with_its_own() {
    let machines = Machines::new();
    let (publisher, collector) = (machines.leases(), machines.leases());
    let lease = publisher.take(&version("a")).await.unwrap();
    assert_eq!(publisher.holder(&version("b")).await.unwrap(), Some(version("a")));
    assert!(matches!(collector.take_to_collect(&version("a")).await.unwrap(), Turn::Others));
    publisher.end(lease, Ok(())).await.unwrap();
    assert_eq!(publisher.holder(&version("a")).await.unwrap(), None);
    let Turn::Ours(first) = collector.take_to_collect(&version("a")).await.unwrap() else { panic!("nobody has it") };
    // A process that was stopped while it collected goes on at once.
    assert!(matches!(machines.leases().take_to_collect(&version("a")).await.unwrap(), Turn::Ours(_)));
    drop(first);
    assert!(matches!(Leases::none().take_to_collect(&version("a")).await.unwrap(), Turn::NotNeeded));
}
