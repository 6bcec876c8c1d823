//! How long to wait before a query is looked at again.

use std::time::Duration;

/// The first pause: a query on the embedded lake is often done by then.
const FIRST: Duration = Duration::from_millis(2);

/// The longest pause: what a waiting task may add to a query's time.
const LONGEST: Duration = Duration::from_millis(500);

/// Returns the pause after so many looks: it grows by half each time.
pub(super) fn pause(polls: u32) -> Duration {
    let mut pause = FIRST;
    for _ in 0..polls.min(32) {
        pause = (pause * 3 / 2).min(LONGEST);
    }
    pause
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        assert_eq!(pause(0), FIRST);
        assert!(pause(1) > FIRST);
        assert_eq!(pause(1_000_000), LONGEST);
    }
}
