//! Random calls, against a map.

use std::collections::BTreeMap;

use super::{batch, everything};
use crate::duplicate::DuplicateRule;
use crate::point::{Merged, canonical, same_value};
use crate::store::PointStore;

/// How many calls are made.
const CALLS: usize = 120;

/// Numbers by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

type Model = BTreeMap<(&'static str, i64), f64>;

pub(super) async fn behaves_like_a_map(store: &impl PointStore) {
    let seed = u64::from(getrandom::u32().unwrap()) | 1;
    println!("seed {seed}");
    let mut chance = Chance(seed);
    let mut model = Model::new();
    for call in 0..CALLS {
        let points = points(&mut chance);
        let written = || {
            let mut series: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
            for ((name, time_ms), value) in &points {
                series.entry(name).or_default().push((*time_ms, *value));
            }
            batch(series)
        };
        match chance.below(4) {
            0 => {
                let expected = delete(&mut model, &points);
                assert_eq!(store.delete_exact(&written()).await.unwrap(), expected, "call {call} of seed {seed}");
            }
            number => {
                let rule = if number == 1 { DuplicateRule::Max } else { DuplicateRule::Last };
                let expected = write(&mut model, &points, rule);
                assert_eq!(store.write(&written(), rule).await.unwrap(), expected, "call {call} of seed {seed}");
            }
        }
        if call % 10 == 9 {
            let mut series: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
            for ((name, time_ms), value) in &model {
                series.entry(name).or_default().push((*time_ms, *value));
            }
            assert_eq!(everything(store).await, batch(series), "after call {call} of seed {seed}");
        }
    }
}

fn points(chance: &mut Chance) -> Model {
    let names = ["a", "b:{c}", "é"];
    let values = [0.0, 1.0, -1.5, f64::NAN, f64::INFINITY];
    (0..=chance.below(12))
        .map(|_| {
            let name = names[usize::try_from(chance.below(3)).unwrap()];
            // Around the border of an hour and of a day.
            let time_ms = 86_400_000 - 600_000 + i64::try_from(chance.below(20)).unwrap() * 60_000;
            ((name, time_ms), values[usize::try_from(chance.below(5)).unwrap()])
        })
        .collect()
}

fn write(model: &mut Model, points: &Model, rule: DuplicateRule) -> Merged {
    let mut merged = Merged::default();
    for (key, value) in points {
        let value = canonical(*value);
        let Some(stands) = model.get_mut(key) else {
            model.insert(*key, value);
            merged.added += 1;
            continue;
        };
        if same_value(*stands, value) {
            merged.same += 1;
            continue;
        }
        merged.changed += 1;
        if rule == DuplicateRule::Last || stands.is_nan() || value > *stands {
            *stands = value;
        }
    }
    merged
}

fn delete(model: &mut Model, points: &Model) -> u64 {
    let before = model.len();
    model.retain(|key, stands| !points.get(key).is_some_and(|value| same_value(canonical(*value), *stands)));
    u64::try_from(before - model.len()).unwrap()
}
