//! Who may name whom (ARCHITECTURE.md, "Who may import whom"): reads the sources and fails, with
//! the line, on what a module must not name. Comments, texts and tests do not count.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What names a runtime, a database, an HTTP client, a log, a clock, or a thing outside.
const OUTSIDE: &[&str] = &[
    "tokio",
    "rusqlite",
    "reqwest",
    "hyper",
    "governor",
    "async_imap",
    "tracing",
    "log",
    "sd_notify",
    "socket2",
    "async",
    "await",
    "SystemTime",
    "Instant",
    "now",
    "system",
    "fs",
    "net",
    "env",
    "process",
    "thread",
    "println",
    "eprintln",
    "dbg",
    "unix_now",
];

/// Files and folders of `src/` without I/O, clock, log or runtime.
const PURE: &[&str] = &[
    "card.rs",
    "message/",
    "folder.rs",
    "folder/",
    "rules/",
    "retry.rs",
    "filing/content.rs",
    "crm/mod.rs",
    "crm/bitrix24/calls.rs",
    "crm/bitrix24/answers.rs",
    "crm/bitrix24/classify.rs",
    "crm/bitrix24/batch.rs",
    "crm/bitrix24/cards.rs",
    "crm/bitrix24/multifields.rs",
    "demo/dovecot_conf.rs",
    "demo/samples/",
];

/// Modules that a pure one may import; `crm` for its own words only.
const PURE_MODULES: &[&str] = &["card", "message", "folder", "rules", "retry", "crm"];

/// A word, and the only places that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["ledger/", "crm/sandbox/"]),
    ("async_imap", &["imap/"]),
    ("imap_proto", &["imap/"]),
    ("reqwest", &["crm/bitrix24/", "oauth.rs", "setup/"]),
    ("governor", &["crm/bitrix24/", "imap/"]),
    ("mail_parser", &["message/"]),
    ("backoff", &["retry.rs"]),
    ("sd_notify", &["daemon.rs"]),
    // What is logged is a function there, so that an operator can grep for it.
    ("tracing", &["events.rs", "main.rs"]),
    // Elsewhere the clock is `unix_now`; the stand-in tells fractions, as a portal does.
    ("SystemTime", &["demo/", "crm/sandbox/"]),
    // The environment and the configuration files are read once, in one place.
    ("toml", &["config/"]),
];

/// Code, with how it may be called, and the only places that may have it.
const CALLS: &[(&str, &[&str])] = &[
    ("tokio::spawn(", &["daemon.rs", "demo/"]),
    ("task::spawn(", &["daemon.rs", "demo/"]),
    ("task::spawn_local(", &["daemon.rs", "demo/"]),
    ("JoinSet", &["daemon.rs", "demo/"]),
    ("std::env::", &["config/", "demo/", "cli/", "main.rs"]),
    // Input must not be able to stop the daemon.
    (".unwrap()", &[]),
    (".unwrap_err()", &[]),
    (".expect(", &[]),
    (".expect_err(", &[]),
    ("panic!(", &[]),
    ("unreachable!(", &[]),
    ("todo!(", &[]),
    ("unimplemented!(", &[]),
    ("dbg!(", &[]),
    ("Box<dyn Error", &[]),
    ("Box<dyn std::error::Error", &[]),
    ("anyhow", &[]),
    ("println!(", &["cli/", "main.rs", "demo/"]),
];

/// A module, and modules of ours that it must not name.
const STRANGERS: &[(&str, &[&str])] = &[
    ("imap/", &["crm", "filing"]),
    ("crm/", &["imap", "intake", "ledger", "filing", "config"]),
    ("ledger/", &["imap", "intake", "filing", "crm", "config", "daemon", "cli"]),
    ("intake.rs", &["imap", "crm", "filing", "config"]),
    // It speaks to a CRM in mailcrm's own words, so that a second CRM changes nothing here.
    ("filing/", &["imap", "intake", "bitrix24", "sandbox", "daemon", "cli"]),
    ("config/", &["imap", "crm", "ledger", "filing", "intake", "daemon", "cli"]),
    ("events.rs", &["imap", "crm", "ledger", "filing", "intake", "config", "daemon", "cli"]),
    ("redecide.rs", &["crm", "filing", "daemon", "cli"]),
    ("control.rs", &["imap", "crm", "intake", "filing", "config", "daemon", "cli"]),
    ("daemon.rs", &["cli"]),
];

/// A source file: its path below `src/`, and its code alone, line by line as in the file.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn lies_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.ends_with('/') {
            true => self.path.starts_with(place),
            false => self.path == *place,
        })
    }

    /// Lines of the code, counted from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line))
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file that is compiled into the program.
fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_sources);
    &SOURCES
}

