//! Which catalog it is: what servers that several lakes use are told of one.

use std::fmt;

/// Which catalog it is. Two are the same when their ids are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogIdentity {
    /// What no other catalog has: without spaces.
    pub id: String,
    /// Where the catalog was when it got its id, for people: it may have been moved since. None where the id says it all.
    pub made_in: Option<String>,
}

impl CatalogIdentity {
    /// Tells whether a text that was made of an identity is of this catalog.
    pub fn is(&self, text: &str) -> bool {
        text.split(' ').next() == Some(self.id.as_str())
    }
}

/// Writes the id, and the place behind it: `1b2d… (/srv/shop/.suiro)`.
impl fmt::Display for CatalogIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.made_in.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_its_id_wherever_it_was_made() {
        let of = |id: &str, place: Option<&str>| CatalogIdentity {
            id: id.to_owned(),
            made_in: place.map(ToOwned::to_owned),
        };
        let own = of("1b2d", Some("/srv/a b"));
        assert_eq!(own.to_string(), "1b2d (/srv/a b)");
        for (text, expected) in [
            ("1b2d (/srv/a b)", true),
            ("1b2d (/moved)", true),
            ("1b2d", true),
            ("1b2", false),
            ("1b2d4 (/srv/a b)", false),
            ("", false),
        ] {
            assert_eq!(own.is(text), expected, "{text}");
        }
        assert!(own.is(&of("1b2d", None).to_string()));
    }
}
