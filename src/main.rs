//! Parse, log, dispatch; one line and an exit code for an error.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use mailcrm::cli::{Cli, LogFormat, LogLevel, carry_out};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(&cli);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // imap-proto recurses on what servers send; the stack is only reserved, not used.
        .thread_stack_size(8 * 1024 * 1024)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(carry_out(cli));
            // A look-up that hangs in the resolver must not hold up the end.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("mailcrm: cannot start: {error}");
            ExitCode::from(1)
        }
    }
}

fn log_to_stderr(cli: &Cli) {
    let level = match cli.logged() {
        Some(LogLevel::Error) => LevelFilter::ERROR,
        Some(LogLevel::Warn) => LevelFilter::WARN,
        Some(LogLevel::Info) => LevelFilter::INFO,
        Some(LogLevel::Debug) => LevelFilter::DEBUG,
        None => LevelFilter::OFF,
    };
    // Only our own events: what the crates below print holds URLs and buffers.
    let ours = Targets::new().with_target("mailcrm", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    let log = tracing_subscriber::registry().with(ours);
    // Under systemd the journal has its own clock.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    match (cli.log_format, journal) {
        (LogFormat::Json, _) => log.with(layer.json().flatten_event(true)).init(),
        (LogFormat::Text, true) => log.with(layer.without_time()).init(),
        (LogFormat::Text, false) => log.with(layer).init(),
    }
}
