//! Generated input: the same bytes on every machine.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::Result;

/// Numbers that look random: [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, not including, `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let length = u64::try_from(words.len()).unwrap_or(1);
        let index = usize::try_from(self.below(length)).unwrap_or_default();
        words.get(index).copied().unwrap_or_default()
    }
}

const COUNTRIES: [&str; 12] = ["DE", "FR", "JP", "US", "BR", "IN", "GB", "IT", "ES", "SE", "PL", "KR"];
const COLORS: [&str; 8] = ["blue", "red", "green", "black", "white", "grey", "orange", "yellow"];
const THINGS: [&str; 8] = ["kettle", "lamp", "notebook", "chair", "bottle", "jacket", "bicycle", "keyboard"];

/// The columns of the orders, name and type in words that the loader and `DuckDB` both read.
pub(crate) const ORDER_COLUMNS: [(&str, &str); 10] = [
    ("id", "bigint"),
    ("created_at", "timestamp"),
    ("ordered_on", "date"),
    ("customer", "integer"),
    ("country", "varchar"),
    ("product", "varchar"),
    ("quantity", "integer"),
    ("price", "decimal(10,2)"),
    ("discount", "double"),
    ("note", "varchar"),
];

/// Writes orders as CSV with a header; returns the bytes.
pub(crate) fn orders(path: &Path, rows: u64) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    write_orders(&mut out, rows)?;
    out.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

/// Writes orders as gzip of CSV at gzip's usual level; returns the bytes of the CSV.
pub(crate) fn orders_gz(path: &Path, rows: u64) -> Result<u64> {
    let mut out = Counted { inner: GzEncoder::new(File::create(path)?, Compression::default()), bytes: 0 };
    let mut buffered = BufWriter::with_capacity(1 << 20, &mut out);
    write_orders(&mut buffered, rows)?;
    buffered.flush()?;
    drop(buffered);
    out.inner.finish()?.flush()?;
    Ok(out.bytes)
}

/// Counts what passes.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += u64::try_from(written).unwrap_or_default();
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn write_orders(out: &mut impl Write, rows: u64) -> Result<()> {
    let names: Vec<&str> = ORDER_COLUMNS.iter().map(|(name, _)| *name).collect();
    writeln!(out, "{}", names.join(","))?;
    let mut numbers = Numbers(42);
    for id in 0..rows {
        let (day, second) = (id * 360 / rows.max(1), numbers.below(86_400));
        let (month, day) = (day / 30 + 1, day % 28 + 1);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (country, color, thing) = (numbers.pick(&COUNTRIES), numbers.pick(&COLORS), numbers.pick(&THINGS));
        let (customer, model, quantity) = (numbers.below(200_000), numbers.below(50), numbers.below(9) + 1);
        let (price, cents, discount) = (numbers.below(2_000), numbers.below(100), numbers.below(1_000));
        write!(
            out,
            "{id},2024-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02},2024-{month:02}-{day:02},{customer},{country},\
             {color} {thing} {model},{quantity},{price}.{cents:02},0.{discount:03},"
        )?;
        match numbers.below(10) {
            0 => writeln!(out, "\"please, leave it at the door\"")?,
            1 => writeln!(out, "gift for customer {}", numbers.below(1_000))?,
            _ => writeln!(out)?,
        }
    }
    Ok(())
}

/// Writes a few rows for each of many partitions, scattered; returns the rows.
pub(crate) fn scattered(path: &Path, partitions: u64) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let rows = partitions * 3;
    for id in 0..rows {
        writeln!(out, "p{:05},{id}", id % partitions.max(1))?;
    }
    out.flush()?;
    Ok(rows)
}

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3",
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://example.com/bot.html)",
    "curl/8.5.0",
];

/// Writes an access log in Apache's combined format; returns the bytes.
pub(crate) fn access_log(path: &Path, rows: u64) -> Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut numbers = Numbers(7);
    for line in 0..rows {
        let second = line * 86_400 / rows.max(1);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (a, b, c) = (numbers.below(223) + 1, numbers.below(256), numbers.below(256));
        let (thing, page) = (numbers.pick(&THINGS), numbers.below(5_000));
        let status = numbers.pick(&["200", "200", "200", "200", "304", "404", "301", "500"]);
        let bytes = numbers.below(200_000);
        let referer = if numbers.below(2) == 0 { "-" } else { "https://shop.example.com/catalogue/index.html" };
        let agent = numbers.pick(&AGENTS);
        writeln!(
            out,
            "{a}.{b}.{c}.17 - - [17/May/2024:{hour:02}:{minute:02}:{second:02} +0000] \"GET /catalogue/{thing}/{page}.html \
             HTTP/1.1\" {status} {bytes} \"{referer}\" \"{agent}\""
        )?;
    }
    out.flush()?;
    Ok(std::fs::metadata(path)?.len())
}
