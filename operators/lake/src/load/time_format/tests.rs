use super::*;

fn utc(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).unwrap().to_string()
}

fn read(format: &str, text: &str) -> Option<String> {
    TimeFormat::compile(format).unwrap().parse(text.as_bytes(), &TimeDefaults::default()).map(utc)
}

#[test]
fn iso_times_are_read() {
    for (text, expected) in [
        ("2024-02-29", Some("2024-02-29T00:00:00Z")),
        ("2024-02-29 12:34", Some("2024-02-29T12:34:00Z")),
        ("2024-02-29T12:34:56Z", Some("2024-02-29T12:34:56Z")),
        ("2024-02-29 12:34:56.5", Some("2024-02-29T12:34:56.5Z")),
        ("2024-02-29T12:34:56.123456789+09:00", Some("2024-02-29T03:34:56.123456Z")),
        ("2024-02-29 12:34:56.000000 +0900", Some("2024-02-29T03:34:56Z")),
        ("2024-02-29 12:34:56 UTC", Some("2024-02-29T12:34:56Z")),
        ("2023-02-29", None),
        ("2024-02-29 24:00", None),
        ("2024-02-29 12:34:56 ", None),
        ("2024-02-29 12:34:56x", None),
        ("24-02-29", None),
        ("", None),
    ] {
        let found = TimeFormat::ISO.parse(text.as_bytes(), &TimeDefaults::default()).map(utc);
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

#[test]
fn directives_are_read() {
    for (format, text, expected) in [
        ("%d/%b/%Y:%H:%M:%S %z", "17/May/2015:10:05:03 +0000", Some("2015-05-17T10:05:03Z")),
        ("%Y%m%d%H%M%S", "20240301123456", Some("2024-03-01T12:34:56Z")),
        ("%m/%d/%y %I:%M %p", "3/1/24 1:05 PM", Some("2024-03-01T13:05:00Z")),
        ("%I %p", "12 AM", Some("1970-01-01T00:00:00Z")),
        ("%s", "1709262896", Some("2024-03-01T03:14:56Z")),
        ("%s.%N", "-1.5", Some("1969-12-31T23:59:58.5Z")),
        ("%s.%N", "1709262896.25", Some("2024-03-01T03:14:56.25Z")),
        ("%Q", "1709262896123", Some("2024-03-01T03:14:56.123Z")),
        ("%Y-%j", "2024-366", Some("2024-12-31T00:00:00Z")),
        ("%Y-%j", "2023-366", None),
        ("%a, %e %B %Y %T %Z", "Fri,  1 March 2024 10:00:00 EDT", Some("2024-03-01T14:00:00Z")),
        ("%Y-%m-%d %H:%M:%S.%3N", "2024-03-01 00:00:00.123", Some("2024-03-01T00:00:00.123Z")),
        ("%Y-%m-%d %H:%M:%S.%N %z", "2024-03-01 00:00:00", None),
        ("%Y-%m-%d", "2024-03-01 rest", None),
        ("%Y-%m-%d", "2024-3-1", Some("2024-03-01T00:00:00Z")),
        ("%Y-%m-%d %H:%M:%S", "2024-03-01 12:34:56", Some("2024-03-01T12:34:56Z")),
        ("%Y-%m-%d %H:%M:%S", "2024-03-01  1:2:3", Some("2024-03-01T01:02:03Z")),
        ("%Y-%m-%d %H:%M:%S", "2024-03-01T12:34:56", None),
        ("%FT%T", "2024-03-01T12:34:60", Some("2024-03-01T12:34:59Z")),
        ("%FT%T", "2024-03-01 12:34:56", None),
        ("%H:%M", "25:00", None),
    ] {
        assert_eq!(read(format, text).as_deref(), expected, "{format} {text}");
    }
    assert_eq!(
        TimeFormat::compile("%Y %i").unwrap_err(),
        "expected a directive as `%Y` or `%H`, found `%i` in `%Y %i`"
    );
}

#[test]
fn the_zone_fills_in_where_the_text_has_none() {
    let tokyo = TimeDefaults { zone: zone("Asia/Tokyo").unwrap(), date: (2024, 3, 1) };
    let format = TimeFormat::compile("%H:%M").unwrap();
    assert_eq!(utc(format.parse(b"10:00", &tokyo).unwrap()), "2024-03-01T01:00:00Z");
    let new_york = TimeDefaults { zone: zone("America/New_York").unwrap(), date: (1970, 1, 1) };
    let gap = TimeFormat::ISO.parse(b"2024-03-10 02:30:00.25", &new_york).unwrap();
    assert_eq!(utc(gap), "2024-03-10T07:30:00.25Z");
    let overlap = TimeFormat::ISO.parse(b"2024-11-03 01:30", &new_york).unwrap();
    assert_eq!(utc(overlap), "2024-11-03T05:30:00Z");
    assert!(zone("Mars/Olympus").is_err());
    assert!(matches!(zone("+09:00"), Ok(Zone::Fixed(32_400))));
}

#[test]
fn days_agree_with_a_calendar() {
    let mut date = jiff::civil::date(1899, 12, 31);
    let epoch = jiff::civil::date(1970, 1, 1);
    while date.year() < 2101 {
        let expected = (date - epoch).get_days();
        assert_eq!(days(date.year().into(), date.month().into(), date.day().into()), Some(expected), "{date}");
        date = date.tomorrow().unwrap();
    }
    assert_eq!(days(1900, 2, 29), None);
    assert_eq!(parse_date(b"2000-02-29"), Some(11_016));
}

#[test]
fn access_log_times_are_read() {
    let read = |text: &str| parse_access_log_time(text.as_bytes()).map(utc);
    assert_eq!(read("17/May/2015:10:05:03 +0000").as_deref(), Some("2015-05-17T10:05:03Z"));
    assert_eq!(read("17/May/2015:00:05:03 +0900").as_deref(), Some("2015-05-16T15:05:03Z"));
    for text in [
        "17/Mai/2015:10:05:03 +0000",
        "31/Feb/2015:10:05:03 +0000",
        "17/May/2015:10:05:03",
        "17/May/2015:24:05:03 +0000",
        "",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn the_common_form_is_read_as_any_other(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}") {
        let defaults = TimeDefaults { zone: Zone::Fixed(9 * 3600), date: (1970, 1, 1) };
        let fraction = format!("{text}.0");
        proptest::prop_assert_eq!(
            TimeFormat::ISO.parse(text.as_bytes(), &defaults),
            TimeFormat::ISO.parse(fraction.as_bytes(), &defaults)
        );
    }

    #[test]
    fn nothing_panics(format in "[%a-zA-Z0-9 :/.-]{0,12}", text in "[ -~]{0,30}") {
        if let Ok(format) = TimeFormat::compile(&format) {
            let _ = format.parse(text.as_bytes(), &TimeDefaults::default());
        }
        let _ = TimeFormat::ISO.parse(text.as_bytes(), &TimeDefaults::default());
        let _ = parse_access_log_time(text.as_bytes());
    }
}
