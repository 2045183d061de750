//! Parse, log, dispatch; one line and an exit code for an error.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use mailcrm::cli::{Cli, Command, LogFormat, LogLevel, carry_out};
use tracing::level_filters::LevelFilter;

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

/// Only `run` and `demo` log events by themselves; other commands print what they find.
fn log_to_stderr(cli: &Cli) {
    let level = match (&cli.command, cli.log_level) {
        (Command::Run, LogLevel::Error) => LevelFilter::ERROR,
        (Command::Run, LogLevel::Warn) => LevelFilter::WARN,
        (Command::Run, LogLevel::Info) => LevelFilter::INFO,
        (Command::Run, LogLevel::Debug) => LevelFilter::DEBUG,
        _ => LevelFilter::OFF,
    };
    let logging = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // Under systemd the journal has its own clock.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    match (cli.log_format, journal) {
        (LogFormat::Json, _) => logging.json().flatten_event(true).init(),
        (LogFormat::Text, true) => logging.without_time().init(),
        (LogFormat::Text, false) => logging.init(),
    }
}
