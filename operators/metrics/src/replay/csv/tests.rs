use super::*;
use crate::duplicate::DuplicateRule;

type Found = (Vec<(i64, f64)>, Vec<String>);

fn read(text: &str) -> Result<Found> {
    let mut reader = Reader::new(text.as_bytes(), "a.csv")?;
    let mut rows = Vec::new();
    while let Some(more) = reader.next_rows(3)? {
        rows.extend(more);
    }
    if reader.is_out_of_order() {
        reader.name_repeats(Reader::new(text.as_bytes(), "a.csv")?)?;
    }
    Ok((rows, reader.places().iter().map(|place| place.tell(DuplicateRule::Last)).collect()))
}

#[test]
fn what_is_not_in_order_is_named_and_nothing_is_left_out() {
    let (rows, places) = read(
        "timestamp,value\n2014-03-09 02:55:00,1\n2014-03-09 03:00:00,2\n2014-03-09 03:00:00,2\n2014-03-09 03:00:00,5\n\
         2014-03-09 03:05:00,3\n2014-03-09 02:50:00,4\n2014-03-09 02:51:00,4\n2014-03-09T03:10:00Z,-0.0\n\n",
    )
    .unwrap();
    assert_eq!(rows.len(), 8);
    assert!(rows.last().is_some_and(|(_, value)| same_value(*value, 0.0)));
    assert_eq!(
        places,
        [
            "4-5: 2 rows repeat the time 2014-03-09T03:00:00Z of line 3, 1 with another value: the last one is kept",
            "7-8: 2 rows are out of order: 2014-03-09T02:50:00Z stands below 2014-03-09T03:05:00Z of line 6",
        ]
    );
}

#[test]
fn columns_are_found_by_their_names() {
    let (rows, _) =
        read("tier,Value,\"timestamp\"\n\"a,\"\"b\",NaN,2014-03-09T00:00:00+09:00\nx,inf,1970-01-01\n").unwrap();
    assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [1_394_290_800_000, 0]);
    assert!(rows[0].1.is_nan() && rows[1].1.is_infinite());
}

#[test]
fn a_time_finer_than_a_millisecond_is_never_cut() {
    let error =
        read("timestamp,value\n2024-03-01 00:00:00.123,1\n2024-03-01 00:00:00.1236,2\n2024-03-01T00:00:00.1239Z,3\n");
    assert_eq!(
        error.unwrap_err().message,
        "a.csv:3: expected a time of whole milliseconds, found `2024-03-01 00:00:00.1236`\n\
         a.csv:4: expected a time of whole milliseconds, found `2024-03-01T00:00:00.1239Z`"
    );
    let (rows, _) = read("timestamp,value\n2024-03-01 00:00:00.123000,1\n").unwrap();
    assert_eq!(rows, [(1_709_251_200_123, 1.0)]);
}

#[test]
fn a_zone_in_brackets_counts() {
    assert_eq!(parse_time("2024-03-01T00:00:00[Asia/Tokyo]"), parse_time("2024-02-29T15:00:00Z"));
    assert_eq!(parse_time("2024-03-01T00:00:00+09:00[Asia/Tokyo]"), parse_time("2024-02-29T15:00:00Z"));
    for odd in [
        "2024-03-01T00:00:00[America/Nowhere]",
        "2024-03-01T00:00:00+05:00[Asia/Tokyo]",
        "2024-03-01[u-ca=hebrew]",
        "2024-03-01T00:00:00[",
    ] {
        assert_eq!(parse_time(odd), None, "{odd}");
    }
}

#[test]
fn all_of_the_year_9999_is_time() {
    let (rows, _) = read("timestamp,value\n9999-12-31 23:59:59.999,1\n").unwrap();
    assert_eq!(rows, [(crate::time::END_MS - 1, 1.0)]);
    assert_eq!(parse_time("9999-12-31"), Some(crate::time::END_MS - 86_400_000));
    assert_eq!(crate::time::shown(crate::time::END_MS - 1), "9999-12-31T23:59:59.999Z");
    assert_eq!(parse_time("10000-01-01"), None);
    assert_eq!(parse_time("1969-12-31 23:59:59.9999"), Some(-1));
    // By the instant, whatever the zone.
    let end_ms = crate::time::END_MS;
    let (rows, _) = read(
        "timestamp,value\n9999-12-31T00:00:00Z,1\n9999-12-31T23:59:59.999Z,2\n9999-12-31T00:00:00+09:00,3\n\
         9999-12-31T18:59:59.999-05:00,4\n1970-01-01T09:00:00+09:00,5\n",
    )
    .unwrap();
    let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
    assert_eq!(times, [end_ms - 86_400_000, end_ms - 1, end_ms - 33 * 3_600_000, end_ms - 1, 0]);
    let error = read("timestamp,value\n9999-12-31T19:00:00-05:00,1\n1970-01-01T08:59:59+09:00,2\n").unwrap_err();
    assert_eq!(
        error.message,
        "a.csv:2: expected a time from 1970 to 9999 in UTC, found `9999-12-31T19:00:00-05:00`\n\
         a.csv:3: expected a time from 1970 to 9999 in UTC, found `1970-01-01T08:59:59+09:00`"
    );
}

