//! Regular expressions: searching, extracting, counting, splitting and replacing.
//!
//! An empty match may follow another match at once, as in Java. The form of `regexp_replace` with a lambda is left out.

use std::sync::Arc;

use super::kernel::{
    Columns, Evaluated, Prepared, bigint, character_count, each, form, integer, invalid, prefix_bytes, text, typed,
};
use super::regexp_pattern::{Pattern, Span};
use super::string::bounded;
use super::string_split::text_lists;
use super::{Argument, Call, EvalError, Function};
use crate::sql::types::Type;

use arrow::datatypes::Int32Type;

/// The family.
pub(super) static FAMILY: &[Function] = &[
    Function { name: "regexp_like", overloads: &[form("(varchar(x), varchar(y)) -> boolean", like)] },
    Function {
        name: "regexp_extract",
        overloads: &[
            form("(varchar(x), varchar(y)) -> varchar(x)", extract),
            form("(varchar(x), varchar(y), bigint) -> varchar(x)", extract_group),
        ],
    },
    Function {
        name: "regexp_extract_all",
        overloads: &[
            form("(varchar(x), varchar(y)) -> array(varchar(x))", extract_all),
            form("(varchar(x), varchar(y), bigint) -> array(varchar(x))", extract_all_of_group),
        ],
    },
    Function { name: "regexp_count", overloads: &[form("(varchar(x), varchar(y)) -> bigint", count)] },
    Function {
        name: "regexp_position",
        overloads: &[
            form("(varchar(x), varchar(y)) -> integer", position),
            form("(varchar(x), varchar(y), integer) -> integer", position_from),
            form("(varchar(x), varchar(y), integer, integer) -> integer", position_of_occurrence),
        ],
    },
    Function { name: "regexp_split", overloads: &[form("(varchar(x), varchar(y)) -> array(varchar(x))", split)] },
    Function {
        name: "regexp_replace",
        overloads: &[
            form("(varchar(x), varchar(y)) -> varchar(x)", remove),
            typed("(varchar(x), varchar(y), varchar(z)) -> varchar", replaced_type, replace),
        ],
    },
];

fn like(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .boolean(|(text, pattern)| patterns.get(pattern, Pattern::new)?.matcher(text)?.is_match().map(Some))
}

/// A group that a pattern has.
fn group_of(pattern: &Pattern, group: i64) -> Result<usize, EvalError> {
    let index = usize::try_from(group).map_err(|_| invalid("Group cannot be negative"))?;
    if index > pattern.groups {
        return Err(invalid(format!("Pattern has {} groups. Cannot access group {group}", pattern.groups)));
    }
    Ok(index)
}

/// The first match of a pattern, or a group of it.
fn first<'a>(text: &'a str, pattern: &Pattern, group: i64) -> Result<Option<&'a str>, EvalError> {
    let group = group_of(pattern, group)?;
    let matcher = pattern.matcher(text)?;
    if group == 0 {
        let mut found = None;
        matcher.each_match(0, |span| {
            found = Some(span);
            Ok(false)
        })?;
        return Ok(found.map(|(start, end)| &text[start..end]));
    }
    let groups = matcher.captures(0)?;
    Ok(groups.and_then(|groups| groups.get(group).copied().flatten()).map(|(start, end)| &text[start..end]))
}

fn extract(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .slices(|(text, pattern)| first(text, patterns.get(pattern, Pattern::new)?, 0))
}

fn extract_group(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?, bigint(arguments, 2)?))
        .slices(|(text, pattern, group)| first(text, patterns.get(pattern, Pattern::new)?, group))
}

