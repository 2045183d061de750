//! A certificate authority of its own and a certificate for `localhost`, by the `openssl` command.

use std::io;
use std::path::Path;
use std::process::Command;

/// Everything openssl is to know: the system's own openssl.cnf may say anything or be missing.
const CONFIG: &str = "\
[req]
distinguished_name = name
prompt = no
x509_extensions = ca
[name]
CN = mailcrm demo CA
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
";

const CURVE: &str = "ec_paramgen_curve:P-256";

/// What kept a certificate from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot run openssl; install the package openssl")]
    Run { source: io::Error },
    #[error("openssl: {text}")]
    Openssl { text: String },
    #[error("certificate: {doing}")]
    File { doing: &'static str, source: io::Error },
}

/// Makes `ca.pem`, `server.pem` and `server.key` in `folder`, in the place of former ones.
///
/// The server's certificate is good for `localhost` and 127.0.0.1. The authority's key is deleted
/// again: nobody can sign anything else that trusts `ca.pem`.
pub fn make(folder: &Path) -> Result<(), Error> {
    std::fs::write(folder.join("openssl.cnf"), CONFIG)
        .map_err(|source| Error::File { doing: "openssl.cnf", source })?;
    #[rustfmt::skip]
    openssl(folder, &[
        "req", "-x509", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt", CURVE, "-nodes",
        "-days", "3650", "-keyout", "ca.key", "-out", "ca.pem",
    ])?;
    #[rustfmt::skip]
    openssl(folder, &[
        "req", "-new", "-config", "openssl.cnf", "-subj", "/CN=localhost", "-newkey", "ec",
        "-pkeyopt", CURVE, "-nodes", "-keyout", "server.key", "-out", "server.csr",
    ])?;
    // A serial number of its own each time: two certificates of one issuer must differ in it.
    let serial = format!("0x{:016x}", super::port::random() >> 1);
    #[rustfmt::skip]
    openssl(folder, &[
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial",
        &serial, "-extfile", "openssl.cnf", "-extensions", "server", "-days", "3650", "-out",
        "server.pem",
    ])?;
    for left in ["ca.key", "server.csr", "openssl.cnf"] {
        std::fs::remove_file(folder.join(left))
            .map_err(|source| Error::File { doing: "remove what openssl left", source })?;
    }
    Ok(())
}

fn openssl(folder: &Path, args: &[&str]) -> Result<(), Error> {
    let output = Command::new("openssl")
        .args(args)
        .current_dir(folder)
        .output()
        .map_err(|source| Error::Run { source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Error::Openssl { text: text.split_whitespace().collect::<Vec<_>>().join(" ") })
}
