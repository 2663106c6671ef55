//! QuickJS with the objects that the runtime of CloudFront Functions provides, and with its limits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rquickjs::function::Func;
use rquickjs::loader::{BuiltinLoader, BuiltinResolver};
use rquickjs::promise::MaybePromise;
use rquickjs::{
    CatchResultExt as _, CaughtError, Context, Ctx, Exception, Function, Module, Object, Persistent, Runtime,
};
use serde_json::Value;

use super::{EdgeFunctionError, FunctionRun, bytes};

/// Memory of a function, in bytes. Source: CloudFront Developer Guide, "Quotas on CloudFront Functions".
const MAX_MEMORY: usize = 2 * 1024 * 1024;
/// Stack of a function, in bytes. QuickJS needs more for a call than the real runtime, so this is part of no quota.
const MAX_STACK: usize = 256 * 1024;
/// How often the engine may ask whether to go on. It asks after 10,000 jumps and calls, so this is a limit on work, not
/// on time. The real limit is not published.
const MAX_POLLS: u64 = 100;

/// The objects that functions find, and those that they do not.
const RUNTIME: &str = include_str!("runtime.js");
/// The module `cloudfront`. Its object is a global only until the module has been evaluated.
const MODULE: &str = "export default globalThis.cloudfront; delete globalThis.cloudfront;";
/// Exports the handler, which is a declaration of the function's module.
const EXPORT: &str = "\nexport { handler as handler };";

/// A key value store as a function sees it.
pub trait StoreView {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<String>;

    /// Whether a function reaches the store by this ID. It is empty if the function names none.
    fn is_named(&self, id: &str) -> bool {
        id.is_empty()
    }

    /// The number of keys.
    fn count(&self) -> Option<usize> {
        None
    }

    /// When the store was created and when its keys were changed last, in RFC 3339.
    fn times(&self) -> Option<(String, String)> {
        None
    }
}

impl<F: Fn(&str) -> Option<String>> StoreView for F {
    fn get(&self, key: &str) -> Option<String> {
        self(key)
    }
}

/// A compiled function. Fields are dropped in this order: what belongs to the runtime first.
pub(super) struct QuickJs {
    handler: Persistent<Function<'static>>,
    context: Context,
    _runtime: Runtime,
    polls: Rc<Cell<u64>>,
    logs: Rc<RefCell<Vec<String>>>,
}

impl QuickJs {
    pub(super) fn new(code: &str, store: Rc<dyn StoreView>) -> Result<Self, EdgeFunctionError> {
        let unavailable =
            |error: rquickjs::Error| EdgeFunctionError::Execution(format!("cannot start QuickJS: {error}"));
        let runtime = Runtime::new().map_err(unavailable)?;
        runtime.set_max_stack_size(MAX_STACK);
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        runtime.set_interrupt_handler(Some(Box::new(move || {
            counted.set(counted.get() + 1);
            counted.get() > MAX_POLLS
        })));
        runtime.set_loader(
            BuiltinResolver::default().with_module("cloudfront"),
            BuiltinLoader::default().with_module("cloudfront", MODULE),
        );
        let context = Context::full(&runtime).map_err(unavailable)?;
        let logs = Rc::new(RefCell::new(Vec::new()));
        context.with(|ctx| prepare(&ctx, &logs, store).catch(&ctx).map_err(|error| execution(&error)))?;
        // What the engine itself needs is not the function's memory.
        let used = usize::try_from(runtime.memory_usage().malloc_size).unwrap_or_default();
        runtime.set_memory_limit(used + MAX_MEMORY);
        let handler = context.with(|ctx| compile(&ctx, code).catch(&ctx).map_err(|error| execution(&error)))?;
        Ok(Self { handler, context, _runtime: runtime, polls, logs })
    }

    pub(super) fn run(&self, event: &Value) -> FunctionRun {
        self.polls.set(0);
        self.logs.borrow_mut().clear();
        let result = self.context.with(|ctx| match self.call(&ctx, event).catch(&ctx) {
            Ok(Some(text)) => serde_json::from_str(&text)
                .map_err(|error| EdgeFunctionError::Validation(format!("the function returned invalid JSON: {error}"))),
            Ok(None) => Err(EdgeFunctionError::Validation("The function returned undefined.".to_owned())),
            Err(_) if self.polls.get() > MAX_POLLS => Err(EdgeFunctionError::Compute),
            Err(error) => Err(execution(&error)),
        });
        let utilization = (self.polls.get() * 100 / MAX_POLLS).min(100);
        FunctionRun { result, logs: self.logs.borrow().clone(), utilization: u8::try_from(utilization).unwrap_or(100) }
    }

