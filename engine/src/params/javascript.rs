//! Runs the expressions that are more than a name, in `QuickJS`: no host access, limits on memory, stack and steps.
//!
//! One engine per thread. After its prelude ([`host`]'s functions, `Date`, `moment`) every object that a script can reach is
//! frozen, so that no expression can leave anything behind for the next one. Parameters come in as a frozen object: those
//! not evaluated yet as getters that stop the run and say what they need.

mod host;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::context::EvalOptions;
use rquickjs::{Array, CatchResultExt, CaughtError, Context, Ctx, Function, IntoJs, Object, Persistent, Runtime};
use serde_json::Value;

use super::template::{TemplateErrorKind, TemplateSettings};

/// The most memory an engine may use, in bytes.
const MEMORY_LIMIT: usize = 64 << 20;
/// The most stack an expression may use, in bytes; a thread of tokio has 2 MiB.
const STACK_LIMIT: usize = 512 << 10;
/// How many times the engine may ask whether to go on; it asks every 10,000 branches and calls: a second of a tight loop.
/// A count and not a clock, so that an expression ends the same way on every machine.
const STEP_LIMIT: u32 = 5_000;
/// The longest an expression may take, for steps that are slow by themselves; far above what [`STEP_LIMIT`] allows otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The names of JavaScript and of the prelude that an expression may use; everything else is taken away.
pub(crate) const GLOBALS: &[&str] = &[
    "Array",
    "BigInt",
    "Boolean",
    "Date",
    "Error",
    "EvalError",
    "Function",
    "Infinity",
    "JSON",
    "Map",
    "Math",
    "NaN",
    "Number",
    "Object",
    "Proxy",
    "RangeError",
    "ReferenceError",
    "Reflect",
    "RegExp",
    "Set",
    "String",
    "Symbol",
    "SyntaxError",
    "TypeError",
    "URIError",
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "eval",
    "globalThis",
    "isFinite",
    "isNaN",
    "moment",
    "parseFloat",
    "parseInt",
    "undefined",
    "unescape",
];

/// The scripts that make `moment`, in this order; each fills the object they share.
const MOMENT: [&str; 5] = [
    include_str!("javascript/civil.js"),
    include_str!("javascript/duration.js"),
    include_str!("javascript/format.js"),
    include_str!("javascript/parse.js"),
    include_str!("javascript/moment.js"),
];

