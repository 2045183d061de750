//! The command line: one file a command. Data on standard output, trouble on standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{self, Config, Mistake};
use crate::daemon::sandbox_path;

mod check;
mod demo;
mod explain;
mod man;
mod messages;
mod named;
mod plan;
mod print;
mod progress;
mod reconcile;
mod redecide;
mod run;
mod sandbox;
mod shown;
mod status;

/// Files mail from IMAP mailboxes in Bitrix24, every message once.
#[derive(Debug, Parser)]
#[command(name = "mailcrm", version, about, max_term_width = 100)]
pub struct Cli {
    /// Configuration file; mailboxes.d/*.toml beside it is read too
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/mailcrm/mailcrm.toml")]
    pub config: PathBuf,
    /// Print JSON instead of columns
    #[arg(long, global = true)]
    pub json: bool,
    /// Form of the log on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Least important events to log; default: info for run and sandbox, nothing for demo
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    Run,
    /// Check configuration, logins, folders and the CRM; one finding a line, with its mend
    Check {
        /// Only this mailbox
        mailbox: Option<String>,
    },
    /// Show mailboxes, the outbox and the CRM
    Status,
    /// List messages of the ledger, newest first
    Messages(Messages),
    /// Show why a message is where it is
    Explain(Explain),
    /// Compare the server's messages with the ledger; exit 1 if any is unexplained
    Reconcile {
        /// Only this mailbox
        mailbox: Option<String>,
        /// Have the daemon read what is unexplained
        #[arg(long)]
        repair: bool,
    },
    /// Show what would be filed of a mailbox's history, or what another configuration would change
    Plan(Plan),
    /// Decide skipped, parked and quarantined messages again under today's configuration; those
    /// skipped as before-history only with --reason before-history
    Redecide(Redecide),
    /// Run the built-in stand-in for Bitrix24, with a page that shows its cards
    Sandbox(Sandbox),
    /// Run a private mail server, the sandbox CRM and the daemon together on sample mail
    Demo(Demo),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man {
        /// Folder to write the pages into
        folder: PathBuf,
    },
}

/// Which messages of the ledger.
#[derive(Debug, Args)]
pub struct Filters {
    /// Only messages with a place in this mailbox
    #[arg(long, value_name = "NAME")]
    pub mailbox: Option<String>,
    /// Only messages in this state
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only messages skipped, parked or quarantined for this reason
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only messages received at or after this time, such as 2024-05-02 or 2024-05-02T10:15Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only messages received before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only messages from this address
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
}

#[derive(Debug, Args)]
pub struct Messages {
    #[command(flatten)]
    pub filters: Filters,
    /// At most this many; 50 on a terminal, all when piped or with --json
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Also write each raw message that is kept, or still on its server, into this folder as ID.eml
    #[arg(long, value_name = "FOLDER")]
    pub export: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Redecide {
    #[command(flatten)]
    pub filters: Filters,
    /// Show what would be decided; change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Plan {
    /// Mailbox whose history is gone through
    pub mailbox: String,
    /// Another configuration: show what it would decide otherwise
    #[arg(long, value_name = "CONFIG")]
    pub with: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// Ledger number, place (mailbox/folder/uid) or Message-ID
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub message: Option<String>,
    /// Judge this file instead, without touching anything
    #[arg(long, value_name = "FILE", requires = "mailbox")]
    pub file: Option<PathBuf>,
    /// Mailbox whose rules judge the file
    #[arg(long, value_name = "NAME")]
    pub mailbox: Option<String>,
    /// Folder the file is taken to lie in
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    pub folder: String,
}

#[derive(Debug, Args)]
pub struct Sandbox {
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8026")]
    pub listen: String,
    /// SQLite file that holds the cards
    #[arg(long, value_name = "FILE", default_value = "sandbox.sqlite")]
    pub path: PathBuf,
    /// Requests a second that drain from the bucket, as in Bitrix24's cloud; 0 for no limit
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    pub drain: f64,
    /// Requests in the bucket above which QUERY_LIMIT_EXCEEDED is answered
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub threshold: u32,
    /// Work without leads, as Bitrix24's simple mode
    #[arg(long)]
    pub simple: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// End when every sample mail has its fate, and check the summary
    #[arg(long)]
    pub once: bool,
    /// Folder for everything the demo writes; it is made, and removed at the end
    #[arg(long, value_name = "FOLDER", default_value = ".demo")]
    pub folder: PathBuf,
}

impl Cli {
    /// The least important events to log; `None`: none at all. Commands that print what they find
    /// log nothing, and the demo only for who asks: its table stands on the same terminal.
    pub fn logged(&self) -> Option<LogLevel> {
        match &self.command {
            Command::Run | Command::Sandbox(_) => Some(self.log_level.unwrap_or(LogLevel::Info)),
            Command::Demo(_) => self.log_level,
            Command::Check { .. }
            | Command::Status
            | Command::Messages(_)
            | Command::Explain(_)
            | Command::Reconcile { .. }
            | Command::Plan(_)
            | Command::Redecide(_)
            | Command::Man { .. } => None,
        }
    }
}

/// How a command ended badly.
pub enum Trouble {
    /// Exit 1: standard error says why.
    Failed(String),
    /// Exit 1, and everything is said already.
    Told,
    /// Exit 2.
    Usage(String),
    /// Exit 78.
    Configuration(Vec<Mistake>),
}

impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Failed(crate::causes(&error))
    }
}

