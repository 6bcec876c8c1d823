//! The embedded query engine against plain `DataFusion`, on the same Parquet objects and in the same process.

use std::path::Path;
use std::time::Instant;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::functions_aggregate::count::count_all;
use datafusion::functions_aggregate::expr_fn::{avg, count_distinct, max, min, sum};
use datafusion::prelude::{DataFrame, JoinType, ParquetReadOptions, SessionContext, col, lit};
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

/// What is asked: the name, the statement for our engine, and the same for plain `DataFusion`, which is built without its
/// SQL: its side is planned by calls and spares the parsing.
const QUESTIONS: [Question; 4] = [
    Question {
        name: "group by country",
        statement: "SELECT country, count(*), sum(quantity), avg(discount), min(created_at), max(price) FROM orders \
                    WHERE quantity > 2 GROUP BY country ORDER BY country",
        plain: |orders| {
            let figures = vec![
                count_all(),
                sum(col("quantity")),
                avg(col("discount")),
                min(col("created_at")),
                max(col("price")),
            ];
            orders
                .filter(col("quantity").gt(lit(2)))?
                .aggregate(vec![col("country")], figures)?
                .sort_by(vec![col("country")])
        },
    },
    Question {
        name: "distinct customers a day",
        statement: "SELECT ordered_on, count(DISTINCT customer), sum(price) FROM orders GROUP BY ordered_on \
                    ORDER BY ordered_on",
        plain: |orders| {
            orders
                .aggregate(vec![col("ordered_on")], vec![count_distinct(col("customer")), sum(col("price"))])?
                .sort_by(vec![col("ordered_on")])
        },
    },
    Question {
        name: "join",
        statement: "SELECT a.customer, count(*) AS n FROM orders a JOIN (SELECT customer, max(price) AS price FROM orders \
                    GROUP BY customer) b ON a.customer = b.customer AND a.price = b.price GROUP BY a.customer \
                    ORDER BY n DESC, a.customer LIMIT 10",
        plain: |orders| {
            let dearest = orders
                .clone()
                .aggregate(vec![col("customer")], vec![max(col("price")).alias("dearest_price")])?
                .select(vec![col("customer").alias("dearest_customer"), col("dearest_price")])?;
            orders
                .join(dearest, JoinType::Inner, &["customer", "price"], &["dearest_customer", "dearest_price"], None)?
                .aggregate(vec![col("customer")], vec![count_all().alias("n")])?
                .sort(vec![col("n").sort(false, false), col("customer").sort(true, false)])?
                .limit(0, Some(10))
        },
    },
    Question {
        name: "text search",
        statement: "SELECT count(*) FROM orders WHERE product LIKE '%blue%' AND note IS NOT NULL",
        plain: |orders| {
            orders
                .filter(col("product").like(lit("%blue%")).and(col("note").is_not_null()))?
                .aggregate(Vec::new(), vec![count_all()])
        },
    },
];

/// A question to both engines.
struct Question {
    name: &'static str,
    statement: &'static str,
    plain: fn(DataFrame) -> datafusion::error::Result<DataFrame>,
}

/// Both engines on several statements, planning included.
pub(crate) fn embedded(folder: &Path, scale: Scale) -> Result<Vec<Figure>> {
    let rows = ROWS / scale.divisor;
    data::orders(&folder.join("orders.csv"), rows)?;
    let numbers = worker::run("query", folder, u64::try_from(scale.runs)?)?;
    let mut figures = Vec::new();
    for Question { name, .. } in QUESTIONS {
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
    let objects = lake.storage.file(&Location::parse(&part.location)?).ok_or("the lake is in no folder")?;
    let plain = SessionContext::new();
    plain.register_parquet("orders", &objects.to_string_lossy(), ParquetReadOptions::default()).await?;
    let mut numbers = Numbers::default();
    for Question { name, statement, plain: ask } in QUESTIONS {
        let (mut ours_s, mut plain_s) = (Vec::new(), Vec::new());
        // The first round warms both up.
        for run in 0..=runs {
            let (took_ours, n_ours) = ask_lake(&lake, statement, &format!("{name} {run}")).await?;
            let (took_plain, n_plain) = ask_plain(&plain, ask).await?;
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

async fn ask_plain(
    context: &SessionContext,
    ask: fn(DataFrame) -> datafusion::error::Result<DataFrame>,
) -> Result<(f64, usize)> {
    let started = Instant::now();
    let asked = ask(context.table("orders").await?)?;
    let n_rows = count(asked.execute_stream().await?).await?;
    Ok((started.elapsed().as_secs_f64(), n_rows))
}

async fn count(mut batches: SendableRecordBatchStream) -> Result<usize> {
    let mut n_rows = 0;
    while let Some(batch) = batches.try_next().await? {
        n_rows += batch.num_rows();
    }
    Ok(n_rows)
}
