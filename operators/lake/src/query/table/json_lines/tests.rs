use super::*;
use crate::sql::text::display;

const TEXT: Type = Type::Varchar(None);

fn openx(parameters: &[(&str, &str)]) -> JsonLines {
    JsonLines::Openx(Openx::new(&parameters.iter().copied()), TimeFormats::default())
}

fn strict() -> JsonLines {
    JsonLines::Hive(TimeFormats::default())
}

fn shown(form: &JsonLines, lines: &[&str], columns: &[(&str, Type)]) -> Result<Vec<String>> {
    let columns: Vec<(String, Type)> = columns.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let wanted: Vec<usize> = (0..columns.len()).collect();
    let arrays = form.columns(&lines, &columns, &wanted)?;
    let cell = |row: usize, at: usize| display(&columns[at].1, &arrays[at], row).unwrap_or_else(|| "NULL".to_owned());
    Ok((0..lines.len()).map(|row| wanted.iter().map(|at| cell(row, *at)).collect::<Vec<_>>().join("|")).collect())
}

/// What Trino 476 answers.
#[test]
fn no_digit_is_lost() {
    let lines = [
        r#"{"d":12345678901234.56789,"s":99999999999999999.99999,"b":9007199254740993}"#,
        r#"{"d":0.000001,"s":12345678901234567890.5,"b":9223372036854775807}"#,
        r#"{"d":"1e2","s":1e2,"b":1.0}"#,
    ];
    let columns = [("d", Type::Decimal(38, 6)), ("s", TEXT), ("b", Type::Bigint)];
    assert_eq!(
        shown(&strict(), &lines, &columns).unwrap(),
        [
            "12345678901234.567890|99999999999999999.99999|9007199254740993",
            "0.000001|12345678901234567890.5|9223372036854775807",
            "100.000000|1e2|1"
        ]
    );
    assert_eq!(
        shown(&openx(&[]), &lines, &columns).unwrap(),
        [
            "12345678901234.567890|99999999999999999.99999|9007199254740993",
            "0.000001|12345678901234567890.5|9223372036854775807",
            "100.000000|1E+2|1"
        ]
    );
    let nested = [r#"{"s":{"a": [1.10, 99999999999999999.99999], "b\n": null}}"#];
    assert_eq!(
        shown(&openx(&[]), &nested, &[("s", TEXT)]).unwrap(),
        [r#"{"a":[1.10,99999999999999999.99999],"b\n":null}"#]
    );
    let error = shown(&strict(), &nested, &[("s", TEXT)]).unwrap_err();
    assert!(error.message.starts_with("HIVE_BAD_DATA: the value `{"), "{error}");
}

/// What Trino 476 answers.
#[test]
fn values_that_do_not_fit_are_errors_for_one_and_null_for_the_other() {
    for (line, data_type, hive, lenient) in [
        (r#"{"c":"1"}"#, Type::Integer, None, "1"),
        (r#"{"c":"x"}"#, Type::Integer, None, "NULL"),
        (r#"{"c":1.9}"#, Type::Integer, Some("1"), "1"),
        (r#"{"c":3000000000}"#, Type::Integer, None, "NULL"),
        (r#"{"c":"x"}"#, Type::Double, None, "NULL"),
        (r#"{"c":"x"}"#, Type::Decimal(4, 1), None, "NULL"),
        (r#"{"c":123456}"#, Type::Decimal(4, 1), None, "NULL"),
        (r#"{"c":"1-01-01"}"#, Type::Date, Some("0001-01-01"), "0001-01-01"),
        (r#"{"c":18262}"#, Type::Date, None, "2020-01-01"),
        (r#"{"c":1577840523}"#, Type::Timestamp(3), None, "2020-01-01 01:02:03.000"),
        (r#"{"c":"2020-01-01 1:2:3"}"#, Type::Timestamp(3), Some("2020-01-01 01:02:03.000"), "2020-01-01 01:02:03.000"),
        (r#"{"c":"TRUE"}"#, Type::Boolean, Some("true"), "true"),
        (r#"{"c":1}"#, Type::Boolean, Some("false"), "false"),
        (r#"{"c":null}"#, Type::Integer, Some("NULL"), "NULL"),
    ] {
        let columns = [("c", data_type)];
        let found = shown(&strict(), &[line], &columns);
        match hive {
            Some(expected) => assert_eq!(found.unwrap(), [expected], "{line}"),
            None => assert!(found.unwrap_err().message.starts_with("HIVE_BAD_DATA: "), "{line}"),
        }
        assert_eq!(shown(&openx(&[]), &[line], &columns).unwrap(), [lenient], "{line} {}", columns[0].1);
    }
}

/// What Trino 476 answers.
#[test]
fn openx_has_its_parameters() {
    let columns = [("d_e", Type::Integer), ("ab", Type::Integer)];
    let line = r#"{"d.e":1,"AB":2,"a_b":3}"#;
    for (parameters, expected) in [
        (&[][..], "NULL|2"),
        (&[("dots.in.keys", "TRUE")], "1|2"),
        (&[("mapping.d_e", "A_B")], "3|2"),
        (&[("case.insensitive", "false")], "NULL|NULL"),
        (&[("case.insensitive", "FALSE"), ("mapping.ab", "AB")], "NULL|2"),
    ] {
        assert_eq!(shown(&openx(parameters), &[line], &columns).unwrap(), [expected], "{parameters:?}");
    }
    assert!(shown(&openx(&[("ignore.malformed.json", "FALSE")]), &["{"], &columns).is_err());
    let lenient = openx(&[("ignore.malformed.json", "TRUE")]);
    assert_eq!(shown(&lenient, &["{", "", "[7, 8]"], &columns).unwrap(), ["NULL|NULL", "NULL|NULL", "7|8"]);
}

#[test]
fn nested_values_are_read_in_any_case() {
    let map = Type::Map(Arc::new(Type::Integer), Arc::new(TEXT));
    let row = Type::Row(Arc::from([(Some("x".to_owned()), Type::Bigint)]));
    let columns = [("l", Type::Array(Arc::new(TEXT))), ("m", map), ("r", row)];
    let lines = [r#"{"L":["a",null],"m":{"1":"a","2":null,"1":"b"},"r":{"X":2}}"#, r#"{"m":null,"r":null}"#];
    for form in [strict(), openx(&[])] {
        assert_eq!(shown(&form, &lines, &columns).unwrap(), ["[a, null]|{2=null, 1=b}|{x=2}", "NULL|NULL|NULL"]);
    }
    let lines = [r#"{"l":"a","m":" ","r":[5]}"#];
    assert_eq!(shown(&openx(&[]), &lines, &columns).unwrap(), ["[a]|NULL|{x=5}"]);
    for line in [r#"{"l":"a"}"#, r#"{"m":" "}"#, r#"{"r":[5]}"#] {
        assert!(shown(&strict(), &[line], &columns).is_err(), "{line}");
    }
}

#[test]
fn half_a_character_is_a_question_mark() {
    for (text, shown) in [
        (r#""hi \ud83d""#, r#""hi ?""#),
        (r#""\ud83d\ude00 \ude00\\ud83d""#, r#""\ud83d\ude00 ?\\ud83d""#),
        (r#""\u00e9\n\"""#, r#""\u00e9\n\"""#),
        (r#""\ud83""#, r#""\ud83""#),
    ] {
        assert_eq!(String::from_utf8(without_half_characters(text.as_bytes())).unwrap(), shown);
    }
    let lines = [r#"{"a":"hi \ud83d"}"#];
    assert_eq!(shown(&openx(&[]), &lines, &[("a", TEXT)]).unwrap(), ["hi ?"]);
}

/// What Trino 476 answers; openx's formats are of another language, and refused.
#[test]
fn times_have_the_formats_of_their_table() {
    let formats = || TimeFormats::new(Some("dd/MM/yyyy HH:mm,HH:mm,millis"));
    let form = JsonLines::Hive(formats());
    let map = Type::Map(Arc::new(Type::Timestamp(3)), Arc::new(Type::Integer));
    let columns = [("t", Type::Timestamp(3)), ("m", map)];
    for (line, expected) in [
        (
            r#"{"t":"01/02/2020 03:04","m":{"01/02/2020 03:04":1}}"#,
            "2020-02-01 03:04:00.000|{2020-02-01 03:04:00.000=1}",
        ),
        (r#"{"t":"13:14"}"#, "1970-01-01 13:14:00.000|NULL"),
        (r#"{"t":"2020-01-02 03:04:05"}"#, "2020-01-02 03:04:05.000|NULL"),
        (r#"{"t":1577934245678}"#, "2020-01-02 03:04:05.678|NULL"),
    ] {
        assert_eq!(shown(&form, &[line], &columns).unwrap(), [expected], "{line}");
    }
    assert!(shown(&form, &[r#"{"t":"x"}"#], &columns).is_err());
    let openx = JsonLines::Openx(Openx::new(&std::iter::empty()), formats());
    assert_eq!(shown(&openx, &[r#"{"s":"x"}"#], &[("s", TEXT)]).unwrap(), ["x"]);
    let error = shown(&openx, &[r#"{"t":"13:14"}"#], &columns).unwrap_err();
    assert!(error.message.starts_with("NOT_SUPPORTED: `timestamp.formats` of openx's JsonSerDe"), "{error}");
}
