//! The parameters that `athena.…>` operators store: everything below `athena`.

use engine::params::{ParamPath, Params};
use serde_json::{Value, json};

/// Puts a value below `athena`.
pub(super) fn store(key: &str, value: Value) -> Params {
    let mut athena = Params::new();
    athena.insert(key.to_owned(), value);
    let mut params = Params::new();
    params.insert("athena".to_owned(), json!(athena));
    params
}

/// The path of a key below `athena`, for `reset`: what an earlier task stored there must not shine through.
pub(super) fn path(key: &str) -> ParamPath {
    ParamPath(format!("athena.{key}"))
}

/// Writes an amount as a number of US dollars.
pub(super) fn dollars(micro_usd: u64) -> Value {
    // Exact to a millionth below nine billion dollars.
    #[expect(clippy::cast_precision_loss, reason = "an amount for people; what is billed is kept in whole bytes")]
    let usd = micro_usd as f64 / 1e6;
    json!(usd)
}
