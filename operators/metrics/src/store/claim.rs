//! Claims: a place in a server says itself which tier's points it holds, and of which lake. Two addresses may be one server however
//! they are written, and two projects know nothing of each other; what stands in the place is the same for all of them.
//!
//! A claim that an earlier version made names no lake. Whoever has the names of its tier and table is taken for its owner, and the
//! first who writes adds his lake to it.

use lake::catalog::CatalogIdentity;
use lake::{Error, ErrorKind};

use crate::tiers::TierName;

/// What a claim is made or looked for.
pub(crate) const CLAIM: &str = "claim a tier's place";

/// Whose points a place holds: a tier of a lake. Two machines that use one tier are one owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tier's name.
    pub tier: TierName,
    /// The table in which its points are archived; empty for none, which is any.
    pub table: String,
    /// The catalog in which its tables are. None of one that has no id yet, and so has claimed nothing: it can only look.
    pub lake: Option<CatalogIdentity>,
}

/// What is done about a place that nobody has claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claiming {
    /// It stays so.
    Look,
    /// It is the owner's from now on.
    Take,
}

/// What stands in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The tier and the table: [`Owner::name`].
    pub(crate) name: String,
    /// The lake; none in a claim of an earlier version.
    pub(crate) lake: Option<String>,
}

/// What stands between the tier and the table where an owner is kept as a text.
const OF: &str = " of ";

impl Owner {
    /// Returns the tier and the table, as they are kept.
    pub(crate) fn name(&self) -> String {
        let tier = self.tier.as_str();
        if self.table.is_empty() { tier.to_owned() } else { format!("{tier}{OF}{}", self.table) }
    }

    /// Tells whether a claim that was kept is this owner's.
    pub(crate) fn has(&self, kept: &Claim) -> bool {
        let (tier, table) = kept.name.split_once(OF).unwrap_or((&kept.name, ""));
        let is_table = table == self.table || table.is_empty() || self.table.is_empty();
        tier == self.tier.as_str() && is_table && !self.is_of_other_lake(kept)
    }

    fn is_of_other_lake(&self, kept: &Claim) -> bool {
        let is_ours = |lake: &String| self.lake.as_ref().is_some_and(|own| own.is(lake));
        kept.lake.as_ref().is_some_and(|lake| !is_ours(lake))
    }
}

/// What is said of a place that is another owner's.
pub(crate) struct Place<'a> {
    /// What both have in common.
    pub(crate) shared: String,
    /// How both get places of their own.
    pub(crate) apart: String,
    /// How the claim is taken away.
    pub(crate) remove: &'a str,
}

/// Makes the error of a place that is another owner's.
pub(crate) fn claimed(owner: &Owner, kept: &Claim, place: &Place<'_>) -> Error {
    let Place { shared, apart, remove } = place;
    let is_other_lake = owner.is_of_other_lake(kept);
    let (own, name) = (owner.name(), kept.name.escape_debug());
    let of_lake = |lake: Option<String>| match lake {
        Some(lake) if is_other_lake => format!(" in the lake {lake}"),
        None if is_other_lake => " in this lake".to_owned(),
        _ => String::new(),
    };
    let (in_own, in_other) = (
        of_lake(owner.lake.as_ref().map(ToString::to_string)),
        of_lake(kept.lake.as_ref().map(|lake| lake.escape_debug().to_string())),
    );
    let message = format!(
        "expected a place of its own for the points of the tier `{own}`{in_own}, found one that the tier `{name}`{in_other} \
         has: {shared}. Each would take the other's points for its own, and delete them"
    );
    let ours = if is_other_lake {
        "when the points are this lake's, whose catalog was made anew or is another one now".to_owned()
    } else {
        format!("when the points are this tier's, which was called `{name}` before")
    };
    Error::new(ErrorKind::InvalidInput, CLAIM, message)
        .help(format!("{apart}; {ours}: stop whatever uses them, and remove the claim (`{remove}`)"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The lake with an id.
    pub(crate) fn lake(id: &str) -> CatalogIdentity {
        CatalogIdentity { id: id.to_owned(), made_in: Some(format!("/srv/{id}")) }
    }

    #[test]
    fn an_owner_is_a_tier_of_a_table_of_a_lake_as_far_as_they_are_known() {
        let owner = |table: &str, id: Option<&str>| Owner {
            tier: TierName::new("hot").unwrap(),
            table: table.to_owned(),
            lake: id.map(lake),
        };
        assert_eq!(owner("m.a", None).name(), "hot of m.a");
        assert_eq!(owner("", Some("1")).name(), "hot");
        for (name, by_table, by_none) in [
            ("hot of m.a", true, true),
            ("hot", true, true),
            ("hot of m.b", false, true),
            ("warm of m.a", false, false),
            ("hot_2", false, false),
            ("", false, false),
        ] {
            let kept = |id: Option<&str>| Claim {
                name: name.to_owned(),
                lake: id.map(|id| CatalogIdentity { made_in: None, ..lake(id) }.to_string()),
            };
            let has = |kept: &Claim, id: Option<&str>| (owner("m.a", id).has(kept), owner("", id).has(kept));
            for own in [None, Some("1")] {
                assert_eq!(has(&kept(None), own), (by_table, by_none), "{name}");
            }
            assert_eq!(has(&kept(Some("1")), Some("1")), (by_table, by_none), "{name}");
            // A lake that has no id has claimed nothing.
            for own in [None, Some("2")] {
                assert_eq!(has(&kept(Some("1")), own), (false, false), "{name}");
            }
        }
    }
}
