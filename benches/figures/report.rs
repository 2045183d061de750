//! Figures as a table on the terminal, and between the markers of docs/benchmarks.md.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const DOCUMENT: &str = "docs/benchmarks.md";

/// What one part came to.
pub struct Table {
    title: &'static str,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    figure: String,
    /// What is promised, and whether it was kept.
    limit: Option<(String, bool)>,
}

impl Table {
    pub fn new(title: &'static str) -> Table {
        Table { title, rows: Vec::new() }
    }

    /// A figure that nothing is promised about.
    pub fn note(&mut self, what: &str, figure: impl Into<String>) {
        self.rows.push(Row { what: what.to_owned(), figure: figure.into(), limit: None });
    }

    /// A figure with its limit.
    pub fn limited(&mut self, what: &str, figure: impl Into<String>, limit: &str, kept: bool) {
        let limit = Some((limit.to_owned(), kept));
        self.rows.push(Row { what: what.to_owned(), figure: figure.into(), limit });
    }

    /// Whether every limit was kept.
    pub fn kept(&self) -> bool {
        self.rows.iter().all(|row| row.limit.as_ref().is_none_or(|(_, kept)| *kept))
    }

    /// For a terminal.
    pub fn columns(&self) -> String {
        let width = |of: fn(&Row) -> &str| {
            self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0)
        };
        let (what, figure) = (width(|row| &row.what), width(|row| &row.figure));
        let mut text = format!("{}\n", self.title);
        for row in &self.rows {
            let verdict = row.verdict();
            let line = format!("  {:what$}  {:>figure$}  {verdict}", row.what, row.figure);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// For the manual.
    fn markdown(&self) -> String {
        let mut text = String::from("| measured | figure | limit |\n|---|---:|---|\n");
        for row in &self.rows {
            let _ = writeln!(text, "| {} | {} | {} |", row.what, row.figure, row.verdict());
        }
        text
    }
}

impl Row {
    fn verdict(&self) -> String {
        match &self.limit {
            None => String::new(),
            Some((limit, true)) => format!("{limit}: kept"),
            Some((limit, false)) => format!("{limit}: missed"),
        }
    }
}

/// Puts a part's table in the place of the former one.
pub fn write(part: &str, table: &Table, machine: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let document = std::fs::read_to_string(&path).expect(DOCUMENT);
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->"));
    let found = document.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let Some((before, after)) = found else { panic!("{DOCUMENT} has no markers for {part}") };
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let table = table.markdown();
    let text = format!(
        "{before}{begin}{table}\n`make bench ARGS={part}` on {today}: {machine}\n{end}{after}"
    );
    std::fs::write(&path, text).expect(DOCUMENT);
}

/// The value that `percent` of the sorted ones do not exceed.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// Microseconds.
pub fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1_000_000.0)
}

/// Milliseconds.
pub fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// MiB, of octets.
pub fn mib(octets: u64) -> String {
    format!("{:.1} MiB", octets as f64 / 1_048_576.0)
}