/// Lists of texts, one list a row, where the columns have values.
fn lists<C: Columns>(
    call: &Call<'_>,
    columns: &C,
    mut fill: impl FnMut(C::Item, &mut arrow::array::StringBuilder) -> Result<(), EvalError>,
) -> Evaluated {
    let mut lists = text_lists(call.rows);
    for row in 0..call.rows {
        let Some(item) = columns.row(row) else {
            lists.append_null();
            continue;
        };
        fill(item, lists.values())?;
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// Appends all matches of a pattern, or a group of each.
fn append_all(
    text: &str,
    pattern: &Pattern,
    group: i64,
    parts: &mut arrow::array::StringBuilder,
) -> Result<(), EvalError> {
    let group = group_of(pattern, group)?;
    let matcher = pattern.matcher(text)?;
    if group == 0 {
        return matcher.each_match(0, |(start, end)| {
            parts.append_value(&text[start..end]);
            Ok(true)
        });
    }
    matcher.each_captures(|groups| {
        parts.append_option(groups.get(group).copied().flatten().map(|(start, end)| &text[start..end]));
        Ok(())
    })
}

fn extract_all(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    lists(call, &(text(arguments, 0)?, text(arguments, 1)?), |(text, pattern), parts| {
        append_all(text, patterns.get(pattern, Pattern::new)?, 0, parts)
    })
}

fn extract_all_of_group(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    let columns = (text(arguments, 0)?, text(arguments, 1)?, bigint(arguments, 2)?);
    lists(call, &columns, |(text, pattern, group), parts| {
        append_all(text, patterns.get(pattern, Pattern::new)?, group, parts)
    })
}

fn count(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).bigint(|(text, pattern)| {
        let mut matches = 0;
        patterns.get(pattern, Pattern::new)?.matcher(text)?.each_match(0, |_| {
            matches += 1;
            Ok(true)
        })?;
        Ok(matches)
    })
}

/// The position in characters of an occurrence of a pattern from a position on, or -1.
fn find(text: &str, pattern: &Pattern, start: i32, occurrence: i32) -> Result<i32, EvalError> {
    let skipped = usize::try_from(start).ok().and_then(|start| start.checked_sub(1));
    let skipped = skipped.ok_or_else(|| invalid("start position cannot be smaller than 1"))?;
    if occurrence < 1 {
        return Err(invalid("occurrence cannot be smaller than 1"));
    }
    if i64::from(start) > character_count(text) {
        return Ok(-1);
    }
    let mut left = occurrence;
    let mut found = None;
    pattern.matcher(text)?.each_match(prefix_bytes(text, skipped), |(at, _)| {
        left -= 1;
        if left == 0 {
            found = Some(at);
        }
        Ok(left > 0)
    })?;
    Ok(found.and_then(|at| i32::try_from(character_count(&text[..at]) + 1).ok()).unwrap_or(-1))
}

fn position(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?))
        .primitive::<Int32Type>(|(text, pattern)| find(text, patterns.get(pattern, Pattern::new)?, 1, 1))
}

fn position_from(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?, integer(arguments, 2)?))
        .primitive::<Int32Type>(|(text, pattern, start)| find(text, patterns.get(pattern, Pattern::new)?, start, 1))
}

fn position_of_occurrence(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    let columns = (text(arguments, 0)?, text(arguments, 1)?, integer(arguments, 2)?, integer(arguments, 3)?);
    each(call, columns).primitive::<Int32Type>(|(text, pattern, start, occurrence)| {
        find(text, patterns.get(pattern, Pattern::new)?, start, occurrence)
    })
}

fn split(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    lists(call, &(text(arguments, 0)?, text(arguments, 1)?), |(text, pattern), parts| {
        let mut from = 0;
        patterns.get(pattern, Pattern::new)?.matcher(text)?.each_match(0, |(start, end)| {
            parts.append_value(&text[from..start]);
            from = end;
            Ok(true)
        })?;
        parts.append_value(&text[from..]);
        Ok(())
    })
}

/// The longest text that `regexp_replace` can give, as Trino reckons it.
fn replaced_type(arguments: &[Type]) -> Option<Type> {
    let [Type::Varchar(text), _, Type::Varchar(replacement)] = arguments else { return None };
    let (Some(text), Some(replacement)) = (text, replacement) else { return Some(Type::Varchar(None)) };
    let (text, replacement) = (u64::from(*text), u64::from(*replacement));
    let longest = (text * replacement / 2).max(replacement).saturating_mul(text + 1).saturating_add(text);
    Some(bounded(longest))
}

fn remove(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?)).text(|(text, pattern), out| {
        let mut from = 0;
        patterns.get(pattern, Pattern::new)?.matcher(text)?.each_match(0, |(start, end)| {
            out.push_str(&text[from..start]);
            from = end;
            Ok(true)
        })?;
        out.push_str(&text[from..]);
        Ok(())
    })
}

/// A part of what a match is replaced with.
enum Part {
    Literal(String),
    Group(usize),
}

/// Reads a replacement: `$1`, `${name}` and escapes.
fn parts(replacement: &str, pattern: &Pattern) -> Result<Vec<Part>, EvalError> {
    let illegal = |sequence: &str| invalid(format!("Illegal replacement sequence: {sequence}"));
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = replacement.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' => literal.push(rest.next().ok_or_else(|| illegal("\\"))?),
            '$' => {
                let group = match rest.next() {
                    None => return Err(illegal("$")),
                    Some('{') => {
                        let name: String = rest.by_ref().take_while(|next| *next != '}').collect();
                        pattern.named(&name).ok_or_else(|| illegal(&format!("unknown group {{ {name} }}")))?
                    }
                    Some(first) => {
                        let digit = |next: char| next.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                        let mut group = digit(first).ok_or_else(|| illegal(&format!("${first}")))?;
                        if group > pattern.groups {
                            return Err(illegal(&format!("unknown group {group}")));
                        }
                        // Further digits belong to the number as long as there is such a group.
                        while let Some(longer) = rest.peek().and_then(|next| digit(*next)).map(|next| group * 10 + next)
                            && longer <= pattern.groups
                        {
                            group = longer;
                            rest.next();
                        }
                        group
                    }
                };
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(Part::Group(group));
            }
            _ => literal.push(next),
        }
    }
    parts.push(Part::Literal(literal));
    Ok(parts)
}