    /// The result as JSON; `None` for `undefined`.
    fn call<'js>(&self, ctx: &Ctx<'js>, event: &Value) -> rquickjs::Result<Option<String>> {
        let handler = self.handler.clone().restore(ctx)?;
        let event = ctx.json_parse(event.to_string())?;
        let result: rquickjs::Value<'js> = handler.call::<_, MaybePromise<'js>>((event,))?.finish()?;
        ctx.json_stringify(result)?.map(|text| text.to_string()).transpose()
    }
}

/// Installs the runtime's objects.
fn prepare<'js>(ctx: &Ctx<'js>, logs: &Rc<RefCell<Vec<String>>>, store: Rc<dyn StoreView>) -> rquickjs::Result<()> {
    let native = Object::new(ctx.clone())?;
    let logs = Rc::clone(logs);
    native.set("log", Func::from(move |line: String| logs.borrow_mut().push(line)))?;
    native.set("encode", Func::from(|text: String| text.into_bytes()))?;
    native.set(
        "parse",
        Func::from(|ctx: Ctx<'js>, text: String, encoding: String| or_throw(&ctx, bytes::parse(&text, &encoding))),
    )?;
    native.set(
        "format",
        Func::from(|ctx: Ctx<'js>, bytes: Vec<u8>, encoding: String| or_throw(&ctx, bytes::format(&bytes, &encoding))),
    )?;
    native.set(
        "hash",
        Func::from(|ctx: Ctx<'js>, name: String, data: Vec<u8>| or_throw(&ctx, bytes::hash(&name, &data))),
    )?;
    native.set(
        "hmac",
        Func::from(|ctx: Ctx<'js>, name: String, key: Vec<u8>, data: Vec<u8>| {
            or_throw(&ctx, bytes::hmac(&name, &key, &data))
        }),
    )?;
    let own = Rc::clone(&store);
    native.set("get", Func::from(move |key: String| own.get(&key)))?;
    let own = Rc::clone(&store);
    native.set("hasStore", Func::from(move |id: String| own.is_named(&id)))?;
    let own = Rc::clone(&store);
    native.set("count", Func::from(move || own.count().and_then(|count| i32::try_from(count).ok())))?;
    let own = Rc::clone(&store);
    native.set("created", Func::from(move || own.times().map(|(created, _)| created)))?;
    native.set("updated", Func::from(move || store.times().map(|(_, updated)| updated)))?;
    let install: Function<'js> = ctx.eval(RUNTIME)?;
    let cloudfront: Object<'js> = install.call((native,))?;
    ctx.globals().set("cloudfront", cloudfront)?;
    Module::import(ctx, "cloudfront")?.finish::<()>()
}

/// Evaluates the function's code, and returns its handler.
fn compile<'js>(ctx: &Ctx<'js>, code: &str) -> rquickjs::Result<Persistent<Function<'static>>> {
    let (module, evaluated) = Module::declare(ctx.clone(), "function", format!("{code}{EXPORT}"))?.eval()?;
    evaluated.finish::<()>()?;
    let handler: Function<'js> = module.get("handler")?;
    Ok(Persistent::save(ctx, handler))
}

fn or_throw<T>(ctx: &Ctx<'_>, result: Result<T, String>) -> rquickjs::Result<T> {
    result.map_err(|message| Exception::throw_type(ctx, &message))
}

/// The error of a function in one line, as CloudFront's logs have it.
fn execution(error: &CaughtError<'_>) -> EdgeFunctionError {
    let message = match error {
        CaughtError::Exception(exception) => {
            let name: Option<String> = exception.as_object().get("name").ok();
            let name = name.unwrap_or_else(|| "Error".to_owned());
            format!("{name}: {}", exception.message().unwrap_or_default())
        }
        CaughtError::Value(value) if value.is_null() => "the function threw null, or ran out of memory".to_owned(),
        CaughtError::Value(value) => match value.as_string().and_then(|text| text.to_string().ok()) {
            Some(text) => text,
            None => "the function threw a value that is not an error".to_owned(),
        },
        CaughtError::Error(rquickjs::Error::WouldBlock) => {
            "the function waits for a promise that is never resolved".to_owned()
        }
        CaughtError::Error(error) => error.to_string(),
    };
    EdgeFunctionError::Execution(message)
}
