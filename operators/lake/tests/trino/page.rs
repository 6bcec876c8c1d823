//! `docs/sql.md`: the functions of the table and the figures by group. `UPDATE=1` writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use lake::sql::function::TABLE;

use crate::Figures;

const GROUPS: &[(&str, &str)] = &[
    ("agg", "aggregations"),
    ("air", "queries over airports and planes"),
    ("arith", "integer and floating arithmetic"),
    ("arr", "arrays"),
    ("bit", "bitwise functions"),
    ("cast", "casts"),
    ("castm", "casts, every pair of types"),
    ("col", "names of columns"),
    ("comment", "comments"),
    ("cond", "conditions"),
    ("cte", "WITH"),
    ("cw", "queries over CloudWatch series"),
    ("dec", "decimal arithmetic"),
    ("dfmt", "text of dates and times"),
    ("dml", "statements that write"),
    ("dt", "dates and times"),
    ("enc", "encodings"),
    ("ev", "queries over events with nested columns"),
    ("fmt", "format"),
    ("geo", "geometry"),
    ("gs", "grouping sets"),
    ("h", "queries over orders and line items"),
    ("hash", "digests"),
    ("ident", "identifiers"),
    ("intv", "intervals"),
    ("ip", "IP addresses"),
    ("join", "joins"),
    ("jpath", "SQL/JSON"),
    ("json", "JSON"),
    ("lam", "lambda expressions"),
    ("like", "LIKE"),
    ("lit", "literals"),
    ("logs", "queries over access logs"),
    ("map", "maps"),
    ("math", "mathematics"),
    ("meta", "SHOW and information_schema"),
    ("mr", "MATCH_RECOGNIZE"),
    ("order", "ORDER BY, LIMIT"),
    ("prep", "prepared statements"),
    ("regex", "regular expressions"),
    ("row", "rows"),
    ("setop", "UNION, INTERSECT, EXCEPT"),
    ("stmt", "other statements"),
    ("str", "text"),
    ("stz", "other time zones of the session"),
    ("subq", "subqueries"),
    ("syntax", "syntax"),
    ("try", "TRY"),
    ("typeof", "types of results"),
    ("tz", "time zones"),
    ("unnest", "UNNEST"),
    ("url", "URLs"),
    ("win", "window functions"),
    ("wx", "queries over weather"),
];

/// What the approximate aggregations give here.
///
/// Trino's errors: <https://trino.io/docs/476/functions/aggregate.html#approximate-aggregate-functions>.
const APPROXIMATE: &str = "\
`approx_distinct` counts exactly here, with and without a second argument; Athena estimates, by default with a standard error of \
2.3 %, so the figures of the two differ. It needs memory for every distinct value, as `count(DISTINCT …)` does.";

pub(crate) fn check(path: &Path, figures: &BTreeMap<String, Figures>) {
    let page = page(figures);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        std::fs::write(path, &page).expect("the page");
        return;
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == page, "docs/sql.md is not up to date: run this test with UPDATE=1");
}

fn page(figures: &BTreeMap<String, Figures>) -> String {
    let mut page = String::from(
        "<!-- Written by operators/lake/tests/trino.rs; run it with UPDATE=1 after a change. -->\n\
         # SQL on the embedded lake\n\n\
         The embedded engine speaks Athena's dialect (engine version 3, which is built on Trino). What it knows, it answers as Trino does;\n\
         what it does not know yet, it refuses with an error that names the construct. It never gives another answer.\n\n\
         ## How far it is\n\n\
         Statements that a Trino 476 answered, by group: answered equally (or stopped with the same error), refused, answered differently.\n\n\
         | group | equal | refused | different |\n|---|---:|---:|---:|\n",
    );
    let mut total = Figures::default();
    for (group, figures) in figures {
        let what = GROUPS.iter().find(|(name, _)| name == group).map_or(group.as_str(), |(_, what)| what);
        let _ =
            writeln!(page, "| {what} (`{group}`) | {} | {} | {} |", figures.equal, figures.refused, figures.different);
        total.equal += figures.equal;
        total.refused += figures.refused;
        total.different += figures.different;
    }
    let _ = writeln!(page, "| **all** | **{}** | **{}** | **{}** |", total.equal, total.refused, total.different);
    page.push_str("\n## Functions\n\nForms in Trino's words. Aggregations, window functions and special forms (`CASE`, `IF`, `COALESCE`, `NULLIF`, `TRY`, `CAST`, …) are listed below.\n\n| function | forms |\n|---|---|\n");
    let mut functions: Vec<_> = TABLE.iter().flat_map(|family| family.iter()).collect();
    // Those of suiro's own statements are nobody else's to call.
    functions.retain(|function| !function.name.starts_with('$'));
    functions.sort_by_key(|function| function.name);
    for function in functions {
        let forms: Vec<String> =
            function.overloads.iter().map(|form| format!("`{}`", form.signature.replace('|', "\\|"))).collect();
        let _ = writeln!(page, "| `{}` | {} |", function.name, forms.join("<br>"));
    }
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let _ = write!(
        page,
        "\n## Aggregations\n\n{}\n\n{APPROXIMATE}\n\n## Window functions\n\n{}, and the aggregations.\n",
        list(lake::sql::AGGREGATIONS),
        list(lake::sql::WINDOW_FUNCTIONS)
    );
    page
}
