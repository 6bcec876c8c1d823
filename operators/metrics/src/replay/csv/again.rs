//! What a second reading of a file finds: the lines of times that are not in order, and of a time that somebody asks for.

use std::collections::BTreeMap;
use std::io::BufRead;

use lake::Result;

use super::{Disorder, Place, Reader};
use crate::point::same_value;

impl<R: BufRead> Reader<R> {
    /// Names rows out of order that have the time of a row above them, too. Only a second reading of the same file finds that
    /// one without keeping all of its times.
    ///
    /// # Errors
    /// As [`Reader::next_rows`].
    pub fn name_repeats<S: BufRead>(&mut self, mut again: Reader<S>) -> Result<()> {
        // By their times: the line that had it first, and the last value.
        let mut stood: BTreeMap<i64, (u64, f64)> = BTreeMap::new();
        let mut latest_ms = i64::MIN;
        let mut repeats: Vec<Place> = Vec::new();
        while let Some((line, time_ms, value)) = again.next_row()? {
            let is_in_order = time_ms >= latest_ms;
            latest_ms = latest_ms.max(time_ms);
            if !self.earlier.contains(&time_ms) {
                continue;
            }
            let Some((of_line, before)) = stood.get_mut(&time_ms) else {
                stood.insert(time_ms, (line, value));
                continue;
            };
            let new = u64::from(!same_value(*before, value));
            *before = value;
            if is_in_order {
                continue;
            }
            let last = repeats.last_mut().filter(|place| place.last_line + 1 == line);
            match last {
                Some(Place { last_line, what: Disorder::Repeats { time_ms: of, changed, .. }, .. })
                    if *of == time_ms =>
                {
                    (*last_line, *changed) = (line, *changed + new);
                }
                _ => {
                    let what = Disorder::Repeats { time_ms, of_line: *of_line, changed: new };
                    repeats.push(Place { first_line: line, last_line: line, what });
                }
            }
        }
        self.places.extend(repeats);
        self.places.sort_by_key(|place| place.first_line);
        Ok(())
    }

    /// Returns the first line behind those that were read which has a point; none when there is no such line.
    ///
    /// # Errors
    /// As [`Reader::next_rows`].
    pub fn line_of(&mut self, time_ms: i64, value: f64) -> Result<Option<u64>> {
        while let Some((line, found_ms, found)) = self.next_row()? {
            if found_ms == time_ms && same_value(found, value) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}
