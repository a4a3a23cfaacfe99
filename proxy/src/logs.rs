//! Log lines on stderr: JSON for machines, text for people. Bodies and keys are never given to a log call; their types
//! can't be formatted.

use std::io::{self, IsTerminal};

use tracing_subscriber::{
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::cli::{Log, LogFormat};

/// Installs the subscriber. The error is a `--log-level` that can't be read.
pub(crate) fn init(log: &Log) -> Result<(), ParseError> {
    let filter: Targets = log.level.parse()?;
    let terminal = io::stderr().is_terminal();
    let format = log.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines.with_ansi(terminal).with_target(false)).init(),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry.with(lines).init();
        }
    }
    Ok(())
}
