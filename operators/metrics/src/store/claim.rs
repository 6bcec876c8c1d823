//! Claims: a place in a server says itself which tier's points it holds. Two addresses may be one server however they are
//! written, and two projects know nothing of each other; what stands in the place is the same for all of them.

use std::fmt;

use lake::{Error, ErrorKind};

use crate::tiers::TierName;

/// What a claim is made or looked for.
pub(crate) const CLAIM: &str = "claim a tier's place";

/// Whose points a place holds: a tier of any project. Two machines that use one tier are one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tier's name.
    pub tier: TierName,
    /// The table in which its points are archived; empty for none, which is any.
    pub table: String,
}

/// What is done about a place that nobody has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claiming {
    /// It stays so.
    Look,
    /// It is the owner's from now on.
    Take,
}

/// What stands between the tier and the table where an owner is kept as a text.
const OF: &str = " of ";

impl Owner {
    /// Tells whether a claim that was kept is this owner's.
    pub(crate) fn has(&self, kept: &str) -> bool {
        let (tier, table) = kept.split_once(OF).unwrap_or((kept, ""));
        tier == self.tier.as_str() && (table == self.table || table.is_empty() || self.table.is_empty())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tier.as_str())?;
        if self.table.is_empty() { Ok(()) } else { write!(f, "{OF}{}", self.table) }
    }
}

/// Makes the error of a place that is another owner's; `place` says what they have in common, `apart` how both get places of
/// their own, and `remove` how the claim is taken away.
pub(crate) fn claimed(owner: &Owner, kept: &str, place: &str, apart: &str, remove: &str) -> Error {
    let kept = kept.escape_debug();
    let message = format!(
        "expected a place of its own for the points of the tier `{owner}`, found one that the tier `{kept}` has: {place}. Each \
         would take the other's points for its own, and delete them"
    );
    Error::new(ErrorKind::InvalidInput, CLAIM, message).help(format!(
        "{apart}; when the points are this tier's, which was called `{kept}` before: stop whatever uses them, and remove the claim \
         (`{remove}`)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_tier_of_a_table_where_that_is_known() {
        let owner = |table: &str| Owner { tier: TierName::new("hot").unwrap(), table: table.to_owned() };
        assert_eq!(owner("m.a").to_string(), "hot of m.a");
        assert_eq!(owner("").to_string(), "hot");
        for (kept, by_table, by_none) in [
            ("hot of m.a", true, true),
            ("hot", true, true),
            ("hot of m.b", false, true),
            ("warm of m.a", false, false),
            ("hot_2", false, false),
            ("", false, false),
        ] {
            assert_eq!((owner("m.a").has(kept), owner("").has(kept)), (by_table, by_none), "{kept}");
        }
    }
}