fn read_sources() -> Vec<Source> {
    let mut paths = Vec::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
        let (code, tests) = without_tests(&without_words(&text));
        (Source { path, code }, tests)
    };
    let (sources, tests): (Vec<Source>, Vec<Vec<String>>) = paths.iter().map(read).unzip();
    // Files that belong to a module compiled for tests only.
    let mut for_tests = Vec::new();
    for (source, names) in sources.iter().zip(tests) {
        let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let folder = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
            _ => source.path.trim_end_matches(".rs").to_owned(),
        };
        for name in names {
            for_tests.push(format!("{folder}/{name}.rs"));
            for_tests.push(format!("{folder}/{name}/"));
        }
    }
    let for_tests: Vec<&str> = for_tests.iter().map(String::as_str).collect();
    sources.into_iter().filter(|source| !source.lies_in(&for_tests)).collect()
}

/// The text with comments, strings and characters blanked, so that only code is left.
fn without_words(text: &str) -> String {
    let octets = text.as_bytes();
    let mut code = octets.to_vec();
    let blank = |code: &mut [u8], from: usize, to: usize| {
        for octet in &mut code[from..to] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
    };
    let end_of = |from: usize, what: &str| {
        text.get(from..)
            .and_then(|rest| rest.find(what))
            .map_or(octets.len(), |at| from + at + what.len())
    };
    let mut at = 0;
    while at < octets.len() {
        let from = at;
        let rest = &octets[at..];
        let in_word = at > 0 && (octets[at - 1].is_ascii_alphanumeric() || octets[at - 1] == b'_');
        if rest.starts_with(b"//") {
            at = end_of(at, "\n");
        } else if rest.starts_with(b"/*") {
            at = end_of(at, "*/");
        } else if let Some(hashes) = raw_string(rest).filter(|_| !in_word) {
            let quote = end_of(at, "\"");
            at = end_of(quote, &format!("\"{}", "#".repeat(hashes)));
        } else if rest[0] == b'"' {
            at += 1;
            while at < octets.len() && octets[at] != b'"' {
                at += if octets[at] == b'\\' { 2 } else { 1 };
            }
            at += 1;
        } else if rest[0] == b'\'' && (rest.get(1) == Some(&b'\\') || is_character(&text[at..])) {
            at = end_of(if rest[1] == b'\\' { at + 3 } else { at + 1 }, "'");
        } else {
            at += 1;
            continue;
        }
        at = at.min(octets.len());
        blank(&mut code, from, at);
    }
    String::from_utf8(code).unwrap()
}

/// How many `#` a raw string has that begins here.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let rest = rest.strip_prefix(b"b").unwrap_or(rest).strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|octet| **octet == b'#').count();
    (rest.get(hashes) == Some(&b'"')).then_some(hashes)
}

/// `'x'` and not the beginning of a lifetime.
fn is_character(rest: &str) -> bool {
    rest.chars().nth(2) == Some('\'')
}

/// The code with `#[cfg(test)]` items blanked, and the modules declared for tests only.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut octets = code.as_bytes().to_vec();
    let mut modules = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK).map(|at| from + at) {
        let mut end = at + MARK.len();
        let mut depth = 0;
        for (offset, octet) in code.as_bytes()[end..].iter().enumerate() {
            depth += match octet {
                b'{' => 1,
                b'}' => -1,
                _ => 0,
            };
            if depth == 0 && matches!(octet, b'}' | b';') {
                end += offset + 1;
                break;
            }
        }
        let item = code[at + MARK.len()..end].trim();
        let name = item.strip_prefix("pub ").unwrap_or(item).strip_prefix("mod ");
        if let Some(name) = name.and_then(|name| name.strip_suffix(';')) {
            modules.push(name.trim().to_owned());
        }
        for octet in &mut octets[at..end] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
        from = end;
    }
    (String::from_utf8(octets).unwrap(), modules)
}

/// The words of a line.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// Modules of ours that a file names after `crate::`, with the line.
fn own_modules(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = &source.code;
    for (at, mark) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + mark.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // The first word of each branch of the tree.
            let (mut depth, mut begins) = (0, true);
            for (offset, letter) in group.char_indices() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => begins = true,
                    _ if begins && letter.is_alphabetic() => {
                        begins = false;
                        found.extend(words(&group[offset..]).next().map(|w| (line, w.to_owned())));
                    }
                    _ => {}
                }
            }
        } else {
            found.extend(words(rest).next().map(|word| (line, word.to_owned())));
        }
    }
    found
}

#[track_caller]
fn nothing(offending: &[String]) {
    assert!(offending.is_empty(), "\n{}\n", offending.join("\n"));
}

fn told(source: &Source, line: usize, why: &str) -> String {
    let text = std::fs::read_to_string(src().join(&source.path)).unwrap();
    let whole = text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
    format!("src/{}:{line}: {why}: {whole}", source.path)
}

