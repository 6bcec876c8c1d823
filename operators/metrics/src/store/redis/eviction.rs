//! Whether a server keeps what is written: one that throws keys away when its memory is full loses points.

use lake::{Error, ErrorKind, Result};
use redis::Value;

use super::{RedisStore, text_of};

impl RedisStore {
    /// Refuses a server that throws points away by itself when its memory is full.
    ///
    /// Policies that begin with `volatile-` take only keys with a time to live, and ours have none.
    pub(super) async fn refuse_eviction(&self) -> Result<()> {
        const OPERATION: &str = "look how Redis keeps points";
        let (limit, policy) = match self.connection.ask(OPERATION, redis::cmd("INFO").arg("memory")).await {
            Ok(info) => {
                let info = text_of(&info).unwrap_or_default();
                let field = |name: &str| {
                    let lines = info.lines().map(str::trim);
                    lines.filter_map(|line| line.split_once(':')).find(|(key, _)| *key == name)
                };
                let of = |name| field(name).map(|(_, value)| value.to_owned());
                (of("maxmemory"), of("maxmemory_policy"))
            }
            Err(error) if error.kind == ErrorKind::PermissionDenied => (None, None),
            Err(error) => return Err(error),
        };
        let policy = match policy {
            Some(policy) => policy,
            None => self.setting(OPERATION, "maxmemory-policy").await?,
        };
        if !policy.starts_with("allkeys-") {
            return Ok(());
        }
        let limit = match limit {
            Some(limit) => limit,
            None => self.setting(OPERATION, "maxmemory").await?,
        };
        if limit == "0" {
            return Ok(());
        }
        let message = format!(
            "expected a Redis that keeps every key, found one that throws keys away when its memory is full \
             (`maxmemory-policy {policy}`, `maxmemory {limit}`): nothing was written"
        );
        Err(Error::new(ErrorKind::ResourcesExhausted, "write points", message)
            .help("set `maxmemory-policy noeviction` (or one that begins with `volatile-`) on the server"))
    }

    async fn setting(&self, operation: &'static str, name: &str) -> Result<String> {
        let answer = self.connection.ask(operation, redis::cmd("CONFIG").arg("GET").arg(name)).await?;
        let value = match &answer {
            Value::Array(pair) => pair.get(1).and_then(text_of),
            Value::Map(pairs) => pairs.first().and_then(|(_, value)| text_of(value)),
            _ => None,
        };
        value.ok_or_else(|| {
            let message = format!("Redis does not tell its `{name}`, so that nobody knows whether it keeps points");
            Error::new(ErrorKind::PermissionDenied, operation, message).help("allow the user `+info`, or `+config|get`")
        })
    }
}
