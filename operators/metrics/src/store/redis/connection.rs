//! The connection to one server: opened when it is needed, and again when it is lost; calls are repeated, because every one
//! of ours may be.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lake::pause::Patience;
use lake::{Error, ErrorKind, Result, Secret};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, Pipeline, RedisError, RedisResult, ServerErrorKind, TlsCertificates,
    Value,
};
use sha1::{Digest, Sha1};
use tokio::sync::Mutex;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take: a server that saves or scans may stand still for seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server that cannot be reached is waited for, however long each try takes: one that hangs takes connections, and says
/// nothing.
const OUTAGE: Duration = Duration::from_secs(10);

/// How often a call is tried: for about ten seconds, in which a server restarts or a replica takes over.
const PATIENCE: Patience = Patience { tries: 10, first: Duration::from_millis(100), longest: Duration::from_secs(2) };

/// The connection to one server. Calls share it: requests are sent one behind the other without waiting for answers.
pub(super) struct Connection {
    client: redis::Client,
    address: String,
    pub(super) patience: Patience,
    open: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    /// Counts what was opened, so that a call gives up the connection that failed it and no later one.
    generation: u64,
    connection: Option<MultiplexedConnection>,
}

/// The address and the key would be safe to show; the login is not.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A script that runs in the server.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl Script {
    /// Takes the text of a script.
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: format!("{:x}", Sha1::digest(text)) }
    }
}

/// What a script is run with.
#[derive(Debug, Default)]
pub(super) struct ScriptCall {
    /// The keys that it reads and writes.
    pub(super) keys: Vec<Vec<u8>>,
    /// Everything else.
    pub(super) arguments: Vec<String>,
}

impl ScriptCall {
    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        command
    }
}

/// What is sent.
#[derive(Clone, Copy)]
enum Request<'a> {
    One(&'a Cmd),
    All(&'a Pipeline),
    /// A script by its hash, which may be unknown: then the answer is nothing.
    Script(&'a Cmd),
}

impl Request<'_> {
    async fn answer(self, mut connection: MultiplexedConnection) -> RedisResult<Value> {
        match self {
            Self::One(command) => connection.send_packed_command(command).await?.extract_error(),
            Self::Script(command) => match connection.send_packed_command(command).await?.extract_error() {
                Err(error) if error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript) => Ok(Value::Nil),
                answer => answer,
            },
            Self::All(commands) => {
                let answers = connection.send_packed_commands(commands, 0, commands.len()).await?;
                let failed = answers.iter().find_map(|answer| match answer {
                    Value::ServerError(error) if !is_other_type(answer) => Some(error.clone()),
                    _ => None,
                });
                failed.map_or(Ok(Value::Array(answers)), |error| Err(error.into()))
            }
        }
    }
}

/// Tells whether an answer says that the key holds something else than what the command is for.
pub(super) fn is_other_type(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "WRONGTYPE")
}

