//! What is said of windows whose partition is not the one that the tiers' ledger knows, and what to run.

use metrics::{Astray, TierKind, Tiers, WindowKind, WindowStatus};

/// What a redo means to the tier.
pub(crate) const AFTER_REDO: &str =
    "it is a window of a metric tier: when its ledger knows that version, both agree again (`suiro metrics status`)";

/// How many windows are named.
const NAMED: usize = 3;

/// Says what an undo means to the tier whose window the partition is.
pub(crate) fn after_undo(table: &str, partition: &str, kind: WindowKind) -> String {
    format!(
        "it is a window of a metric tier: its ledger still knows the version that was undone, and `suiro metrics read` reads that until \
         its retention is over. {}",
        ways_on(table, partition, kind, None)
    )
}

/// Says how the tier and the catalog agree again; `is_last` tells, where it is known, whether a roll-up cannot be made again.
fn ways_on(table: &str, partition: &str, kind: WindowKind, is_last: Option<bool>) -> String {
    let keep = match (kind, is_last) {
        (WindowKind::Points, _) => {
            "to keep what the catalog points to: `metrics.dump>` with its time as `window` and `on_damage: replace`"
        }
        (WindowKind::Buckets, Some(false)) => {
            "to make it again of the finer tier: drop the partition (`athena.drop_partition>`), then `metrics.rollup>`"
        }
        (WindowKind::Buckets, Some(true)) => {
            "it cannot be made again, as the finer tier has given up what it is made of: do not drop the partition"
        }
        (WindowKind::Buckets, None) => {
            "to make it again of the finer tier, as long as that has all of what it is made of: drop the partition \
             (`athena.drop_partition>`), then `metrics.rollup>`"
        }
    };
    format!("To go forward again: `suiro partition redo {table} {partition}`; {keep}")
}

/// Says of windows what it means that the catalog points to something else, a line each; of many, of the first ones.
pub(super) fn notes(windows: &[WindowStatus], tiers: &Tiers) -> Vec<String> {
    let astray: Vec<_> = windows.iter().filter_map(|status| Some((status, status.astray.as_ref()?))).collect();
    let mut notes: Vec<String> =
        astray.iter().take(NAMED).map(|(status, astray)| note(status, astray, tiers)).collect();
    if astray.len() > NAMED {
        notes.push(format!("so it is with {} more", astray.len() - NAMED));
    }
    notes
}

fn note(status: &WindowStatus, astray: &Astray, tiers: &Tiers) -> String {
    let (name, label) = (&status.tier, status.window.label());
    let is_points = tiers.archive().is_some_and(|archive| archive.name == *name);
    let kind = if is_points { WindowKind::Points } else { WindowKind::Buckets };
    match astray {
        Astray::Gone => {
            let again = match kind {
                WindowKind::Points => {
                    "the next `metrics.dump>` writes it again when the store still holds all of it, else with its time as `window` and \
                     `on_damage: replace` what is left"
                        .to_owned()
                }
                WindowKind::Buckets if status.is_last => {
                    let location = status.location.as_ref().map(ToString::to_string).unwrap_or_default();
                    format!(
                        "it cannot be made again, as the finer tier has given up what it is made of; `athena.add_partition>` with \
                         `location: {location}` brings it back while its objects are there"
                    )
                }
                WindowKind::Buckets => "the next `metrics.rollup>` makes it again".to_owned(),
            };
            format!("{name} {label}: the catalog has no partition of it any more; {again}")
        }
        Astray::Elsewhere(location) => {
            let (table, partition) = place_of(status, tiers);
            let ways_on = ways_on(&table, &partition, kind, Some(status.is_last));
            format!(
                "{name} {label}: the catalog points to `{location}`, as after an undo, and SQL reads that. {ways_on}"
            )
        }
    }
}

/// Returns the table and the partition of a window, as users write them.
fn place_of(status: &WindowStatus, tiers: &Tiers) -> (String, String) {
    let tier = tiers.all().iter().find(|tier| tier.name == status.tier);
    let table = tier.and_then(|tier| match &tier.kind {
        TierKind::Archive { table, .. } => Some(table.to_string()),
        TierKind::Store { .. } => None,
    });
    let step = tier.map_or_else(String::new, |tier| tier.step.to_string());
    let window = status.window;
    (table.unwrap_or_default(), format!("step={step}/{}={}", window.unit().key(), window.label()))
}
