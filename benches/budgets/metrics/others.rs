//! What stands beside the embedded tiers: points in Redis, and the same dump by other people's programs.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use ::metrics::store::{KeyTemplate, RedisSettings, RedisStore};
use ::metrics::{EmbeddedStores, Metrics, PointStore, StoreOpener, Tier, TierName};
use async_trait::async_trait;
use lake::Secret;

use super::{DAY_MS, MINUTES, START_MS, WRITE_MINUTES, at, batch, lake_of, points_of, tiers};
use crate::figure::{Figure, megabytes, per_second, seconds};
use crate::worker::{self, Numbers};
use crate::{Result, Scale};

/// The file in a worker's folder with the address of Redis.
const ADDRESS: &str = "address";

/// A Redis server that is ended with the value.
struct Redis(Child);

impl Redis {
    /// Starts one that syncs its file once a second, and writes its address into a folder; none when there is none here.
    fn start(folder: &Path) -> Result<Option<Self>> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--daemonize", "no", "--dir"])
            .arg(folder)
            .args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        match spawned {
            Ok(child) => {
                std::fs::write(folder.join(ADDRESS), format!("redis://127.0.0.1:{port}/0"))?;
                Ok(Some(Self(child)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.kill();
        let _code = self.0.wait();
    }
}

/// Writing a day of points into Redis, hour by hour.
pub(super) fn redis(folder: &Path, series: u64, scale: Scale) -> Result<Figure> {
    const WHAT: &str = "metrics: Redis write, pipelined, its file synced each second";
    let mut rates = Vec::new();
    for run in 0..scale.runs {
        let folder = folder.join(run.to_string());
        std::fs::create_dir_all(&folder)?;
        let Some(_redis) = Redis::start(&folder)? else {
            return Ok(Figure::skipped(WHAT, "no redis-server: `./test` installs it"));
        };
        rates.push(points_of(series) / worker::run("metric-redis", &folder, series)?.get("write_s")?);
    }
    Ok(Figure::at_least(WHAT, crate::figure::median(&rates), 150_000.0, per_second("points")))
}

/// Opens the hot tier in Redis.
#[derive(Debug)]
struct HotInRedis {
    address: Secret,
    embedded: EmbeddedStores,
}

#[async_trait]
impl StoreOpener for HotInRedis {
    async fn open(&self, tier: &Tier) -> lake::Result<Arc<dyn PointStore>> {
        if tier.name.as_str() != "hot" {
            return self.embedded.open(tier).await;
        }
        let key = KeyTemplate::parse(KeyTemplate::DEFAULT, &tier.step.to_string())?;
        Ok(Arc::new(RedisStore::open(&RedisSettings { uri: self.address.clone(), key, ca_file: None })?))
    }
}

/// Writes a day into the hot tier, which is in Redis, with all that a write is: the ledger is touched before and after.
pub(crate) async fn write_redis(folder: &Path, series: u64) -> Result<Numbers> {
    let lake = lake_of(folder).await?;
    let embedded = EmbeddedStores {
        folder: lake.settings.state_dir.join("metrics"),
        crash_points: lake.settings.crash_points.clone(),
    };
    let address = Secret::new(std::fs::read_to_string(folder.join(ADDRESS))?);
    let metrics = Metrics::open(&lake, tiers()?, Arc::new(HotInRedis { address, embedded })).await?;
    let hot = TierName::new("hot")?;
    let now = at(START_MS + 2 * DAY_MS)?;
    let mut batches = Vec::new();
    for hour in 0..MINUTES / WRITE_MINUTES {
        batches.push(batch(series, hour * WRITE_MINUTES..(hour + 1) * WRITE_MINUTES)?);
    }
    // The server has started when it answers.
    metrics.store(&hot).await?.days().await?;
    let begun = Instant::now();
    let mut added = 0;
    for batch in &batches {
        added += metrics.write(&hot, batch, now).await?.merged.added;
    }
    let wall_s = begun.elapsed().as_secs_f64();
    if added != series * MINUTES {
        return Err(format!("expected {} points in Redis, found {added}", series * MINUTES).into());
    }
    Ok(Numbers::default().with("write_s", wall_s))
}

/// The same points to Parquet by polars and by pandas.
pub(super) fn by_others(python: &Path, folder: &Path, series: u64) -> Result<Vec<Figure>> {
    let parts = parquet_below(&folder.join("warehouse"))?;
    let mut figures = Vec::new();
    for library in ["polars", "pandas"] {
        let what = format!("the same points by {library}, from its memory");
        if !python.is_file() {
            figures.push(Figure::skipped(&what, "no Python with it: `./test` makes one"));
            continue;
        }
        let output = Command::new(python)
            .args(["-c", include_str!("../points_to_parquet.py"), library])
            .arg(folder.join(format!("{library}.parquet")))
            .args(&parts)
            .stdin(Stdio::null())
            .output()?;
        let numbers = Numbers::of_output(&output, library)?;
        if (numbers.get("rows")? - points_of(series)).abs() > 0.5 {
            return Err(format!("{library} wrote {} points", numbers.get("rows")?).into());
        }
        let bytes = numbers.get("bytes")? / points_of(series);
        let (wall, peak) = (seconds(numbers.get("wall_s")?), megabytes(numbers.get("peak_kib")?));
        figures.push(Figure::informative(&what, format!("{wall}, {bytes:.2} B a point, {peak} of memory")));
    }
    Ok(figures)
}

fn parquet_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(parquet_below(&path)?);
        } else if path.extension().is_some_and(|end| end == "parquet") {
            found.push(path);
        }
    }
    Ok(found)
}
