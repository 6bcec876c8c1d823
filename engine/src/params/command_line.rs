//! `-p name=value`: parameters from the command line.
//!
//! A value is always text. Dots in the name make mappings: `-p db.host=x` gives `{db: {host: x}}`. One `-p` sets one
//! parameter, and everything after its first `=` is the value.
//!
//! DIFFERENCE(digdag): Digdag cuts a value at every comma that is followed by `name=`, so that `-p query=a,b=c` sets two
//! parameters; here a comma is text like any other.

use serde_json::Value;

use super::Params;

/// Why a `-p` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// There is no `=`.
    #[error("expected `-p NAME=VALUE`, found `-p {0}`")]
    NoValue(String),
    /// The name is empty, or a part of it between dots is.
    #[error("expected a name before the `=`, found `-p {0}`")]
    NoName(String),
    /// One `-p` makes a mapping of what another makes a text.
    #[error("`{0}` cannot be both a text and a mapping")]
    Clash(String),
}

/// Reads the arguments of all `-p`, in order; the later of two equal names wins.
///
/// # Errors
/// When an argument is not `NAME=VALUE`, or when two of them contradict each other.
pub fn parse<S: AsRef<str>>(arguments: &[S]) -> Result<Params, CommandLineError> {
    let mut params = Params::new();
    for argument in arguments {
        let argument = argument.as_ref();
        let (name, value) = argument.split_once('=').ok_or_else(|| CommandLineError::NoValue(argument.to_owned()))?;
        let keys: Vec<&str> = name.trim().split('.').collect();
        let Some((last, above)) = keys.split_last() else {
            return Err(CommandLineError::NoName(argument.to_owned()));
        };
        if keys.iter().any(|key| key.is_empty()) {
            return Err(CommandLineError::NoName(argument.to_owned()));
        }
        let clash = || CommandLineError::Clash(name.trim().to_owned());
        let mut map = &mut params;
        for key in above {
            let below = map.entry(*key).or_insert_with(|| Value::Object(Params::new()));
            map = below.as_object_mut().ok_or_else(clash)?;
        }
        if map.insert((*last).to_owned(), Value::String(value.to_owned())).is_some_and(|old| old.is_object()) {
            return Err(clash());
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_text_and_dots_nest() {
        // Recorded case 69.
        let params = parse(&["a=5", "b=true", "c=[1,2]", "d=", "n.x=nested", "n.y=u=v", "q=a,b=c"]);
        let expected =
            json!({"a": "5", "b": "true", "c": "[1,2]", "d": "", "n": {"x": "nested", "y": "u=v"}, "q": "a,b=c"});
        assert_eq!(params.map(Value::Object), Ok(expected));
    }

    #[test]
    fn the_later_wins() {
        assert_eq!(parse(&["a=1", "a=2"]).map(Value::Object), Ok(json!({"a": "2"})));
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        let text = |arguments: &[&str]| parse(arguments).map_err(|error| error.to_string());
        assert_eq!(text(&["a"]), Err("expected `-p NAME=VALUE`, found `-p a`".into()));
        assert_eq!(text(&["=a"]), Err("expected a name before the `=`, found `-p =a`".into()));
        assert_eq!(text(&["a..b=1"]), Err("expected a name before the `=`, found `-p a..b=1`".into()));
        assert_eq!(text(&["a=1", "a.b=1"]), Err("`a.b` cannot be both a text and a mapping".into()));
        assert_eq!(text(&["a.b=1", "a=1"]), Err("`a` cannot be both a text and a mapping".into()));
    }
}