#[test]
fn pure_modules_name_no_runtime_database_client_log_or_clock() {
    let mut offending = Vec::new();
    for source in sources().iter().filter(|source| source.lies_in(PURE)) {
        for (line, code) in source.lines() {
            for word in words(code).filter(|word| OUTSIDE.contains(word)) {
                // A value may be called `now`; only asking for it is forbidden.
                let called = |word: &str| code.contains(&format!("::{word}("));
                let imported = |word: &str| code.contains(&format!("std::{word}"));
                let meant = match word {
                    "now" | "system" => called(word),
                    "fs" | "net" | "env" | "process" | "thread" => imported(word),
                    "log" => code.contains("log::"),
                    // What a CRM must be able to do is a trait of waiting functions.
                    "async" | "await" => source.path != "crm/mod.rs",
                    _ => true,
                };
                if meant {
                    offending.push(told(source, line, &format!("`{word}` in a pure module")));
                }
            }
        }
    }
    nothing(&offending);
}

#[test]
fn pure_modules_import_pure_modules_only() {
    let mut offending = Vec::new();
    for source in sources().iter().filter(|source| source.lies_in(PURE)) {
        if source.path.starts_with("demo/") {
            continue;
        }
        for (line, module) in own_modules(source) {
            if !PURE_MODULES.contains(&module.as_str()) {
                offending.push(told(source, line, &format!("`{module}` in a pure module")));
            }
        }
    }
    nothing(&offending);
}

#[test]
fn the_mail_half_and_the_crm_half_never_name_each_other_and_nothing_runs_backwards() {
    let mut offending = Vec::new();
    for (place, strangers) in STRANGERS {
        for source in sources().iter().filter(|source| source.lies_in(&[place])) {
            for (line, module) in own_modules(source) {
                if strangers.contains(&module.as_str()) {
                    offending.push(told(source, line, &format!("`{module}` in {place}")));
                }
            }
            for (line, code) in source.lines() {
                for word in ["bitrix24", "sandbox"] {
                    if *place == "filing/" && words(code).any(|named| named == word) {
                        offending.push(told(source, line, &format!("`{word}` in {place}")));
                    }
                }
            }
        }
    }
    nothing(&offending);
}

#[test]
fn each_foreign_crate_is_known_in_one_place() {
    let mut offending = Vec::new();
    for source in sources() {
        for (word, places) in OWNERS.iter().filter(|(_, places)| !source.lies_in(places)) {
            for (line, code) in source.lines() {
                if words(code).any(|named| named == *word) {
                    let why = format!("`{word}` outside of {}", places.join(", "));
                    offending.push(told(source, line, &why));
                }
            }
        }
    }
    nothing(&offending);
}

#[test]
fn only_the_daemon_starts_tasks_and_nothing_that_input_reaches_can_panic() {
    let mut offending = Vec::new();
    for source in sources() {
        for (call, _) in CALLS.iter().filter(|(_, places)| !source.lies_in(places)) {
            for (line, code) in source.lines().filter(|(_, code)| code.contains(call)) {
                // `println!(` is a part of `eprintln!(`, which is for trouble.
                if *call == "println!(" && !words(code).any(|word| word == "println") {
                    continue;
                }
                offending.push(told(source, line, &format!("`{call}` is not for here")));
            }
        }
    }
    nothing(&offending);
}

#[test]
fn files_that_decide_are_not_named_for_their_kind() {
    let kinds = ["utils", "util", "types", "helpers", "helper", "common", "misc"];
    let mut offending = Vec::new();
    for source in sources() {
        let stem = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        if kinds.contains(&stem) {
            offending.push(format!("src/{}: named for its kind", source.path));
        }
    }
    nothing(&offending);
}

#[test]
fn what_is_forbidden_is_found_and_what_is_only_said_is_not() {
    let text = r####"
        // tokio::spawn( in a comment
        let a = "tokio::spawn(";
        let b = r#"panic!("tokio")"#;
        let c = ['"', '\'', '\\'];
        let d: &'static str = f::<'a>(); /* tokio */ tokio::spawn(x);
        #[cfg(test)]
        mod tests { fn f() { g().unwrap() } }
        #[cfg(test)]
        mod elsewhere;
        fn last() { h().expect("reason") }
        use crate::{card::{CardRef, imap}, ledger, crm::bitrix24};
    "####;
    let (code, modules) = without_tests(&without_words(text));
    assert_eq!(modules, ["elsewhere"]);
    assert_eq!(code.matches("tokio").count(), 1, "{code}");
    assert_eq!(code.matches("panic").count(), 0, "{code}");
    assert_eq!(code.matches(".unwrap()").count(), 0, "{code}");
    assert_eq!(code.matches(".expect(").count(), 1, "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
    let source = Source { path: "imap/x.rs".to_owned(), code };
    let named: Vec<String> = own_modules(&source).into_iter().map(|(_, word)| word).collect();
    assert_eq!(named, ["card", "ledger", "crm"]);
    // The table would pass if there were nothing to read.
    assert!(sources().len() > 80, "{}", sources().len());
    assert!(sources().iter().filter(|source| source.lies_in(PURE)).count() > 20);
}