/// Writes what a match is replaced with.
fn write_parts(parts: &[Part], text: &str, groups: &[Option<Span>], out: &mut String) {
    for part in parts {
        match part {
            Part::Literal(literal) => out.push_str(literal),
            Part::Group(group) => {
                if let Some((start, end)) = groups.get(*group).copied().flatten() {
                    out.push_str(&text[start..end]);
                }
            }
        }
    }
}

fn replace(call: &Call<'_>, arguments: &[Argument]) -> Evaluated {
    let mut patterns = Prepared::new();
    let mut replacements = Prepared::new();
    let mut key = String::new();
    each(call, (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?)).text(
        |(text, pattern_text, replacement), out| {
            let pattern = patterns.get(pattern_text, Pattern::new)?;
            let matcher = pattern.matcher(text)?;
            key.clear();
            key.extend([replacement, "\0", pattern_text]);
            let mut from = 0;
            if replacement.contains(['$', '\\']) {
                matcher.each_captures(|groups| {
                    // A bad replacement is an error only where something is replaced.
                    let parts = replacements.get(&key, |_| parts(replacement, pattern))?;
                    if let Some(Some((start, end))) = groups.first() {
                        out.push_str(&text[from..*start]);
                        write_parts(parts, text, groups, out);
                        from = *end;
                    }
                    Ok(())
                })?;
            } else {
                matcher.each_match(0, |(start, end)| {
                    out.push_str(&text[from..start]);
                    out.push_str(replacement);
                    from = end;
                    Ok(true)
                })?;
            }
            out.push_str(&text[from..]);
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{bigint, error, evaluate, integer, text, value};
    use super::Pattern;
    use crate::sql::types::Type;

    const VARCHAR: Type = Type::Varchar(None);

    fn like(of: &str, pattern: &str) -> bool {
        value("regexp_like", 0, Type::Boolean, &[text(of), text(pattern)]) == "true"
    }

    fn replace(of: &str, pattern: &str, with: &str) -> String {
        value("regexp_replace", 1, VARCHAR, &[text(of), text(pattern), text(with)])
    }

    #[test]
    fn sets_are_ascii_and_properties_are_not() {
        for (of, pattern, expected) in [
            ("é", r"^\w$", false),
            ("é", r"[\w]", false),
            ("é", r"^\p{L}$", true),
            ("é", "[[:alpha:]]", true),
            ("٣", r"\d", false),
            ("٣", "[[:digit:]]", true),
            ("\u{a0}", r"\s", false),
            ("\u{b}", r"\s", true),
            ("éa", r"\ba", false),
            ("éa", r"\Ba", true),
            ("\r", "^.$", true),
            ("\n", "^.$", false),
            ("-", r"[\w-.]", true),
            ("a]b", "[]]", true),
            ("a{1", "a{1", true),
            ("aa", "^a{,2}$", false),
            ("a.c", r"\Qa.c\E", true),
            ("abc", r"\Qa.c\E", false),
            ("aBc", "a(?i:b)c", true),
            ("aBC", "a((?i)b)c", false),
        ] {
            assert_eq!(like(of, pattern), expected, "{of:?} like {pattern}");
        }
    }

    #[test]
    fn the_end_is_also_before_a_last_line_end() {
        assert!(like("abc\n", "abc$"));
        assert!(like("abc\n", r"abc\Z"));
        assert!(!like("abc\n", r"abc\z"));
        assert!(!like("abc\n\n", "abc$"));
        assert!(!like("a\r\n", "a$"));
        assert!(like("a\nb", "(?m)a$"));
        assert!(!like("a\nb", "a$"));
        assert_eq!(value("regexp_count", 0, Type::Bigint, &[text("abc\n"), text("$")]), "2");
    }

    #[test]
    fn empty_matches_may_follow_matches() {
        assert_eq!(replace("baac", "a*", "-"), "-b--c-");
        assert_eq!(replace("日本語", "", "-"), "-日-本-語-");
        let lists = Type::Array(Arc::new(VARCHAR));
        assert_eq!(value("regexp_extract_all", 0, lists.clone(), &[text("baac"), text("a*")]), "[, aa, , ]");
        assert_eq!(value("regexp_split", 0, lists, &[text("abc"), text("x*")]), "[, a, b, c, ]");
    }

    #[test]
    fn replacements_name_groups() {
        assert_eq!(replace("ab", "(a)(b)", r"\2\1"), "21");
        assert_eq!(replace("cost 5", r"(\d)", r"\$$1"), "cost $5");
        assert_eq!(replace("abc", "(b)", "$12"), "ab2c");
        assert_eq!(replace("abc", "(?<name>b)(c)", "${name}-$2-$1"), "ab-c-b");
        assert_eq!(replace("abc", "(x)?b", "[$1]"), "a[]c");
        let failed = |with| error("regexp_replace", 1, VARCHAR, &[text("abc"), text("b"), text(with)]);
        assert_eq!(failed("$2"), "INVALID_FUNCTION_ARGUMENT: Illegal replacement sequence: unknown group 2");
        assert_eq!(failed("$x"), "INVALID_FUNCTION_ARGUMENT: Illegal replacement sequence: $x");
        assert_eq!(failed("\\"), "INVALID_FUNCTION_ARGUMENT: Illegal replacement sequence: \\");
        assert_eq!(replace("abc", "z", "$2"), "abc");
    }

    #[test]
    fn groups_are_checked() {
        let extract =
            |of, pattern, group| evaluate("regexp_extract", 1, VARCHAR, &[text(of), text(pattern), bigint(group)]);
        assert_eq!(extract("ab", "(a)(x)?b", 2).as_deref(), Ok("null"));
        assert_eq!(extract("axb", "(a)(x)?b", 2).as_deref(), Ok("x"));
        assert_eq!(
            extract("abc", "(a)", 2).expect_err("no such group").message,
            "Pattern has 1 groups. Cannot access group 2"
        );
        assert_eq!(extract("abc", "(a)", -1).expect_err("no such group").message, "Group cannot be negative");
    }

    #[test]
    fn positions_count_characters_and_occurrences() {
        let of = "I have 23 apples, 5 pears and 13 oranges";
        let position = |start, occurrence| {
            let arguments = [text(of), text(r"\b\d+\b"), integer(start), integer(occurrence)];
            value("regexp_position", 2, Type::Integer, &arguments)
        };
        assert_eq!(position(12, 2), "31");
        assert_eq!(position(12, 3), "-1");
        assert_eq!(value("regexp_position", 0, Type::Integer, &[text("日本語"), text("語")]), "3");
    }

    #[test]
    fn only_what_needs_it_is_matched_by_backtracking() {
        for (pattern, expected) in
            [(r"\bcat\b", false), ("a.*b$", false), ("a++a", true), ("(?<=a)b", true), (r"(\w)\1", true)]
        {
            assert_eq!(
                Pattern::new(pattern).map(|pattern| pattern.needs_backtracking()).ok(),
                Some(expected),
                "{pattern}"
            );
        }
        assert!(!like("aaa", "a++a"));
        assert!(like("aa", r"(\w)\1"));
    }

    #[test]
    fn bad_patterns_are_errors_and_strange_ones_refused() {
        for (pattern, name) in [
            ("(", "INVALID_FUNCTION_ARGUMENT"),
            ("a)", "INVALID_FUNCTION_ARGUMENT"),
            ("*a", "INVALID_FUNCTION_ARGUMENT"),
            ("[z-a]", "INVALID_FUNCTION_ARGUMENT"),
            ("a{3,2}", "INVALID_FUNCTION_ARGUMENT"),
            (r"(a)\2", "INVALID_FUNCTION_ARGUMENT"),
            ("(?<=a+)X", "INVALID_FUNCTION_ARGUMENT"),
            ("(?u)a", "INVALID_FUNCTION_ARGUMENT"),
            ("(a*)*", crate::sql::error::UNSUPPORTED),
            ("[a-c&&[^a]]", crate::sql::error::UNSUPPORTED),
            ("a**", crate::sql::error::UNSUPPORTED),
            (r"\R", crate::sql::error::UNSUPPORTED),
            ("(?x)a b", crate::sql::error::UNSUPPORTED),
            ("a(?i)b|c", crate::sql::error::UNSUPPORTED),
        ] {
            assert_eq!(Pattern::new(pattern).err().map(|error| error.name), Some(name), "{pattern}");
        }
        assert_eq!(
            error("regexp_like", 0, Type::Boolean, &[text("ß"), text("(?i)ss")]),
            "UNSUPPORTED_BY_EMBEDDED_ENGINE: not supported yet: matching without case a text with characters that fold to several"
        );
    }
}
