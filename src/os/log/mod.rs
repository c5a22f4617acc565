//! The server's log: levels, formats, standard error or a rolling file.
//!
//! | module | |
//! |---|---|
//! | `format` | a line as people, journald or machines read it |
//! | `sink` | the thread that writes lines |
//! | `rolling` | files that end at a size, of which a few are kept |
//!
//! # Invariants
//!
//! * No thread of the server ever waits for its log: lines go to a bounded queue, and
//!   what does not fit is counted and the count logged.
//! * One event is one line; control characters in texts of clients are escaped.

mod format;
mod rolling;
mod sink;

pub use format::Format;
pub use rolling::Rolling;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use sink::Queue;

/// How to log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Level, or `target=level` pairs between commas.
    pub level: String,
    /// `None`: journald's if standard error is its socket, text otherwise.
    pub format: Option<Format>,
    /// Into files instead of standard error.
    pub file: Option<LogFile>,
}

/// A rolling log file.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// The newest file; older ones are `<path>.1`, `<path>.2`, …
    pub path: PathBuf,
    /// Size at which a new one is begun, bytes.
    pub max_bytes: u64,
    /// Older files that are kept.
    pub keep: u32,
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogError {
    /// The level is no level.
    Level(String),
    /// The file cannot be opened.
    File(PathBuf, io::Error),
    /// No thread could be started, or another log is installed.
    System(String),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogError::Level(text) => {
                write!(
                    f,
                    "{text:?} is no log level: give error, warn, info, debug, trace or target=level pairs"
                )
            }
            LogError::File(path, e) => {
                write!(f, "the log file {} cannot be opened: {e}; give another --log-file", path.display())
            }
            LogError::System(why) => write!(f, "the log cannot be started: {why}"),
        }
    }
}

/// Keeps the log running; [`LogGuard::flush`] it before the process ends.
#[derive(Debug)]
#[must_use = "lines that were not flushed are lost at exit"]
pub struct LogGuard {
    queue: Arc<Queue>,
    filter: reload::Handle<EnvFilter, Registry>,
}

impl LogGuard {
    /// From now on logs what `level` lets through; see [`LogOptions::level`].
    ///
    /// # Errors
    ///
    /// It is no level; the one before stays.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter = filter(level)?;
        self.filter.reload(filter).map_err(|e| LogError::System(e.to_string()))
    }

    /// Waits until everything logged so far is written, but not for long.
    pub fn flush(&self) {
        self.queue.flush(Duration::from_secs(1));
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Installs the log of this process, and a panic hook that writes past it.
///
/// # Errors
///
/// See [`LogError`].
pub fn install(options: &LogOptions) -> Result<LogGuard, LogError> {
    let (filter, handle) = reload::Layer::new(filter(&options.level)?);
    let file = match &options.file {
        None => None,
        Some(f) => {
            Some(Rolling::open(&f.path, f.max_bytes, f.keep).map_err(|e| LogError::File(f.path.clone(), e))?)
        }
    };
    let format = match (options.format, &file) {
        (Some(format), _) => format,
        (None, None) if Format::journal_is_listening() => Format::Journal,
        (None, _) => Format::Text,
    };
    let queue = sink::start(file).map_err(|e| LogError::System(e.to_string()))?;
    let writer = Arc::clone(&queue);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.line());
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match format {
        Format::Json => registry.with(layer.json().flatten_event(true).with_span_list(false)).try_init(),
        format => registry.with(layer.event_format(format)).try_init(),
    };
    installed.map_err(|e| LogError::System(e.to_string()))?;
    std::panic::set_hook(Box::new(panicked(format, Arc::clone(&queue))));
    Ok(LogGuard { queue, filter: handle })
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::try_new(level).map_err(|_| LogError::Level(level.to_owned()))
}

/// A panic is a bug: said on standard error, behind what was logged before it.
fn panicked(format: Format, queue: Arc<Queue>) -> impl Fn(&std::panic::PanicHookInfo<'_>) {
    move |info| {
        queue.flush(Duration::from_millis(200));
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        let mark = if format == Format::Journal { "<2>" } else { "" };
        let trace = std::backtrace::Backtrace::capture();
        eprintln!("{mark}FATAL: bug: thread {name} panicked: {info}; the server ends\n{trace}");
    }
}
