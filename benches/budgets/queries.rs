//! The embedded query engine against plain `DataFusion`, on the same Parquet objects and in the same process.

use std::path::Path;
use std::time::Instant;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use futures::TryStreamExt as _;
use lake::Lake;
use lake::load::{LoadConfig, LoadControl, LoadToken};
use lake::name::Location;
use lake::query::Query;
use serde_json::json;

use crate::figure::{Figure, median, milliseconds, times};
use crate::loads::{ROWS, open_lake, orders_parser};
use crate::worker::{self, Numbers};
use crate::{Result, Scale, data};

/// What is asked, in words that mean the same to both; the name, then the statement.
const STATEMENTS: [(&str, &str); 4] = [
    (
        "group by country",
        "SELECT country, count(*), sum(quantity), avg(discount), min(created_at), max(price) FROM orders \
         WHERE quantity > 2 GROUP BY country ORDER BY country",
    ),
    (
        "distinct customers a day",
        "SELECT ordered_on, count(DISTINCT customer), sum(price) FROM orders GROUP BY ordered_on ORDER BY ordered_on",
    ),
    (
        "join",
        "SELECT a.customer, count(*) AS n FROM orders a JOIN (SELECT customer, max(price) AS price FROM orders GROUP BY \
         customer) b ON a.customer = b.customer AND a.price = b.price GROUP BY a.customer ORDER BY n DESC, a.customer LIMIT 10",
    ),
    ("text search", "SELECT count(*) FROM orders WHERE product LIKE '%blue%' AND note IS NOT NULL"),
];

/// Both engines on several statements, parsing and planning included.
pub(crate) fn embedded(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let rows = ROWS / scale.divisor;
    data::orders(&folder.join("orders.csv"), rows)?;
    let numbers = worker::run("query", folder, u64::try_from(scale.runs)?)?;
    let mut figures = Vec::new();
    for (name, _) in STATEMENTS {
        let (ours, plain) = (numbers.get(&format!("{name}: ours"))?, numbers.get(&format!("{name}: plain"))?);
        let what = format!("query, {name}: {} against plain DataFusion's {}", milliseconds(ours), milliseconds(plain));
        figures.push(Figure::at_most(&what, ours / plain, 1.2, times));
    }
    Ok(figures)
}

/// The worker: loads the orders into a table, then asks both engines in turn.
pub(crate) async fn compare(folder: &Path, runs: u64) -> Result<Numbers> {
    let lake = open_lake(folder).await?;
    let config: LoadConfig = serde_json::from_value(json!({
        "in": {"type": "file", "path": "orders.csv", "parser": orders_parser()},
        "out": {"type": "table", "database": "bench", "table": "orders"},
    }))?;
    let token = LoadToken { token: "bench".to_owned(), scope: "bench".to_owned() };
    let report = lake::load::run(&config, &lake, token, folder, &LoadControl::default()).await?;
    let part = report.published.first().ok_or("nothing was loaded")?;
    let objects = lake.storage.file(&Location::parse(&part.location)?);
    let plain = SessionContext::new();
    plain.register_parquet("orders", &objects.to_string_lossy(), ParquetReadOptions::default()).await?;
    let mut numbers = Numbers::default();
    for (name, statement) in STATEMENTS {
        let (mut ours_s, mut plain_s) = (Vec::new(), Vec::new());
        // The first round warms both up.
        for run in 0..=runs {
            let (took_ours, n_ours) = ask_lake(&lake, statement, &format!("{name} {run}")).await?;
            let (took_plain, n_plain) = ask_plain(&plain, statement).await?;
            if n_ours != n_plain || n_ours == 0 {
                return Err(format!("{name}: {n_ours} rows and {n_plain} rows").into());
            }
            if run > 0 {
                ours_s.push(took_ours);
                plain_s.push(took_plain);
            }
        }
        numbers = numbers.with(&format!("{name}: ours"), median(&ours_s));
        numbers = numbers.with(&format!("{name}: plain"), median(&plain_s));
    }
    Ok(numbers)
}

async fn ask_lake(lake: &Lake, statement: &str, token: &str) -> Result<(f64, usize)> {
    let started = Instant::now();
    let id = lake.engine.start(&Query::new(statement, Some("bench"), token)).await?;
    let (_columns, batches) = lake.engine.fetch(&id).await?;
    let n_rows = count(batches).await?;
    Ok((started.elapsed().as_secs_f64(), n_rows))
}

async fn ask_plain(context: &SessionContext, statement: &str) -> Result<(f64, usize)> {
    let started = Instant::now();
    let n_rows = count(context.sql(statement).await?.execute_stream().await?).await?;
    Ok((started.elapsed().as_secs_f64(), n_rows))
}

async fn count(mut batches: SendableRecordBatchStream) -> Result<usize> {
    let mut n_rows = 0;
    while let Some(batch) = batches.try_next().await? {
        n_rows += batch.num_rows();
    }
    Ok(n_rows)
}
