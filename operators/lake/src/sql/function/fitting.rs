//! Texts that go into a column by INSERT: a longer one is an error, as Trino has it, where a written CAST cuts it.

use super::kernel::{Evaluated, bad_cast, bigint, each, form, text};
use super::{Argument, Call, Function};

/// The name: no text of a user says it but in quotes.
pub const NAME: &str = "$fit";

/// The family: a text, how many characters fit, and what to say of one that has more. Blanks at the end may go.
pub(super) static FAMILY: &[Function] =
    &[Function { name: NAME, overloads: &[form("(varchar, bigint, varchar) -> varchar", fit)] }];

fn fit(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let (length, message) = (bigint(arguments, 1)?, text(arguments, 2)?);
    each(call, (text(arguments, 0)?, length, message)).text(|(text, length, message), out| {
        let trimmed = text.trim_end_matches(' ').chars().count();
        if i64::try_from(trimmed).is_ok_and(|trimmed| trimmed <= length) {
            out.push_str(text);
            return Ok(());
        }
        Err(bad_cast(message))
    })
}
