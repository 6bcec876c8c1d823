//! Whether a server keeps what is written: one that throws keys away when its memory is full loses points.

use lake::{Error, ErrorKind, Result};
use redis::Value;

use super::{RedisStore, text_of};
use crate::store::ThrownAway;

const OPERATION: &str = "look how Redis keeps points";

/// What a server says of how it keeps keys.
struct Keeping {
    /// Its `maxmemory`.
    limit: Option<String>,
    /// Its `maxmemory-policy`.
    policy: Option<String>,
    /// Its run, and how many keys it has thrown away in it.
    evicted: Option<(String, u64)>,
}

impl RedisStore {
    /// Refuses a server that throws points away by itself when its memory is full; `ending` says what that means for the call.
    ///
    /// Policies that begin with `volatile-` take only keys with a time to live, and ours have none.
    pub(super) async fn refuse_eviction(&self, operation: &'static str, ending: &str) -> Result<()> {
        let found = self.keeping().await?;
        let policy = match found.policy {
            Some(policy) => policy,
            None => self.setting(OPERATION, "maxmemory-policy").await?,
        };
        if !policy.starts_with("allkeys-") {
            return Ok(());
        }
        let limit = match found.limit {
            Some(limit) => limit,
            None => self.setting(OPERATION, "maxmemory").await?,
        };
        if limit == "0" {
            return Ok(());
        }
        let message = format!(
            "expected a Redis that keeps every key, found one that throws keys away when its memory is full \
             (`maxmemory-policy {policy}`, `maxmemory {limit}`): {ending}"
        );
        Err(Error::new(ErrorKind::ResourcesExhausted, operation, message)
            .help("set `maxmemory-policy noeviction` (or one that begins with `volatile-`) on the server"))
    }

    /// Refuses to read from a server that throws points away.
    pub(super) async fn refuse_half(&self) -> Result<()> {
        self.refuse_eviction("read points", "what it holds may not be all that was written").await
    }

    /// Returns what the server has thrown away; none where the user may not ask.
    pub(super) async fn evicted(&self) -> Result<Option<ThrownAway>> {
        let found = self.keeping().await?;
        let takes_marked_keys_only = found.policy.is_some_and(|policy| policy.starts_with("volatile-"));
        Ok(found.evicted.map(|(run, keys)| ThrownAway { run, keys, takes_marked_keys_only }))
    }

    async fn keeping(&self) -> Result<Keeping> {
        // One answer about all of it: older servers take no list of sections.
        let info = match self.connection.ask(OPERATION, &redis::cmd("INFO")).await {
            Ok(info) => text_of(&info).unwrap_or_default(),
            Err(error) if error.kind == ErrorKind::PermissionDenied => String::new(),
            Err(error) => return Err(error),
        };
        let of = |name: &str| {
            let mut fields = info.lines().filter_map(|line| line.trim().split_once(':'));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let keys = of("evicted_keys").and_then(|keys| keys.parse().ok());
        Ok(Keeping { limit: of("maxmemory"), policy: of("maxmemory_policy"), evicted: of("run_id").zip(keys) })
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
