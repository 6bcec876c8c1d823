//! Functions by the names that other databases have for them: what an analyst writes who comes from there.

/// Returns how Trino writes what a function of another database does; the name is in lower case.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "ifnull" | "nvl" | "isnull" => "coalesce(a, b)",
        "nvl2" | "iif" => "if(condition, a, b)",
        "decode" => "CASE a WHEN b THEN c ELSE d END",
        "getdate" | "sysdate" | "sysdatetime" => "current_timestamp",
        "curdate" | "today" => "current_date",
        "datediff" | "timestampdiff" => "date_diff('day', a, b)",
        "dateadd" | "timestampadd" | "adddate" => "date_add('day', n, a)",
        "date_sub" | "subdate" => "date_add('day', -n, a)",
        "datepart" => "extract(YEAR FROM a)",
        "to_date" | "str_to_date" => "CAST(a AS date)` or `date_parse(a, format)",
        "to_char" => "date_format(a, format)` or `CAST(a AS varchar)",
        "to_number" => "CAST(a AS decimal(38, 2))",
        "unix_timestamp" => "to_unixtime(a)",
        "len" | "char_length" | "character_length" => "length(a)",
        "charindex" | "instr" | "locate" => "strpos(text, part)",
        "substring_index" => "split_part(text, sign, n)",
        "string_agg" | "group_concat" | "wm_concat" => "listagg(a, ',') WITHIN GROUP (ORDER BY a)",
        "collect_list" => "array_agg(a)",
        "collect_set" => "array_agg(DISTINCT a)",
        "explode" => "CROSS JOIN UNNEST(a)",
        "get_json_object" => "json_extract_scalar(a, '$.b')",
        "percentile_cont" | "percentile_disc" | "percentile" | "median" => "approx_percentile(a, 0.5)",
        "countif" => "count_if(condition)",
        "safe_cast" => "TRY_CAST(a AS bigint)",
        "regexp_substr" => "regexp_extract(text, pattern)",
        "array_length" | "array_size" | "size" => "cardinality(a)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{known, not_registered};
    use super::*;

    #[test]
    fn what_is_named_otherwise_is_no_function_here() {
        for name in ["ifnull", "datediff", "len", "string_agg", "size"] {
            assert!(instead_of(name).is_some() && !known::is_known(name), "{name}");
        }
        assert_eq!(not_registered("ifnull").message, "Function 'ifnull' not registered; here it is `coalesce(a, b)`");
        assert_eq!(not_registered("lenght").message, "Function 'lenght' not registered; did you mean `length`?");
        assert_eq!(not_registered("coun").message, "Function 'coun' not registered; did you mean `count`?");
        assert_eq!(
            not_registered("row_numbr").message,
            "Function 'row_numbr' not registered; did you mean `row_number`?"
        );
        assert_eq!(not_registered("frobnicate").message, "Function 'frobnicate' not registered");
    }
}