impl Connection {
    /// Makes a connection; nothing is sent.
    ///
    /// # Errors
    /// `InvalidInput` for an address that cannot be used, which is not repeated: a password may stand in it.
    pub(super) fn new(uri: &Secret, ca_file: Option<&PathBuf>) -> Result<Self> {
        let wrong = |message: &str| {
            Error::new(ErrorKind::InvalidInput, "open Redis", message).help(
                "write it as `redis://user:password@host:6379/0`, with `rediss:` for TLS; in a password `%40` stands for `@`, `%23` for \
                 `#`, `%2F` for `/`, `%3A` for `:`, `%3F` for `?` and `%25` for `%`",
            )
        };
        // Where one of these stands in a password as it is, what follows is taken for the server, and would be told as that.
        let address = uri.reveal().strip_suffix("#insecure").unwrap_or(uri.reveal());
        if address.contains('#') || address.matches('@').count() > 1 {
            return Err(wrong(
                "expected the address of a Redis server as `uri`, found one with `#`, or with more than one `@`",
            ));
        }
        let client = match ca_file {
            None => redis::Client::open(uri.reveal()),
            Some(file) => {
                let text = std::fs::read(file).map_err(|error| Error::io("read the certificates", file, error))?;
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(text) };
                redis::Client::build_with_tls(uri.reveal(), certificates)
            }
        };
        let client = client.map_err(|error| match ca_file {
            Some(file) if uri.reveal().starts_with("rediss:") && error.is_io_error() => {
                let message = format!("cannot read the certificates: {error}");
                Error::new(ErrorKind::InvalidInput, "open Redis", message).with("path", file.display().to_string())
            }
            Some(_) if uri.reveal().starts_with("redis:") => {
                wrong("certificates are given, and the address of Redis does not begin with `rediss:`")
            }
            _ => wrong("expected the address of a Redis server as `uri`, found something else"),
        })?;
        let address = client.get_connection_info().addr();
        if matches!(address, ConnectionAddr::TcpTls { insecure: true, .. }) {
            return Err(wrong(
                "a connection with TLS whose certificate is not looked at (`#insecure`) protects nothing",
            )
            .help("name the file of the authority that signed the server's certificate: `ca_file`"));
        }
        let address = address.to_string();
        Ok(Self { client, address, patience: PATIENCE, open: Mutex::default() })
    }

    /// Sends a command until somebody answers it.
    ///
    /// # Errors
    /// What is said of the last try.
    pub(super) async fn ask(&self, operation: &'static str, command: &Cmd) -> Result<Value> {
        self.sent(operation, Request::One(command)).await
    }

    /// Sends commands one behind the other until somebody answers all of them. That a key holds something else than a hash is an
    /// answer: [`is_other_type`] knows it.
    ///
    /// # Errors
    /// What is said of the last try.
    pub(super) async fn ask_all(&self, operation: &'static str, commands: &Pipeline) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        match self.sent(operation, Request::All(commands)).await? {
            Value::Array(answers) => Ok(answers),
            other => Ok(vec![other]),
        }
    }

    /// Runs a script, all of whose effects are one step.
    ///
    /// # Errors
    /// What is said of the last try.
    pub(super) async fn evaluate(
        &self,
        operation: &'static str,
        script: &Script,
        call: &ScriptCall,
    ) -> Result<Vec<Value>> {
        let known = call.command("EVALSHA", &script.hash);
        let answer = match self.sent(operation, Request::Script(&known)).await? {
            // The server has forgotten it, or never heard of it.
            Value::Nil => self.ask(operation, &call.command("EVAL", script.text)).await?,
            answer => answer,
        };
        match answer {
            Value::Array(answer) => Ok(answer),
            _ => Err(Error::new(
                ErrorKind::External,
                operation,
                "a script answered something that is none of its answers",
            )
            .with("server", &self.address)),
        }
    }

    async fn sent(&self, operation: &'static str, request: Request<'_>) -> Result<Value> {
        let mut pauses = self.patience.begin();
        let begun = Instant::now();
        loop {
            let error = match self.get(OUTAGE.saturating_sub(begun.elapsed())).await {
                Err(error) => error,
                Ok((generation, connection)) => match request.answer(connection).await {
                    Ok(value) => return Ok(value),
                    Err(error) => {
                        if needs_another_connection(&error) {
                            self.forget(generation).await;
                        }
                        error
                    }
                },
            };
            if !may_pass(&error) || begun.elapsed() >= OUTAGE || !pauses.wait().await {
                return Err(self.error(operation, &error));
            }
            tracing::debug!(%error, "Redis is asked again");
        }
    }

    /// Returns the connection; where there is none, one that is opened in the time that is left, and a second at least.
    async fn get(&self, left: Duration) -> RedisResult<(u64, MultiplexedConnection)> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &open.connection {
            return Ok((open.generation, connection.clone()));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(left.clamp(Duration::from_secs(1), CONNECT_TIMEOUT)))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        open.generation += 1;
        open.connection = Some(connection.clone());
        Ok((open.generation, connection))
    }

    /// Returns the number of the connection that is open, which another one does not have.
    pub(super) async fn generation(&self) -> u64 {
        self.open.lock().await.generation
    }

    async fn forget(&self, generation: u64) {
        let mut open = self.open.lock().await;
        if open.generation == generation {
            open.connection = None;
        }
    }

    /// Makes our error of one of Redis. What Redis says holds no login.
    fn error(&self, operation: &'static str, error: &RedisError) -> Error {
        let said = said(error);
        let made = |kind, message: String| Error::new(kind, operation, message).with("server", &self.address);
        // What a command in a script says stands in the script's own error on old servers.
        let within = ["OOM", "WRONGTYPE", "MISCONF"].into_iter().find(|code| said.contains(code));
        let code = within.or(error.code()).unwrap_or_default();
        if error.kind() == redis::ErrorKind::AuthenticationFailed || matches!(code, "NOAUTH" | "WRONGPASS") {
            return made(ErrorKind::PermissionDenied, format!("Redis does not let us in: {said}")).help(
                "look at the user and the password in `uri`; a password belongs into a secret: `${secret:redis}`",
            );
        }
        match code {
            "NOPERM" => made(ErrorKind::PermissionDenied, format!("Redis does not let us {operation}: {said}")).help(
                "allow `+eval +evalsha +script|load +hmget +hset +hdel +hgetall +hkeys +hlen +scan +info` on the keys, and on the key `suiro:tiers`",
            ),
            "OOM" => {
                made(ErrorKind::ResourcesExhausted, "the memory of Redis is full: nothing more is written".to_owned())
                    .help("give it more memory (`maxmemory`), or move points on sooner (`flush:` of the tier)")
            }
            "WRONGTYPE" => {
                made(ErrorKind::InvalidData, "a key of the tier holds something else than a hash".to_owned())
                    .help("give the tier keys of its own (`key: points:{step}:{name}`)")
            }
            "MISCONF" => made(
                ErrorKind::ResourcesExhausted,
                "Redis takes no writes, because it cannot save what it has on its disk: nothing more is written".to_owned(),
            )
            .help("look at the room and the rights on its disk, and at its log; it takes writes again when it has saved (`BGSAVE`)"),
            "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => {
                made(ErrorKind::InvalidInput, "this Redis is a node of a cluster, which a tier cannot be on".to_owned())
                    .help("name a server that has all of the tier's keys")
            }
            "READONLY" => made(ErrorKind::External, "this Redis is a replica, which takes no writes".to_owned())
                .retryable()
                .help("name the primary as `uri`"),
            "" => {
                let is_certificate = said.contains("ertificate") || said.contains("UnknownIssuer");
                let message = format!("cannot reach Redis at `{}`: {said}", self.address);
                let made = Error::new(ErrorKind::External, operation, message).retryable();
                made.help(if is_certificate {
                    "name the file of the authority that signed the server's certificate: `ca_file`"
                } else {
                    "look at `uri`, and whether the server runs; with TLS the address begins with `rediss:`"
                })
            }
            _ => made(ErrorKind::External, format!("cannot {operation}: Redis says `{said}`")),
        }
    }
}

/// Returns what an error says, without the words that the client puts before it.
fn said(error: &RedisError) -> String {
    let said = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (_, Some(detail)) => detail.to_owned(),
        _ => error.to_string(),
    };
    // Where a script of ours said it: `… script: HASH, on @user_script:7.`
    said.split(" script: ").next().unwrap_or(&said).trim_end_matches('.').to_owned()
}

/// Tells whether the connection that an error came by is of no use any more.
fn needs_another_connection(error: &RedisError) -> bool {
    // After a time-out too: whether the server is there is then unknown. A replica stays one until somebody else is primary.
    error.is_io_error()
        || matches!(error.kind(), redis::ErrorKind::Parse | redis::ErrorKind::Server(ServerErrorKind::ReadOnly))
}

/// Tells whether the same call may do better after a pause.
fn may_pass(error: &RedisError) -> bool {
    let is_certificate = || said(error).contains("ertificate");
    match error.kind() {
        redis::ErrorKind::Io => !is_certificate(),
        redis::ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
        ),
        // Another client's script runs.
        _ => error.code() == Some("BUSY"),
    }
}
