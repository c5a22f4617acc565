//! A line of the log, as text, for journald, or as JSON.
//!
//! # Invariants
//!
//! * A line holds no control character but its end, whatever an event's texts hold.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::os::clock;
use crate::types::java::java_iso8601;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Time, level, room, message, fields.
    Text,
    /// As text without the time, and with journald's level in front.
    Journal,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Is standard error a socket of journald (`JOURNAL_STREAM` is device:inode of it)?
    pub fn journal_is_listening() -> bool {
        let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
        rustix::fs::fstat(std::io::stderr())
            .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
    }
}

/// syslog's number of a level, as journald reads it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let level = *meta.level();
        if *self == Format::Journal {
            write!(line, "<{}>", priority(level))?;
        } else {
            write!(line, "{} ", java_iso8601(clock::wall_ms()))?;
        }
        let room = meta.target().strip_prefix("oxkeeper::").unwrap_or(meta.target());
        write!(line, "{level:<5} {room}: ")?;
        let tabs = meta.target() == AUDIT;
        let mut clean = Clean { line: &mut line, tabs };
        context.field_format().format_fields(Writer::new(&mut clean), event)?;
        line.write_char('\n')
    }
}

/// Target of audit records, whose fields stand between tabs: other tabs are escaped in them.
const AUDIT: &str = "audit";

/// Escapes control characters on their way.
struct Clean<'a, 'w> {
    line: &'a mut Writer<'w>,
    tabs: bool,
}

impl fmt::Write for Clean<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let tabs = self.tabs;
        let dirty =
            |c: char| (c.is_control() && !(tabs && c == '\t')) || matches!(c, '\u{2028}' | '\u{2029}');
        if !text.contains(dirty) {
            return self.line.write_str(text);
        }
        text.chars().try_for_each(|c| match dirty(c) {
            true => write!(self.line, "{}", c.escape_default()),
            false => self.line.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::log::sink::Queue;
    use std::sync::Arc;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn logged(format: Format) -> String {
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.line());
        let subscriber = tracing_subscriber::registry().with(layer.event_format(format));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "oxkeeper::net", peer = %"10.0.0.1:7", what = "a b", "refused {}", "x\ny");
        });
        queue.take().0
    }

    #[test]
    fn text_has_time_level_room_message_and_fields() {
        let line = logged(Format::Text);
        let (time, rest) = line.split_at(24);
        assert!(time.starts_with("20") && time.ends_with(' '), "{line}");
        assert_eq!(rest, "WARN  net: refused x\\ny peer=10.0.0.1:7 what=\"a b\"\n");
    }

    #[test]
    fn journald_gets_its_level_and_no_time() {
        assert_eq!(logged(Format::Journal), "<4>WARN  net: refused x\\ny peer=10.0.0.1:7 what=\"a b\"\n");
    }
}
