//! The `;` that may end a statement: Athena passes over it, Trino's grammar has none.

/// Cuts the one `;` at the end of a statement, with what is behind it. A `;` in a literal, a quoted name or a comment is none.
///
/// Two of them are left for the parser to refuse: what is between them would be a second statement.
pub fn without_semicolon(sql: &str) -> &str {
    let bytes = sql.as_bytes();
    let mut at = 0;
    let mut semicolon = None;
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b'\'' | b'"' => quoted_length(rest, *byte),
            b'-' if rest.starts_with(b"--") => {
                rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
            }
            b'/' if rest.starts_with(b"/*") => {
                rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
            }
            b';' => {
                if semicolon.replace(at).is_some() {
                    return sql;
                }
                1
            }
            byte if byte.is_ascii_whitespace() => 1,
            _ => {
                // More follows: what looked like the end was not; the parser will say so.
                semicolon = None;
                1
            }
        };
        if matches!(byte, b'\'' | b'"') {
            semicolon = None;
        }
        at += length;
    }
    semicolon.and_then(|end| sql.get(..end)).unwrap_or(sql)
}

/// Returns the length of a quoted text at the beginning, with its quotes; a doubled quote is part of it.
fn quoted_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == quote {
            if bytes.get(at) == Some(&quote) {
                at += 1;
            } else {
                return at;
            }
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_semicolon_at_the_end_goes() {
        for (sql, cut) in [
            ("select 1", "select 1"),
            ("select 1;", "select 1"),
            ("select 1 ; -- x", "select 1 "),
            ("select 1;\n/* ; */ -- ;\n", "select 1"),
            ("select 1 ; ; -- x", "select 1 ; ; -- x"),
            ("select 1;; 'x';", "select 1;; 'x';"),
            ("select ';'", "select ';'"),
            ("select 1 /* ; */", "select 1 /* ; */"),
            ("select 1; select 2", "select 1; select 2"),
            ("select 1 as \"a;\"", "select 1 as \"a;\""),
            ("select 1; 'x'", "select 1; 'x'"),
            ("select 'it''s;' ;", "select 'it''s;' "),
        ] {
            assert_eq!(without_semicolon(sql), cut, "{sql}");
        }
    }
}
