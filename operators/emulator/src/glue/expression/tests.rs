use lake::catalog::Column;
use proptest::prelude::*;

use super::*;

fn keys() -> Vec<Column> {
    let keys = [("dt", "string"), ("n", "int"), ("d", "date"), ("t", "timestamp"), ("m", "decimal(10,2)")];
    keys.into_iter().map(|(name, hive_type)| Column::new(name, hive_type)).collect()
}

fn values(dt: &str, n: &str) -> Vec<String> {
    [dt, n, "2026-01-02", "2026-01-02 03:04:05", "12.50"].map(str::to_owned).to_vec()
}

fn holds(text: &str, values: &[String]) -> bool {
    Condition::parse(text, &keys()).unwrap().unwrap().holds(values)
}

#[test]
fn values_compare_by_the_types_of_their_keys() {
    let partition = values("2026-01-02", "10");
    for (text, expected) in [
        ("dt = '2026-01-02'", true),
        ("DT<'2026-01-1'", true),
        ("n > 9", true),
        ("n > '9'", true),
        ("9 < n", true),
        ("n < 9", false),
        ("n in (1, 10)", true),
        ("n not in (1, 10)", false),
        ("n = 010", true),
        ("d between '2026-01-01' and '2026-01-31'", true),
        ("d > DATE '2026-01-02'", false),
        ("t >= '2026-01-02 03:04:05'", true),
        ("t < '2026-01-02T03:04:05.001'", true),
        ("m = 12.5", true),
        ("m > 2.75", true),
        ("dt like '2026-__-%'", true),
        ("`dt` LIKE '%-03'", false),
        ("(dt = 'x' OR (\"n\" = 10)) and not (n <> 10)", true),
        ("dt is not null", true),
        ("dt IS NULL", false),
        ("NOT dt = 'a' AND n != 3", true),
    ] {
        assert_eq!(holds(text, &partition), expected, "{text}");
    }
    assert!(holds("dt = 'it''s'", &values("it's", "1")));
    assert!(Condition::parse("  ", &keys()).unwrap().is_none());
}

#[test]
fn a_value_that_is_none_of_the_type_meets_nothing() {
    let odd = values(HIVE_DEFAULT_PARTITION, HIVE_DEFAULT_PARTITION);
    for text in
        ["n = 1", "n <> 1", "NOT n = 1", "n IN (1)", "n NOT IN (1)", "n BETWEEN 1 AND 2", "n = 1 AND dt IS NULL"]
    {
        assert!(!holds(text, &odd), "{text}");
    }
    assert!(holds("n IS NULL", &odd));
    assert!(holds("n = 1 OR dt IS NULL", &odd), "what is unknown does not hide what is known");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (text, why) in [
        ("day = 1", "`day` is not a partition key; there are: `dt`, `n`, `d`, `t`, `m`"),
        ("n = 'x'", "expected a number for the key `n`, found `x`"),
        ("dt = 'x", "a `'` is never closed"),
        ("dt =", "expected a partition key, found the end"),
        ("dt = 'x' dt", "expected `AND`, `OR` or the end, found `dt`"),
        ("(dt = 'x'", "expected `)`, found the end"),
        ("'a' = 'b'", "expected a partition key on one side of a comparison"),
        ("dt NOT = 'x'", "expected `IN`, `BETWEEN` or `LIKE` after `NOT`, found `=`"),
        ("dt = 'x'; DROP", "found `;`"),
    ] {
        let error = Condition::parse(text, &keys()).unwrap_err();
        assert_eq!(error.code, "InvalidInputException");
        assert_eq!(error.message, format!("the expression `{text}` cannot be read: {why}"));
    }
    let deep = "(".repeat(500) + "n = 1" + &")".repeat(500);
    assert!(Condition::parse(&deep, &keys()).unwrap_err().message.ends_with("it is nested more than 64 deep"));
    assert_eq!(Condition::parse(&"x".repeat(2049), &keys()).unwrap_err().code, "ValidationException");
}

/// A condition over `n` with what it means, made together.
#[derive(Debug, Clone)]
struct Made {
    text: String,
    meets: [bool; 8],
}

/// Whether the numbers 0 to 7 meet a condition.
fn meets(condition: impl Fn(i64) -> bool) -> [bool; 8] {
    [0, 1, 2, 3, 4, 5, 6, 7].map(condition)
}

/// What a sign says of two numbers.
type Comparison = fn(i64, i64) -> bool;

fn made() -> impl Strategy<Value = Made> {
    let number = 0_i64..8;
    let leaf = prop_oneof![
        (number.clone(), 0_usize..6).prop_map(|(wanted, sign)| {
            let signs: [(&str, Comparison); 6] = [
                ("=", |left, right| left == right),
                ("<>", |left, right| left != right),
                ("<", |left, right| left < right),
                ("<=", |left, right| left <= right),
                (">", |left, right| left > right),
                (">=", |left, right| left >= right),
            ];
            let (sign, compare) = signs[sign];
            Made { text: format!("n {sign} {wanted}"), meets: meets(|number| compare(number, wanted)) }
        }),
        (number.clone(), number.clone()).prop_map(|(from, to)| Made {
            text: format!("n between '{from}' AND {to}"),
            meets: meets(|number| (from..=to).contains(&number)),
        }),
        prop::collection::vec(number, 1..4).prop_map(|wanted| {
            let list: Vec<String> = wanted.iter().map(i64::to_string).collect();
            Made { text: format!("n not in ({})", list.join(",")), meets: meets(|number| !wanted.contains(&number)) }
        }),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|made| Made { text: format!("NOT ({})", made.text), meets: made.meets.map(|meets| !meets) }),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Made {
                text: format!("({}) and ({})", left.text, right.text),
                meets: std::array::from_fn(|index| left.meets[index] && right.meets[index]),
            }),
            (inner.clone(), inner).prop_map(|(left, right)| Made {
                text: format!("({} OR {})", left.text, right.text),
                meets: std::array::from_fn(|index| left.meets[index] || right.meets[index]),
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_condition_means_what_it_was_made_of(made in made()) {
        prop_assume!(made.text.len() <= MAX_LENGTH);
        let condition = Condition::parse(&made.text, &keys()).unwrap().unwrap();
        for (number, meets) in made.meets.into_iter().enumerate() {
            prop_assert_eq!(condition.holds(&values("x", &number.to_string())), meets, "{} with {}", made.text, number);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~]{0,60}") {
        // What matters is that it ends, without a panic.
        let _any = Condition::parse(&text, &keys());
    }

    #[test]
    fn numbers_order_as_numbers(left in -1_000_000_i64..1_000_000, right in -1_000_000_i64..1_000_000, zeros in 0_usize..3) {
        let read = |number: i64| {
            let cents = format!("{}{:0>width$}.{:02}{}", if number < 0 { "-" } else { "" }, (number / 100).abs(),
                (number % 100).abs(), "0".repeat(zeros), width = zeros + 1);
            Number::parse(&cents).unwrap()
        };
        prop_assert_eq!(read(left).cmp(&read(right)), left.cmp(&right));
    }

    #[test]
    fn likeness_is_that_of_a_regular_expression(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}") {
        let regex = format!("^{}$", pattern.replace('%', ".*").replace('_', "."));
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(is_like(&chars(&text), &chars(&pattern)), regex::Regex::new(&regex).unwrap().is_match(&text));
    }
}
