//! Crash points: named places before and after every durable effect, where a test may stop the process.
//!
//! A value that is passed in with the settings; off, a point costs one branch. The engine's points are called `run: …` and
//! `sh: …`; the lake has points of its own, which the binary ties to the same plan by [`CrashPoints::hook`].
//!
//! With a plan, every pass is also traced (target `crash_point`), so that a test learns which points a run passes, and how
//! often, from one run that is not stopped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// On which side of the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The effect has not happened.
    Before,
    /// The effect is durable.
    After,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// Where to stop: the n-th time a point is passed.
struct Plan {
    point: String,
    moment: Moment,
    countdown: AtomicU32,
    stop: Box<dyn Fn() + Send + Sync>,
}

impl Plan {
    /// Reads `NAME:before` or `NAME:after`, perhaps with `:N`.
    fn parse(text: &str, stop: Box<dyn Fn() + Send + Sync>) -> Result<Self, BadPlan> {
        let bad = || BadPlan(text.to_owned());
        let (rest, countdown) = match text.rsplit_once(':') {
            Some((rest, number)) if number.chars().all(|digit| digit.is_ascii_digit()) && !number.is_empty() => {
                (rest, number.parse().map_err(|_| bad())?)
            }
            _ => (text, 1),
        };
        let (point, moment) = rest.rsplit_once(':').ok_or_else(bad)?;
        let moment = match moment {
            "before" => Moment::Before,
            "after" => Moment::After,
            _ => return Err(bad()),
        };
        if point.is_empty() || countdown == 0 {
            return Err(bad());
        }
        Ok(Self { point: point.to_owned(), moment, countdown: AtomicU32::new(countdown), stop })
    }
}

/// The crash points of one process; off unless made by [`CrashPoints::parse`].
#[derive(Clone, Default)]
pub struct CrashPoints {
    plans: Option<Arc<[Plan]>>,
}

/// A crash plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected `NAME:before` or `NAME:after`, perhaps with `:N`, found `{0}`")]
pub struct BadPlan(pub String);

impl CrashPoints {
    /// Never stops.
    pub fn off() -> Self {
        Self::default()
    }

    /// Reads a plan such as `run: tick:after:3` (the third time, after the effect) that aborts the process,
    /// `interrupt run: tick:after:3` that sends it SIGINT there and goes on, or `pause run: tick:after:3` that lets it sleep
    /// there until it gets SIGCONT. `… then …` is one plan beside the other: each counts its own passes.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, BadPlan> {
        // A process may always signal itself.
        let signal = |signal: Signal| {
            move || {
                let _sent = kill(Pid::this(), signal);
            }
        };
        let plan = |plan: &str| {
            if let Some(plan) = plan.strip_prefix("interrupt ") {
                return Plan::parse(plan, Box::new(signal(Signal::SIGINT)));
            }
            if let Some(plan) = plan.strip_prefix("pause ") {
                return Plan::parse(plan, Box::new(signal(Signal::SIGSTOP)));
            }
            Plan::parse(plan, Box::new(|| std::process::abort()))
        };
        let plans = text.split(" then ").map(plan).collect::<Result<Vec<Plan>, BadPlan>>()?;
        Ok(Self { plans: Some(plans.into()) })
    }

    /// Reads a plan that calls `stop` instead of aborting; for tests inside one process.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse_with(plan: &str, stop: impl Fn() + Send + Sync + 'static) -> Result<Self, BadPlan> {
        Ok(Self { plans: Some(Arc::new([Plan::parse(plan, Box::new(stop))?])) })
    }

    /// Passes a point; stops here when the plan says so.
    pub fn pass(&self, point: &str, moment: Moment) {
        let Some(plans) = &self.plans else { return };
        tracing::trace!(target: "crash_point", "{moment} {point}");
        for plan in plans.iter().filter(|plan| plan.point == point && plan.moment == moment) {
            if plan.countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
                (plan.stop)();
            }
        }
    }

    /// Runs a durable effect between its two points. An effect that failed has no point after it.
    ///
    /// # Errors
    /// The effect's.
    pub async fn around<T, E>(&self, point: &str, effect: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.pass(point, Moment::Before);
        let value = effect.await?;
        self.pass(point, Moment::After);
        Ok(value)
    }

    /// As [`CrashPoints::around`], for an effect that is done when it returns.
    ///
    /// # Errors
    /// The effect's.
    pub fn around_now<T, E>(&self, point: &str, effect: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.pass(point, Moment::Before);
        let value = effect()?;
        self.pass(point, Moment::After);
        Ok(value)
    }

    /// Returns a function for other crates' points, told `before NAME` or `after NAME`; `None` when off.
    pub fn hook(&self) -> Option<impl Fn(&str) -> bool + Send + Sync + 'static> {
        self.plans.as_ref()?;
        let points = self.clone();
        Some(move |passed: &str| {
            match passed.split_once(' ') {
                Some(("before", point)) => points.pass(point, Moment::Before),
                Some(("after", point)) => points.pass(point, Moment::After),
                _ => {}
            }
            true
        })
    }
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plans {
            Some(plans) => f.debug_list().entries(plans.iter().map(|plan| (&plan.point, plan.moment))).finish(),
            None => f.write_str("CrashPoints(off)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(plan: &str, passes: &[(&str, Moment)]) -> Vec<usize> {
        let stopped = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&stopped);
        let points = CrashPoints::parse_with(plan, move || {
            seen.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
        let mut found = Vec::new();
        for (index, (point, moment)) in passes.iter().enumerate() {
            let before = stopped.load(Ordering::SeqCst);
            points.pass(point, *moment);
            if stopped.load(Ordering::SeqCst) > before {
                found.push(index);
            }
        }
        found
    }

    #[test]
    fn stops_once_at_the_nth_pass() {
        use Moment::{After, Before};
        let passes = [
            ("run: tick", Before),
            ("run: tick", After),
            ("run: tick", Before),
            ("run: tick", After),
            ("run: tick", After),
        ];
        assert_eq!(stops("run: tick:before", &passes), [0]);
        assert_eq!(stops("run: tick:after:2", &passes), [3]);
        assert_eq!(stops("other:after", &passes), Vec::<usize>::new());
    }

    #[test]
    fn refuses_other_forms() {
        for plan in ["", "x", "x:during", "x:after:0", ":after"] {
            assert_eq!(CrashPoints::parse(plan).unwrap_err(), BadPlan(plan.to_owned()));
        }
        assert!(CrashPoints::parse("pause x:after then y:before:2").is_ok());
        assert_eq!(CrashPoints::parse("x:after then y").unwrap_err(), BadPlan("y".to_owned()));
    }
}
