//! `mailcrm sandbox`: the stand-in for Bitrix24 on its own.

use super::{Sandbox, Trouble};
use crate::crm::sandbox::{Limits, Options, WEBHOOK_PATH};
use crate::daemon;

#[expect(clippy::print_stdout, reason = "where it listens is what was asked for")]
pub(super) async fn sandbox(asked: Sandbox) -> Result<(), Trouble> {
    let limits = (asked.drain > 0.0)
        .then_some(Limits { drain_per_second: asked.drain, threshold: asked.threshold });
    let options = Options { path: asked.path, limits, simple_mode: asked.simple };
    daemon::serve_sandbox(options, &asked.listen, |address| {
        println!("page     http://{address}/");
        println!("webhook  http://{address}{WEBHOOK_PATH}");
    })
    .await?;
    Ok(())
}
