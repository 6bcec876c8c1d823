//! Secrets: written as `${secret:name}`, looked up where they are used, and shown nowhere.
//!
//! A `${secret:name}` is text to templates: it is the same in every parameter, plan, state and log. Whoever needs the secret
//! itself (a store that logs in) calls [`Secrets::resolve`] as late as it can and keeps the result nowhere. As a second
//! measure the engine puts the reference back in place of every secret that was looked up ([`Secrets::redact`]), in all that a
//! task logs, stores, reports and fails with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

/// How a reference begins.
const OPEN: &str = "${secret:";

/// Shorter secrets are not looked for in texts: `a` would be found in each of them, and protects nothing.
const SHORTEST_REDACTED: usize = 4;

/// Where secrets are kept.
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the secret of a name; none when it is not set.
    fn secret(&self, name: &str) -> Option<String>;

    /// Says how it is set: `set the environment variable …`.
    fn help(&self, name: &str) -> String;
}

/// Looks secrets up, and remembers which, so that they are shown nowhere. Cheap to clone; clones remember together.
#[derive(Clone)]
pub struct Secrets {
    source: Arc<dyn SecretSource>,
    /// What was looked up, in every form in which a message may hold it, with the reference to put in its place.
    revealed: Arc<RwLock<BTreeMap<String, String>>>,
}

/// A text with its secrets in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(String);

impl Revealed {
    /// Returns the text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(…)")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Why a reference gives no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It is written wrongly.
    #[error("expected a secret such as `${{secret:redis}}`, found `{found}`")]
    Malformed {
        /// What is there, from its `${`.
        found: String,
    },
    /// It is not set.
    #[error("the secret `{name}` is not set")]
    Missing {
        /// Its name.
        name: String,
        /// How it is set.
        help: String,
    },
}

impl SecretError {
    /// Says what to do.
    pub fn help(&self) -> String {
        match self {
            Self::Malformed { .. } => {
                "a name has letters, digits, `_`, `-` and `.`, and begins with a letter".to_owned()
            }
            Self::Missing { help, .. } => help.clone(),
        }
    }
}

impl Secrets {
    /// Looks secrets up in a place.
    pub fn new(source: Arc<dyn SecretSource>) -> Self {
        Self { source, revealed: Arc::default() }
    }

    /// Knows no secret.
    pub fn none() -> Self {
        Self::new(Arc::new(NoSecrets))
    }

    /// Puts the secrets in place of the references `${secret:name}` of a text; everything else stays as it is.
    ///
    /// # Errors
    /// The first reference that is written wrongly, or whose secret is not set.
    pub fn resolve(&self, text: &str) -> Result<Revealed, SecretError> {
        let mut revealed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(OPEN) {
            revealed.push_str(&rest[..start]);
            let reference = &rest[start..];
            let (name, after) = read_reference(reference)?;
            revealed.push_str(&self.look_up(name)?);
            rest = after;
        }
        revealed.push_str(rest);
        Ok(Revealed(revealed))
    }

    fn look_up(&self, name: &str) -> Result<String, SecretError> {
        let secret = self
            .source
            .secret(name)
            .ok_or_else(|| SecretError::Missing { name: name.to_owned(), help: self.source.help(name) })?;
        let mut known = self.revealed.write().unwrap_or_else(PoisonError::into_inner);
        let forms = [secret.clone(), secret.escape_debug().to_string(), percent_decoded(&secret)];
        for form in forms.into_iter().filter(|form| form.len() >= SHORTEST_REDACTED) {
            known.insert(form, format!("{OPEN}{name}}}"));
        }
        Ok(secret)
    }

    /// Puts the references back in place of the secrets that were looked up.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = self.revealed.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = Cow::Borrowed(text);
        // The longest first: one secret may be a part of another.
        let mut found: Vec<_> = known.iter().filter(|(secret, _)| text.contains(secret.as_str())).collect();
        found.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        for (secret, reference) in found {
            text = Cow::Owned(text.replace(secret, reference));
        }
        text
    }

    /// Redacts the texts and keys of a value.
    pub fn redact_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => self.redact_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(map) => self.redact_params(map),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Redacts the texts and keys of a mapping.
    pub(crate) fn redact_params(&self, map: &mut crate::params::Params) {
        if self.is_empty() {
            return;
        }
        for (mut key, mut value) in std::mem::take(map) {
            self.redact_text(&mut key);
            self.redact_value(&mut value);
            map.insert(key, value);
        }
    }

    /// Redacts a text in its place.
    pub(crate) fn redact_text(&self, text: &mut String) {
        if let Cow::Owned(redacted) = self.redact(text) {
            *text = redacted;
        }
    }

    /// Tells whether no secret was looked up yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.revealed.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Reads the reference that a text begins with: its name, and what follows it.