/// Carries a command out and returns the exit code.
pub async fn carry_out(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Run => run::run(&cli.config).await,
        Command::Check { mailbox } => check::check(&cli.config, mailbox, cli.json).await,
        Command::Status => status::status(&cli.config, cli.json).await,
        Command::Messages(filter) => messages::messages(&cli.config, filter, cli.json).await,
        Command::Explain(asked) => explain::explain(&cli.config, asked, cli.json).await,
        Command::Reconcile { mailbox, repair } => {
            reconcile::reconcile(&cli.config, mailbox, repair, cli.json).await
        }
        Command::Plan(asked) => plan::plan(&cli.config, asked, cli.json).await,
        Command::Redecide(asked) => redecide::redecide(&cli.config, asked, cli.json).await,
        Command::Sandbox(options) => sandbox::sandbox(options).await,
        Command::Demo(options) => demo::demo(options).await,
        Command::Man { folder } => man::pages(&folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Told) => ExitCode::from(1),
        Err(Trouble::Failed(text)) => {
            eprintln!("mailcrm: {text}");
            ExitCode::from(1)
        }
        Err(Trouble::Usage(text)) => {
            eprintln!("mailcrm: {text}");
            ExitCode::from(2)
        }
        Err(Trouble::Configuration(mistakes)) => {
            for mistake in mistakes {
                eprintln!("{mistake}");
            }
            ExitCode::from(78)
        }
    }
}

/// The configuration, or all its mistakes.
fn load(path: &Path) -> Result<Config, Trouble> {
    config::load(path, config::environment()).map_err(Trouble::Configuration)
}

/// Why a command that changes nothing does not ask the built-in sandbox.
const SANDBOX_NOT_STARTED: &str = "the sandbox CRM was not started yet";

/// The built-in sandbox is made by the daemon, not by a question: its file might belong to another
/// user than the daemon then.
fn sandbox_not_started(config: &Config) -> bool {
    config.crm_identity() == "sandbox" && !sandbox_path(&config.ledger.path).exists()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_works_by_itself_logs() {
        use LogLevel::{Debug, Info};
        #[rustfmt::skip]
        let cases = [
            (&["run"][..],                          Some(Info)),
            (&["run", "--log-level", "debug"],      Some(Debug)),
            (&["sandbox"],                          Some(Info)),
            (&["demo"],                             None),
            (&["demo", "--log-level", "debug"],     Some(Debug)),
            (&["--log-level", "debug", "check"],    None),
        ];
        for (arguments, logged) in cases {
            let cli = Cli::try_parse_from(["mailcrm"].iter().chain(arguments)).unwrap();
            assert_eq!(cli.logged(), logged, "{arguments:?}");
        }
    }
}
