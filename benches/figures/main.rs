//! What `make bench` measures: the real program against a real Dovecot over TLS.
//!
//! Parts are named on the command line (`make bench ARGS=latency`); without a name all are
//! measured. `--quick` takes a tenth of everything, to see whether the harness works, and writes
//! nothing into docs/benchmarks.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a measurement")]

#[path = "../../tests/common/mod.rs"]
mod common;

mod backlog;
mod deciding;
mod explain;
mod idle;
mod intake;
mod latency;
mod ledgers;
mod machine;
mod mails;
mod program;
mod report;
mod requests;
mod rows;
mod tap;

use std::process::ExitCode;

use report::Table;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Whole,
    /// A tenth.
    Quick,
}

impl Amount {
    pub fn of(self, whole: usize) -> usize {
        match self {
            Amount::Whole => whole,
            Amount::Quick => whole.div_ceil(10),
        }
    }
}

type Measure = fn(Amount) -> Table;

/// The slow ones last.
const PARTS: [(&str, Measure); 9] = [
    ("deciding", deciding::measure),
    ("explain", explain::measure),
    ("latency", latency::measure),
    ("idle", idle::measure),
    ("backlog", backlog::measure),
    ("intake", intake::backlog),
    ("intake-live", intake::live),
    ("requests", requests::backlog),
    ("requests-live", requests::live),
];

fn main() -> ExitCode {
    let mut amount = Amount::Whole;
    let mut asked = Vec::new();
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            // `cargo bench` says so to every harness.
            "--bench" => {}
            "--quick" => amount = Amount::Quick,
            name if PARTS.iter().any(|(part, _)| *part == name) => asked.push(arg),
            other => {
                let parts: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
                eprintln!("bench: {other} is no part; there are {}", parts.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let machine = machine::describe();
    println!("{machine}\n");
    let mut kept = true;
    for (name, measure) in PARTS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        let table = measure(amount);
        println!("{}", table.columns());
        kept &= table.kept();
        if amount == Amount::Whole {
            report::write(name, &table, &machine);
        }
    }
    if !kept {
        eprintln!("bench: a limit was missed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
