//! Mail that is read piece by piece straight into the spool.

use std::sync::Arc;

use super::Error;
use super::bounds::Bounds;
use super::catch_up::CatchUp;
use super::link::{CHUNK, Link};
use crate::intake::{Arrived, FIRST_MIB, Reading};
use crate::ledger::{self, Seen, Spool, SpoolWriter};

impl CatchUp<'_> {
    /// Reads a message piece by piece into the spool; memory holds one piece.
    pub(super) async fn large(
        &mut self,
        reading: &Reading,
        header: Arrived,
        size: u64,
        now: i64,
    ) -> Result<Vec<Seen>, Error> {
        let spool = self.intake.ledger.spool();
        let read =
            in_pieces(self.link, self.bounds, spool, header.uid, size, self.max_message).await?;
        let Some(Pieces { first, writer, whole }) = read else {
            self.absent(&[header.uid], std::iter::empty()).await?;
            return Ok(vec![self.intake.gone(reading, &header, now)]);
        };
        let arrived = Arrived { uid: header.uid, internal_date: header.internal_date, raw: first };
        Ok(self.intake.large(reading, arrived, writer, whole, now).await?.take())
    }
}

/// A message that was read piece by piece.
pub(super) struct Pieces {
    /// At most its first MiB.
    pub first: Vec<u8>,
    /// What lies in the spool, unfinished.
    pub writer: SpoolWriter,
    /// `false`: its first MiB only.
    pub whole: bool,
}

/// Reads a message of the selected folder into the spool; `None` if it left the server.
///
/// `size` is what the server says, `u64::MAX` if it says nothing. Of a message of more than
/// `max_message` octets the first MiB is kept.
pub(super) async fn in_pieces(
    link: &mut Link,
    bounds: &Bounds,
    spool: &Arc<Spool>,
    uid: u32,
    size: u64,
    max_message: u64,
) -> Result<Option<Pieces>, Error> {
    let new = |spool: &Arc<Spool>| {
        let spool = Arc::clone(spool);
        move || spool.writer()
    };
    // A size that nobody knows is found out on the way.
    let mut whole = size == u64::MAX || size <= max_message;
    let mut writer = blocking(new(spool)).await?;
    let mut first: Vec<u8> = Vec::new();
    let mut start = 0;
    loop {
        // For each piece anew: whoever is slow does not hold it for a whole mail.
        let _permit = bounds.permit(u64::from(CHUNK) * 2).await?;
        let chunk = match link.chunk(uid, start).await? {
            Some(chunk) => chunk,
            // Behind its end there is nothing, whatever the server says of its size.
            None if start > 0 && !link.uids(uid, uid).await?.is_empty() => Vec::new(),
            None => return Ok(None),
        };
        // A short piece is the last one where the size agrees; sizes and pieces are both said
        // wrongly by some, so else the server is asked once more. More than was asked for is
        // the whole message, from who knows no pieces.
        let length = chunk.len();
        let ended = length == 0
            || length > CHUNK as usize
            || (length < CHUNK as usize && start + length as u64 >= size);
        // Some hand out less at a time than was asked for.
        let room = FIRST_MIB.saturating_sub(first.len()).min(chunk.len());
        first.extend_from_slice(chunk.get(..room).unwrap_or_default());
        start += chunk.len() as u64;
        if start > max_message && whole && first.len() == FIRST_MIB {
            // Larger than the server said, and than allowed: only the first MiB is kept.
            whole = false;
            let begin = new(spool);
            let kept = first.clone();
            writer = blocking(move || {
                let mut writer = begin()?;
                writer.append(&kept)?;
                Ok(writer)
            })
            .await?;
            break;
        }
        let kept = if whole { chunk.len() } else { room };
        writer = blocking(move || {
            writer.append(chunk.get(..kept).unwrap_or_default())?;
            Ok(writer)
        })
        .await?;
        if ended || (!whole && first.len() == FIRST_MIB) {
            break;
        }
    }
    Ok(Some(Pieces { first, writer, whole }))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ledger::Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| ledger::Error::Interrupted { doing: "write the spool" })??)
}