/// A parameter on its way into JavaScript.
#[derive(Debug)]
pub(crate) enum Input<'v> {
    Plain(&'v Value),
    Made(Rc<Value>),
    Map(Vec<(&'v str, Self)>),
    /// A template that is not evaluated yet, by its number.
    Pending(usize),
}

/// How a run of an expression ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// With this text.
    Text(String),
    /// It needs this template first.
    Needs(usize),
    /// Not at all; the message names what is wrong.
    Failed(TemplateErrorKind, String),
}

thread_local! {
    // QuickJS belongs to one thread. Nothing of one evaluation is seen by the next: what it could change is frozen.
    static ENGINE: RefCell<Slot> = const { RefCell::new(Slot(None)) };
}

/// The engine of a thread.
struct Slot(Option<Engine>);

impl Slot {
    /// Returns the engine, with `moment` when that is asked for; starts one when there is none such.
    fn engine(&mut self, moment: bool) -> Result<&mut Engine, String> {
        if let Some(engine) = self.0.take_if(|engine| engine.moment || !moment) {
            return Ok(self.0.insert(engine));
        }
        self.clear();
        Ok(self.0.insert(Engine::new(moment)?))
    }

    fn clear(&mut self) {
        // An engine that ran out of memory may hold on to objects, and QuickJS aborts the process when it is to free an
        // engine that does. Such an engine is let be; it costs the memory that it still holds.
        if let Some(engine) = self.0.take().filter(|engine| engine.hit_limit) {
            std::mem::forget(engine);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Evaluates an expression to its text.
pub(crate) fn evaluate(
    source: &str,
    bindings: &[(&str, Input<'_>)],
    settings: &TemplateSettings,
    seed: u64,
) -> Outcome {
    // More than half of the time that an engine takes to start goes into `moment`, which most expressions do not need.
    let moment = ["moment", "eval", "Function", "globalThis", "\\"].iter().any(|word| source.contains(word));
    ENGINE.with(|slot| {
        let mut slot = slot.borrow_mut();
        let engine = match slot.engine(moment) {
            Ok(engine) => engine,
            Err(error) => {
                return Outcome::Failed(TemplateErrorKind::TooBig, format!("JavaScript did not start: {error}"));
            }
        };
        let outcome = engine.evaluate(source, bindings, settings, seed);
        if matches!(outcome, Outcome::Failed(TemplateErrorKind::TooBig | TemplateErrorKind::TooLong, _)) {
            engine.hit_limit = true;
            if engine.holds_on_to_memory() {
                slot.clear();
            }
        }
        outcome
    })
}

/// How long an expression has run.
struct Limit {
    steps: Cell<u32>,
    start: Cell<Instant>,
}

impl Limit {
    fn begin(&self) {
        self.steps.set(0);
        self.start.set(Instant::now());
    }

    /// Counts a step; true when there may be no more.
    fn step(&self) -> bool {
        self.steps.set(self.steps.get().saturating_add(1));
        self.is_reached()
    }

    fn is_reached(&self) -> bool {
        self.steps.get() > STEP_LIMIT || self.start.get().elapsed() > TIME_LIMIT
    }
}

struct Engine {
    // Fields are dropped in this order: what lives in the context before the context, the context before the runtime.
    run: Persistent<Function<'static>>,
    pending: Persistent<Function<'static>>,
    context: Context,
    /// Whether it has `moment`.
    moment: bool,
    host: host::Host,
    limit: Rc<Limit>,
    /// Whether an expression was stopped in it.
    hit_limit: bool,
    runtime: Runtime,
}

impl Engine {
    fn new(moment: bool) -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        runtime.set_memory_limit(MEMORY_LIMIT);
        runtime.set_max_stack_size(STACK_LIMIT);
        let limit = Rc::new(Limit { steps: Cell::new(0), start: Cell::new(Instant::now()) });
        let counted = Rc::clone(&limit);
        runtime.set_interrupt_handler(Some(Box::new(move || counted.step())));
        let context = Context::full(&runtime).map_err(|error| error.to_string())?;
        let host = host::Host::default();
        let (run, pending) =
            context.with(|ctx| Self::prelude(&ctx, &host, moment).catch(&ctx).map_err(|error| error.to_string()))?;
        Ok(Self { run, pending, context, moment, host, limit, hit_limit: false, runtime })
    }

    /// Says whether much of the memory stays in use although nothing runs.
    fn holds_on_to_memory(&self) -> bool {
        self.runtime.run_gc();
        usize::try_from(self.runtime.memory_usage().malloc_size).unwrap_or(usize::MAX) > MEMORY_LIMIT / 4
    }

    fn prelude(
        ctx: &Ctx<'_>,
        host: &host::Host,
        moment: bool,
    ) -> rquickjs::Result<(Persistent<Function<'static>>, Persistent<Function<'static>>)> {
        let script = |source: &str| -> rquickjs::Result<Function<'_>> {
            let mut options = EvalOptions::default();
            options.strict = false;
            ctx.eval_with_options(source, options)
        };
        let lib = Object::new(ctx.clone())?;
        lib.set("host", host.functions(ctx)?)?;
        let dates = std::iter::once(&include_str!("javascript/date.js"));
        for source in dates.chain(MOMENT.iter().filter(|_| moment)) {
            script(source)?.call::<_, ()>((lib.clone(),))?;
        }
        let names = Array::new(ctx.clone())?;
        for (i, name) in GLOBALS.iter().enumerate() {
            names.set(i, *name)?;
        }
        let doors: Object<'_> = script(include_str!("javascript/run.js"))?.call((lib, names))?;
        let run: Function<'_> = doors.get("run")?;
        let pending: Function<'_> = doors.get("pending")?;
        Ok((Persistent::save(ctx, run), Persistent::save(ctx, pending)))
    }

    fn evaluate(
        &self,
        source: &str,
        bindings: &[(&str, Input<'_>)],
        settings: &TemplateSettings,
        seed: u64,
    ) -> Outcome {
        self.limit.begin();
        self.host.set_zone(settings.zone.clone());
        self.context.with(|ctx| {
            let result = self.call(&ctx, source, bindings, settings, seed).catch(&ctx);
            match result {
                Ok(outcome) => outcome,
                Err(error) => self.stopped(&error),
            }
        })
    }

    fn call(
        &self,
        ctx: &Ctx<'_>,
        source: &str,
        bindings: &[(&str, Input<'_>)],
        settings: &TemplateSettings,
        seed: u64,
    ) -> rquickjs::Result<Outcome> {
        let pending = self.pending.clone().restore(ctx)?;
        let scope = Object::new_proto(ctx.clone(), None)?;
        for (name, input) in bindings {
            bind(ctx, &scope, &pending, name, input)?;
        }
        let run = self.run.clone().restore(ctx)?;
        let halves = (u32::try_from(seed >> 32).unwrap_or(0), u32::try_from(seed & 0xffff_ffff).unwrap_or(0));
        let now = milliseconds(settings.now.as_millisecond());
        let answer: Array<'_> = run.call((source, scope, now, halves.0, halves.1))?;
        let tag: String = answer.get(0)?;
        Ok(match tag.as_str() {
            "text" => Outcome::Text(answer.get(1)?),
            "needs" => Outcome::Needs(usize::try_from(answer.get::<u32>(1)?).unwrap_or(usize::MAX)),
            "syntax" => Outcome::Failed(
                TemplateErrorKind::Syntax,
                format!("not an expression of JavaScript: {}", answer.get::<String>(1)?),
            ),
            "no text" => Outcome::Failed(
                TemplateErrorKind::NoText,
                format!("its result is a {}, which has no text", answer.get::<String>(1)?),
            ),
            _ => self.thrown(&answer.get::<String>(1)?, &answer.get::<String>(2)?),
        })
    }

    /// Names what a script threw.
    fn thrown(&self, name: &str, message: &str) -> Outcome {
        if self.limit.is_reached() {
            return Outcome::Failed(TemplateErrorKind::TooLong, TOO_LONG.to_owned());
        }
        match (name, message) {
            ("ReferenceError", message) if message.ends_with(" is not defined") => {
                let unknown = message.trim_end_matches(" is not defined").trim_matches('\'');
                Outcome::Failed(TemplateErrorKind::UnknownName, format!("`{unknown}` is not defined"))
            }
            ("InternalError", message) if message.contains("out of memory") => Outcome::Failed(
                TemplateErrorKind::TooBig,
                format!("it needs more than {} MiB of memory", MEMORY_LIMIT >> 20),
            ),
            (_, message) if message.contains("stack overflow") || message.contains("stack size exceeded") => {
                Outcome::Failed(TemplateErrorKind::TooBig, "it calls itself too deeply".to_owned())
            }
            ("", message) => Outcome::Failed(TemplateErrorKind::Failed, message.to_owned()),
            (name, message) => Outcome::Failed(TemplateErrorKind::Failed, format!("{name}: {message}")),
        }
    }

    /// Names what no script could catch.
    fn stopped(&self, error: &CaughtError<'_>) -> Outcome {
        if self.limit.is_reached() {
            return Outcome::Failed(TemplateErrorKind::TooLong, TOO_LONG.to_owned());
        }
        match error {
            CaughtError::Exception(exception) => self.thrown("", &exception.message().unwrap_or_default()),
            // An out-of-memory error that finds no memory for itself arrives as null.
            CaughtError::Value(_) => Outcome::Failed(
                TemplateErrorKind::TooBig,
                format!("it needs more than {} MiB of memory", MEMORY_LIMIT >> 20),
            ),
            CaughtError::Error(rquickjs::Error::Utf8(_)) => Outcome::Failed(
                TemplateErrorKind::NoText,
                "its result is a string with half a surrogate pair, which has no text".to_owned(),
            ),
            CaughtError::Error(error) => Outcome::Failed(TemplateErrorKind::Failed, error.to_string()),
        }
    }
}

const TOO_LONG: &str = "it did not end within the limit of steps";

/// Turns milliseconds into a number of JavaScript; exact for every date that JavaScript has.
#[expect(clippy::cast_precision_loss, reason = "every instant of jiff is within 2^53 milliseconds of the epoch")]
pub(crate) fn milliseconds(value: i64) -> f64 {
    value as f64
}

fn bind<'js>(
    ctx: &Ctx<'js>,
    object: &Object<'js>,
    pending: &Function<'js>,
    name: &str,
    input: &Input<'_>,
) -> rquickjs::Result<()> {
    match input {
        Input::Plain(value) => object.set(name, to_js(ctx, value)?),
        Input::Made(value) => object.set(name, to_js(ctx, value)?),
        Input::Pending(id) => pending.call((object.clone(), name, u32::try_from(*id).unwrap_or(u32::MAX))),
        Input::Map(entries) => {
            let map = Object::new(ctx.clone())?;
            for (key, input) in entries {
                bind(ctx, &map, pending, key, input)?;
            }
            object.set(name, map)
        }
    }
}

fn to_js<'js>(ctx: &Ctx<'js>, value: &Value) -> rquickjs::Result<rquickjs::Value<'js>> {
    match value {
        Value::String(text) => text.as_str().into_js(ctx),
        other => ctx.json_parse(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
