//! The loader: CSV against `DuckDB` on the same file, gzip, access logs. Every load is a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lake::load::{LoadConfig, LoadControl, LoadToken};
use lake::{Lake, LakeSettings};
use serde_json::{Value, json};

use crate::data::{self, ORDER_COLUMNS};
use crate::figure::{Figure, median, megabytes, per_second, seconds, times};
use crate::worker::{self, Numbers};
use crate::{Result, SUIRO, Scale};

/// What a worker is told to load.
const CONFIG: &str = "config.json";

/// Rows of the CSV file: some 350 MB.
pub(crate) const ROWS: u64 = 4_000_000;

/// Partitions of one load.
const PARTITIONS: u64 = 3_000;

/// CSV → Parquet with zstd; the files lie in the page cache, both programs use all cores.
pub(crate) fn csv(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let rows = ROWS / scale.divisor;
    let input = folder.join("orders.csv");
    let bytes = data::orders(&input, rows)?;
    write_config(folder, "orders.csv", &orders_parser(), &json!({"type": "file", "path": "out"}))?;
    let python = readers_python();
    let has_duckdb = python.try_exists()?;
    let (mut ours, mut duckdb) = (Runs::default(), Runs::default());
    for _ in 0..scale.runs {
        ours.add(&run_load(folder, rows)?)?;
        if has_duckdb {
            duckdb.add(&run_duckdb(&python, folder, &input, rows)?)?;
        }
    }
    let what = format!("CSV → Parquet (zstd), {} MB", bytes / 1_000_000);
    let mut figures = vec![
        Figure::informative(&format!("{what}: wall"), seconds(ours.wall())),
        Figure::informative(&format!("{what}: peak memory"), megabytes(ours.peak())),
        Figure::informative(&format!("{what}: processor time"), seconds(ours.processor())),
    ];
    if !has_duckdb {
        let missing = "DuckDB is missing: `./test` installs it below the target folder";
        figures.push(Figure::skipped("the same by DuckDB", missing));
        return Ok(figures);
    }
    figures.extend([
        Figure::informative("the same by DuckDB: wall", seconds(duckdb.wall())),
        Figure::informative("the same by DuckDB: peak memory", megabytes(duckdb.peak())),
        Figure::informative("the same by DuckDB: processor time", seconds(duckdb.processor())),
        Figure::at_most("wall, as a share of DuckDB's", ours.wall() / duckdb.wall(), 0.75, times),
        Figure::at_most("peak memory, as a share of DuckDB's", ours.peak() / duckdb.peak(), 1.0 / 3.0, times),
    ]);
    Ok(figures)
}

/// gzip of CSV → Parquet: one stream that can only be unpacked from its beginning.
pub(crate) fn csv_gz(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let rows = ROWS / 2 / scale.divisor;
    let bytes = data::orders_gz(&folder.join("orders.csv.gz"), rows)?;
    write_config(folder, "orders.csv.gz", &orders_parser(), &json!({"type": "file", "path": "out"}))?;
    let mut ours = Runs::default();
    for _ in 0..scale.runs {
        ours.add(&run_load(folder, rows)?)?;
    }
    let plain = megabytes_of(bytes)?;
    Ok(vec![
        Figure::informative("CSV.gz → Parquet, plain CSV by wall time", per_second("MB")(plain / ours.wall())),
        Figure::at_least(
            "CSV.gz → Parquet, plain CSV a core (by processor time)",
            plain / ours.processor(),
            150.0,
            per_second("MB"),
        ),
    ])
}

/// Access log → Parquet.
pub(crate) fn apache(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let rows = 2_000_000 / scale.divisor;
    let bytes = data::access_log(&folder.join("access.log"), rows)?;
    write_config(folder, "access.log", &json!({"type": "apache_combined"}), &json!({"type": "file", "path": "out"}))?;
    let mut ours = Runs::default();
    for _ in 0..scale.runs {
        ours.add(&run_load(folder, rows)?)?;
    }
    let rate = f64::from(u32::try_from(rows)?) / ours.wall();
    Ok(vec![
        Figure::informative("access log → Parquet", per_second("rows")(rate)),
        Figure::informative("access log → Parquet, bytes", per_second("MB")(megabytes_of(bytes)? / ours.wall())),
        Figure::informative("access log → Parquet, peak memory", megabytes(ours.peak())),
    ])
}

