//! What a script may ask of the host: offsets of time zones, nothing else.

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rquickjs::{Ctx, Function, Object};

use super::milliseconds;

/// The host's side of the prelude. An empty zone name means the workflow's zone.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    zone: Rc<RefCell<TimeZone>>,
}

impl Default for Host {
    fn default() -> Self {
        Self { zone: Rc::new(RefCell::new(TimeZone::UTC)) }
    }
}

impl Host {
    /// Sets the workflow's zone for the runs that follow.
    pub(crate) fn set_zone(&self, zone: TimeZone) {
        *self.zone.borrow_mut() = zone;
    }

    /// Makes the object of functions that the prelude gets.
    pub(crate) fn functions<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
        let functions = Object::new(ctx.clone())?;
        let host = self.clone();
        // offset(zone, epoch milliseconds): milliseconds east of UTC.
        functions.set("offset", Function::new(ctx.clone(), move |zone: String, at: f64| host.offset(&zone, at))?)?;
        let host = self.clone();
        // instant(zone, milliseconds of the wall clock as if it were UTC): epoch milliseconds.
        functions
            .set("instant", Function::new(ctx.clone(), move |zone: String, wall: f64| host.instant(&zone, wall))?)?;
        let host = self.clone();
        // abbreviation(zone, epoch milliseconds): `JST`.
        functions.set(
            "abbreviation",
            Function::new(ctx.clone(), move |zone: String, at: f64| host.abbreviation(&zone, at))?,
        )?;
        let host = self.clone();
        functions.set("knows", Function::new(ctx.clone(), move |zone: String| host.zone(&zone).is_some())?)?;
        Ok(functions)
    }

    fn zone(&self, name: &str) -> Option<TimeZone> {
        if name.is_empty() { Some(self.zone.borrow().clone()) } else { TimeZone::get(name).ok() }
    }

    fn offset(&self, zone: &str, at: f64) -> f64 {
        match (self.zone(zone), timestamp(at)) {
            (Some(zone), Some(at)) => f64::from(zone.to_offset(at).seconds()) * 1000.0,
            _ => f64::NAN,
        }
    }

    /// A time that does not exist moves forward by the gap; of a time that exists twice the first is taken, as in ECMA-262.
    fn instant(&self, zone: &str, wall: f64) -> f64 {
        let found = self.zone(zone).and_then(|zone| {
            let wall: DateTime = TimeZone::UTC.to_datetime(timestamp(wall)?);
            zone.to_ambiguous_timestamp(wall).compatible().ok()
        });
        found.map_or(f64::NAN, |at| milliseconds(at.as_millisecond()))
    }

    fn abbreviation(&self, zone: &str, at: f64) -> String {
        match (self.zone(zone), timestamp(at)) {
            (Some(zone), Some(at)) => zone.to_offset_info(at).abbreviation().to_owned(),
            _ => String::new(),
        }
    }
}

/// Reads a number of JavaScript as an instant; none when it is not one that jiff has (years -9999 to 9999).
fn timestamp(at: f64) -> Option<Timestamp> {
    /// What `Date` itself can hold, in milliseconds either side of the epoch.
    const LIMIT: f64 = 8.64e15;
    if !(-LIMIT..=LIMIT).contains(&at) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked; a part of a millisecond is dropped as `Date` does"
    )]
    let milliseconds = at as i64;
    Timestamp::from_millisecond(milliseconds).ok()
}