/// As a load has it; what stands there already is named as any time that stands twice.
#[test]
fn a_leap_second_is_the_last_second_of_its_minute() {
    let (rows, places) =
        read("timestamp,value\n2016-12-31 23:59:59,1\n2016-12-31 23:59:60,2\n2016-12-31T23:59:60.5Z,3\n").unwrap();
    let times: Vec<String> = rows.iter().map(|row| crate::time::shown(row.0)).collect();
    assert_eq!(times, ["2016-12-31T23:59:59Z", "2016-12-31T23:59:59Z", "2016-12-31T23:59:59.5Z"]);
    let twice = "3: 1 row repeats the time 2016-12-31T23:59:59Z of line 2, 1 with another value: the last one is kept";
    assert_eq!(places, [twice]);
    assert_eq!(parse_time("2016-12-31T23:59:60Z"), parse_time("2016-12-31T23:59:59Z"));
    assert_eq!(parse_time("2016-12-31T23:59:61Z"), None);
}

#[test]
fn a_row_out_of_order_that_has_the_time_of_an_earlier_one_is_named_as_that_too() {
    let (_, places) = read(
        "timestamp,value\n2024-03-01 00:00:00,1\n2024-03-01 00:10:00,2\n2024-03-01 00:00:00,3\n2024-03-01 00:05:00,4\n\
         2024-03-01 00:05:00,4\n2024-03-01 00:00:00,3\n2024-03-01 00:20:00,5\n",
    )
    .unwrap();
    assert_eq!(
        places,
        [
            "4-7: 4 rows are out of order: 2024-03-01T00:00:00Z stands below 2024-03-01T00:10:00Z of line 3",
            "4: 1 row repeats the time 2024-03-01T00:00:00Z of line 2, 1 with another value: the last one is kept",
            "6: 1 row repeats the time 2024-03-01T00:05:00Z of line 5, with the same value: one point",
            "7: 1 row repeats the time 2024-03-01T00:00:00Z of line 2, with the same value: one point",
        ]
    );
}

#[test]
fn lines_that_cannot_be_read_are_named() {
    let error = read(
        "timestamp,value\n2014-03-09,1\nyesterday,1\n2014-03-09,\n1969-12-31,1\n2014-03-09\n\
             2014-03-09,-1e400\n2014-03-09,1,99\n",
    )
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnreadableLines);
    assert_eq!(
        error.message,
        "a.csv:3: expected a time such as `2014-02-14 14:30:00`, found `yesterday`\n\
         a.csv:4: expected a number, found ``\n\
         a.csv:5: expected a time from 1970 to 9999 in UTC, found `1969-12-31`\n\
         a.csv:6: expected a value, found only 1 field\n\
         a.csv:7: expected a number that a double holds, found `-1e400`\n\
         a.csv:8: expected 2 fields, as the header has, found 3"
    );
    for header in ["", "time,value\n", "a\n", "timestamp,value,value\n"] {
        let error = read(header).unwrap_err();
        assert!(error.message.starts_with("a.csv:1: expected the header `timestamp,value`, found `"), "{error}");
    }
}

#[test]
fn what_else_is_in_a_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str| std::fs::write(folder.path().join(name), "timestamp,value\n").unwrap();
    std::fs::create_dir(folder.path().join("more.csv")).unwrap();
    for name in ["b.csv.gz", "_hidden.csv", ".DS_Store"] {
        make(name);
    }
    let error = list(folder.path()).unwrap_err();
    assert!(error.message.ends_with("which are left out; there is `b.csv.gz`, `more.csv/`"), "{error}");
    make("a.CSV");
    let listed = list(folder.path()).unwrap();
    assert_eq!(listed.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert_eq!((listed.hidden, listed.others), (1, vec!["b.csv.gz".to_owned(), "more.csv/".to_owned()]));
    make("a.csv");
    let error = list(folder.path()).unwrap_err();
    assert!(error.message.ends_with("/a.csv` would be one series, `a`"), "{error}");
    std::fs::remove_file(folder.path().join("a.csv")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("z.csv")).unwrap();
    assert_eq!(list(folder.path()).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(some(&["a", "b", "c", "d", "e", "f", "g"].map(str::to_owned)), "`a`, `b`, `c`, `d`, `e` and 2 more");
}