/// Many partitions in one load: what each costs besides its rows.
pub(crate) fn partitions(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let partitions = PARTITIONS / scale.divisor;
    let rows = data::scattered(&folder.join("scattered.csv"), partitions)?;
    let columns = json!([{"name": "part", "type": "varchar"}, {"name": "id", "type": "bigint"}]);
    let parser = json!({"type": "csv", "columns": columns});
    let out = json!({"type": "table", "database": "bench", "table": "scattered", "partition_by": {"p": "part"},
                     "mode": "replace_partitions"});
    write_config(folder, "scattered.csv", &parser, &out)?;
    let mut ours = Runs::default();
    for _ in 0..scale.runs {
        let numbers = worker::run("load", folder, rows)?;
        same_rows(&numbers, rows, "the loader")?;
        ours.add(&numbers)?;
        for made in ["state", "warehouse"] {
            fs::remove_dir_all(folder.join(made))?;
        }
    }
    let rate = f64::from(u32::try_from(partitions)?) / ours.wall();
    let what = format!("{partitions} partitions in one load");
    Ok(vec![
        Figure::informative(&format!("{what}: partitions"), per_second("partitions")(rate)),
        Figure::informative(&format!("{what}: peak memory"), megabytes(ours.peak())),
    ])
}

/// The worker: does the load that the folder's config says.
pub(crate) async fn load(folder: &Path) -> Result<Numbers> {
    let config: LoadConfig = serde_json::from_slice(&fs::read(folder.join(CONFIG))?)?;
    let started = Instant::now();
    let lake = open_lake(folder).await?;
    let token = LoadToken { token: "bench".to_owned(), scope: "bench".to_owned() };
    let report = lake::load::run(&config, &lake, token, folder, &LoadControl::default()).await?;
    let wall = started.elapsed().as_secs_f64();
    let rows = f64::from(u32::try_from(report.rows)?);
    Ok(Numbers::default().with("wall_s", wall).with("rows", rows))
}

/// Opens the lake of a folder.
pub(crate) async fn open_lake(folder: &Path) -> Result<Lake> {
    Ok(Lake::open(LakeSettings::new(folder.join("state"), folder.join("warehouse"))).await?)
}

/// Returns the parser of the orders, with their types told.
pub(crate) fn orders_parser() -> Value {
    let columns: Vec<Value> = ORDER_COLUMNS.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
    json!({"type": "csv", "header_line": true, "columns": columns})
}

fn write_config(folder: &Path, input: &str, parser: &Value, out: &Value) -> Result<()> {
    let config = json!({"in": {"type": "file", "path": input, "parser": parser}, "out": out});
    fs::write(folder.join(CONFIG), config.to_string())?;
    Ok(())
}

/// The figures of several runs.
#[derive(Debug, Default)]
struct Runs {
    walls: Vec<f64>,
    peaks: Vec<f64>,
    processor: Vec<f64>,
}

impl Runs {
    fn add(&mut self, numbers: &Numbers) -> Result<()> {
        self.walls.push(numbers.get("wall_s")?);
        self.peaks.push(numbers.get("peak_kib")?);
        self.processor.push(numbers.get("processor_s")?);
        Ok(())
    }

    fn wall(&self) -> f64 {
        median(&self.walls)
    }

    fn peak(&self) -> f64 {
        median(&self.peaks)
    }

    fn processor(&self) -> f64 {
        median(&self.processor)
    }
}

fn run_load(folder: &Path, rows: u64) -> Result<Numbers> {
    let numbers = worker::run("load", folder, rows)?;
    same_rows(&numbers, rows, "the loader")?;
    fs::remove_dir_all(folder.join("out"))?;
    Ok(numbers)
}

/// Runs the same by `DuckDB`, types told too, with its defaults.
fn run_duckdb(python: &Path, folder: &Path, input: &Path, rows: u64) -> Result<Numbers> {
    let columns: serde_json::Map<String, Value> =
        ORDER_COLUMNS.iter().map(|(name, kind)| ((*name).to_owned(), json!(kind))).collect();
    let output = Command::new(python)
        .arg("-c")
        .arg(include_str!("duckdb_csv.py"))
        .arg(input)
        .arg(folder.join("duckdb.parquet"))
        .arg(Value::Object(columns).to_string())
        .stdin(Stdio::null())
        .output()?;
    let numbers = Numbers::of_output(&output, "DuckDB")?;
    same_rows(&numbers, rows, "DuckDB")?;
    Ok(numbers)
}

fn same_rows(numbers: &Numbers, rows: u64, who: &str) -> Result<()> {
    let (found, wanted) = (numbers.get("rows")?, f64::from(u32::try_from(rows)?));
    if (found - wanted).abs() > 0.5 {
        return Err(format!("{who} wrote {found} rows of {wanted}").into());
    }
    Ok(())
}

/// The Python that `./test` made, below the target folder.
pub(crate) fn readers_python() -> PathBuf {
    // TARGET/release/suiro
    let target = Path::new(SUIRO).ancestors().nth(2).unwrap_or_else(|| Path::new("target"));
    target.join("readers/bin/python")
}

fn megabytes_of(bytes: u64) -> Result<f64> {
    Ok(f64::from(u32::try_from(bytes / 1_000)?) / 1e3)
}
