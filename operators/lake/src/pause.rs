//! Pauses between tries: they double, and are cut at random, so that clients that were refused together do not come back together.

use std::time::Duration;

/// How often a call is tried, and how long the pauses between the tries are.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often at most.
    pub tries: u32,
    /// The first pause; each one after it is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// The pauses between the tries of one call.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    longest: Duration,
    left: u32,
}

impl Patience {
    /// Begins the tries of one call.
    pub fn begin(self) -> Pauses {
        Pauses { next: self.first, longest: self.longest, left: self.tries.saturating_sub(1) }
    }
}

impl Pauses {
    /// Waits before the next try; returns whether there is one.
    pub async fn wait(&mut self) -> bool {
        let is_left = self.left > 0;
        if is_left {
            tokio::time::sleep(self.step()).await;
        }
        is_left
    }

    /// Returns how long the pause before the next try is at most; nothing when there is none.
    pub(crate) fn longest_next(&self) -> Duration {
        if self.left > 0 { self.next } else { Duration::ZERO }
    }

    /// Returns the pause before the next try.
    fn step(&mut self) -> Duration {
        self.left = self.left.saturating_sub(1);
        let pause = cut(self.next);
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

/// Returns half of a pause to all of it, by chance.
fn cut(pause: Duration) -> Duration {
    // Without a source of chance all of it is right as well.
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    pause / 2 + (pause / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_cut_by_chance() {
        let millis = Duration::from_millis;
        let mut pauses = Patience { tries: 5, first: millis(100), longest: millis(250) }.begin();
        for longest in [100, 200, 250, 250] {
            let pause = pauses.step();
            assert!(millis(longest) / 2 <= pause && pause <= millis(longest), "{pause:?}");
        }
        assert_eq!(pauses.left, 0);
    }

    #[tokio::test]
    async fn a_call_is_tried_so_often_and_no_more() {
        let mut pauses = Patience { tries: 4, first: Duration::ZERO, longest: Duration::ZERO }.begin();
        let mut tries = 1;
        while pauses.wait().await {
            tries += 1;
        }
        assert_eq!(tries, 4);
    }
}
