//! `mailcrm man FOLDER`: the manual pages, one a command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, Trouble};

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot make folder {path}")]
    Folder { path: String, source: io::Error },
    #[error("cannot write {path}")]
    Page { path: String, source: io::Error },
}

/// Writes `mailcrm.1`, `mailcrm-run.1` and so on; makes the folder if it is absent.
pub(super) fn pages(folder: &Path) -> Result<(), Trouble> {
    Ok(write(folder)?)
}

fn write(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder)
        .map_err(|source| Error::Folder { path: folder.display().to_string(), source })?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    page(&program, folder)?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        page(command, folder)?;
    }
    Ok(())
}

fn page(command: &Command, folder: &Path) -> Result<(), Error> {
    let man = Man::new(command.clone())
        .source(concat!("mailcrm ", env!("CARGO_PKG_VERSION")))
        .manual("mailcrm manual");
    let path: PathBuf = folder.join(man.get_filename());
    let mut text = Vec::new();
    let rendered = man.render(&mut text).and_then(|()| {
        let mut more = Roff::default();
        exit_status(&mut more);
        files(&mut more);
        see_also(&mut more, command);
        more.to_writer(&mut text)
    });
    rendered
        .and_then(|()| fs::write(&path, &text))
        .map_err(|source| Error::Page { path: path.display().to_string(), source })
}

fn entries(roff: &mut Roff, title: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [title]);
    for (name, text) in entries {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*text)]);
    }
}

fn exit_status(roff: &mut Roff) {
    #[rustfmt::skip]
    let codes = [
        ("0",  "Done."),
        ("1",  "It did not work, or an argument names nothing known; standard error says why."),
        ("2",  "The command line is wrong."),
        ("3",  "Refused by a rule or by the CRM's rights."),
        ("78", "The configuration is wrong."),
    ];
    entries(roff, "EXIT STATUS", &codes);
}

fn files(roff: &mut Roff) {
    #[rustfmt::skip]
    let files = [
        ("/etc/mailcrm/mailcrm.toml",       "The configuration."),
        ("/etc/mailcrm/mailboxes.d/*.toml", "Further mailboxes, beside the file given with --config."),
        ("/var/lib/mailcrm/ledger.sqlite",  "The ledger; the spool lies beside it."),
    ];
    entries(roff, "FILES", &files);
}

fn see_also(roff: &mut Roff, command: &Command) {
    if command.get_name() == "mailcrm" {
        return;
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("mailcrm"), roman("(1)")]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_command_but_the_hidden_ones_has_a_page_that_names_the_exit_codes() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("new")).unwrap();
        let mut names: Vec<String> = fs::read_dir(folder.path().join("new"))
            .unwrap()
            .map(|file| {
                let path = file.unwrap().path();
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(".SH \"EXIT STATUS\""), "{text}");
                path.file_name().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        names.sort();
        let wanted: Vec<String> = Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| format!("mailcrm-{}.1", command.get_name()))
            .collect();
        assert!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
        assert_eq!(names.len(), wanted.len() + 1);
        assert!(names.contains(&"mailcrm.1".to_owned()));
        assert!(!names.contains(&"mailcrm-man.1".to_owned()));
    }
}