fn read_reference(text: &str) -> Result<(&str, &str), SecretError> {
    let name = text[OPEN.len()..].split('}').next().unwrap_or_default();
    match text.get(OPEN.len() + name.len() + 1..) {
        Some(after) if is_name(name) => Ok((name, after)),
        _ => Err(SecretError::Malformed { found: text.chars().take(OPEN.len() + 40).collect() }),
    }
}

/// Returns what is wrong with the first reference of a text that is no name of a secret, wherever secrets are kept.
pub fn wrong_reference(text: &str) -> Option<SecretError> {
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        match read_reference(&rest[start..]) {
            Ok((_, after)) => rest = after,
            Err(error) => return Some(error),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A password stands encoded in a URI, and a server's message may name it decoded.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Keeps no secrets.
#[derive(Debug)]
struct NoSecrets;

impl SecretSource for NoSecrets {
    fn secret(&self, _name: &str) -> Option<String> {
        None
    }

    fn help(&self, _name: &str) -> String {
        "no secrets can be set here".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_is_wrong_by_itself() {
        for right in ["", "a ${b} c", "redis://:${secret:redis}@h", "${secret:a}${secret:b.c-d_2}"] {
            assert_eq!(wrong_reference(right), None);
        }
        for (text, found) in [("${secret:a} ${secret:Re dis}", "${secret:Re dis}"), ("x${secret:a", "${secret:a")] {
            assert_eq!(wrong_reference(text), Some(SecretError::Malformed { found: found.to_owned() }));
        }
    }

    #[derive(Debug)]
    struct Fixed;

    impl SecretSource for Fixed {
        fn secret(&self, name: &str) -> Option<String> {
            let secret = match name {
                "redis" => "hunter2",
                "db.password" => "p%40ss\"word",
                "long" => "hunter2-and-more",
                "short" => "abc",
                "nested" => "${secret:redis}",
                _ => return None,
            };
            Some(secret.to_owned())
        }

        fn help(&self, name: &str) -> String {
            format!("set {name}")
        }
    }

    fn secrets() -> Secrets {
        Secrets::new(Arc::new(Fixed))
    }

    #[test]
    fn references_give_their_secrets() {
        let table = [
            ("", ""),
            ("plain ${x} $$ ${", "plain ${x} $$ ${"),
            ("redis://:${secret:redis}@h/${y}", "redis://:hunter2@h/${y}"),
            ("${secret:redis}${secret:db.password}", "hunter2p%40ss\"word"),
            // A secret is data: nothing in it is looked up.
            ("${secret:nested}", "${secret:redis}"),
        ];
        for (text, expected) in table {
            assert_eq!(secrets().resolve(text).unwrap().reveal(), expected, "{text}");
        }
    }

    #[test]
    fn wrong_and_missing_references_say_what_to_do() {
        for (text, found) in [
            ("a ${secret:}", "${secret:}"),
            ("${secret:1}", "${secret:1}"),
            ("${secret:a b}", "${secret:a b}"),
            ("${secret:redis", "${secret:redis"),
            ("${secret: redis}", "${secret: redis}"),
        ] {
            let error = secrets().resolve(text).unwrap_err();
            assert_eq!(error.to_string(), format!("expected a secret such as `${{secret:redis}}`, found `{found}`"));
        }
        let error = secrets().resolve("${secret:other}").unwrap_err();
        assert_eq!(
            (error.to_string(), error.help()),
            ("the secret `other` is not set".to_owned(), "set other".to_owned())
        );
        assert_eq!(
            Secrets::none().resolve("${secret:redis}").unwrap_err().to_string(),
            "the secret `redis` is not set"
        );
    }

    #[test]
    fn what_was_looked_up_is_put_back() {
        let secrets = secrets();
        assert_eq!(secrets.redact("hunter2"), "hunter2", "nobody has looked it up");
        for text in ["${secret:redis} ${secret:long}", "${secret:db.password} ${secret:short}"] {
            secrets.resolve(text).unwrap();
        }
        let table = [
            ("nothing", "nothing"),
            ("hunter2", "${secret:redis}"),
            ("a hunter2-and-more b hunter2", "a ${secret:long} b ${secret:redis}"),
            ("p%40ss\"word", "${secret:db.password}"),
            ("p%40ss\\\"word", "${secret:db.password}"),
            ("p@ss\"word", "${secret:db.password}"),
            ("abc", "abc"),
        ];
        for (text, expected) in table {
            assert_eq!(secrets.redact(text), expected);
            assert_eq!(secrets.clone().redact(text), expected);
        }
        let mut value = json!({"hunter2": ["x hunter2", 1, {"a": "hunter2"}], "b": null});
        secrets.redact_value(&mut value);
        let reference = "${secret:redis}";
        assert_eq!(value, json!({reference: [format!("x {reference}"), 1, {"a": reference}], "b": null}));
        assert!(!format!("{secrets:?} {:?}", secrets.resolve("${secret:redis}").unwrap()).contains("hunter2"));
    }
}
