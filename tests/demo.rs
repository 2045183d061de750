//! What a newcomer sees first.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

#[test]
fn demo_files_every_sample_as_it_should_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("demo");
    let output = Command::new(env!("CARGO_BIN_EXE_mailcrm"))
        .args(["demo", "--once", "--folder"])
        .arg(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("; 0 not as expected"), "{text}");
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn demo_touches_no_folder_that_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("precious"), "mine").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mailcrm"))
        .args(["demo", "--once", "--folder"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(std::fs::read(dir.path().join("precious")).unwrap(), b"mine");
}
