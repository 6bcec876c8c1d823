//! `checks:`: SELECTs that must return no rows, resolved when the work is planned.

use engine::operator::{TaskContext, TaskError};
use engine::params::{ParamPath, Params};
use lake::Lake;
use lake::publish::Check;

use crate::error::AtParam as _;
use crate::sql_text;

/// Reads and renders the checks.
///
/// # Errors
/// Of the workflow's author, for the first check that cannot be read.
pub(super) async fn resolve(
    lake: &Lake,
    context: &TaskContext,
    texts: &[String],
    extra: &Params,
) -> Result<Vec<Check>, TaskError> {
    let mut checks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let path = ParamPath::from("checks").index(index);
        let sql = sql_text::resolve(lake, context, text, extra).await.at_param(path)?;
        checks.push(Check { name: text.trim().to_owned(), sql });
    }
    Ok(checks)
}
