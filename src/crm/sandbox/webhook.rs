//! Who calls: a webhook, its employee, and what that employee may do with a card.

use std::cell::OnceCell;
use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::answer::Fault;
use super::cards::{Card, Kind};

/// What a new webhook is allowed, unless it is told otherwise.
pub(super) const ALL_SCOPES: &str = "crm,user,user_basic,department,im,mail,disk";

/// The webhook of a request and the rights of its employee.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) employee: i64,
    pub(super) scopes: Vec<String>,
    read_all: bool,
    update_all: bool,
}

impl Caller {
    /// Looks the webhook up.
    ///
    /// The statuses are those that were observed, where the documentation names others.
    pub(super) fn find(conn: &Connection, employee: i64, secret: &str) -> Result<Caller, Fault> {
        let mut query = conn.prepare_cached(
            "SELECT webhook.scope, employee.active, employee.read_all, employee.update_all
             FROM webhook JOIN employee ON employee.id = webhook.employee
             WHERE webhook.employee = ?1 AND webhook.secret = ?2",
        )?;
        let found = query.query_row(params![employee, secret], |row| {
            let scope: String = row.get("scope")?;
            let active: bool = row.get("active")?;
            let scopes = scope.split(',').map(str::trim).filter(|name| !name.is_empty());
            let caller = Caller {
                employee,
                scopes: scopes.map(str::to_owned).collect(),
                read_all: row.get("read_all")?,
                update_all: row.get("update_all")?,
            };
            Ok((caller, active))
        });
        match found.optional()? {
            None => {
                let text = "Invalid request credentials";
                Err(Fault::with_status(401, "INVALID_CREDENTIALS", text))
            }
            // Nobody can be logged in as a dismissed employee [observed].
            Some((_, false)) => {
                Err(Fault::with_status(401, "authorization_error", "Unable to authorize user"))
            }
            Some((caller, true)) => Ok(caller),
        }
    }

    pub(super) fn has_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope == name)
    }
}

/// One call in its transaction.
pub(super) struct Call<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) caller: &'a Caller,
    /// Unix seconds.
    pub(super) now: i64,
    /// The CRM works without leads.
    pub(super) simple_mode: bool,
    hidden: OnceCell<HashSet<(i64, i64)>>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        tx: &'a Transaction<'a>,
        caller: &'a Caller,
        now: i64,
        simple_mode: bool,
    ) -> Call<'a> {
        Call { tx, caller, now, simple_mode, hidden: OnceCell::new() }
    }

    fn is_hidden(&self, kind: Kind, id: i64) -> Result<bool, Fault> {
        let key = (kind.entity_type(), id);
        if let Some(hidden) = self.hidden.get() {
            return Ok(hidden.contains(&key));
        }
        let mut query =
            self.tx.prepare_cached("SELECT kind, card_id FROM hidden WHERE employee = ?1")?;
        let rows = query.query_map(params![self.caller.employee], |row| {
            Ok((row.get::<_, i64>("kind")?, row.get::<_, i64>("card_id")?))
        })?;
        let hidden: HashSet<(i64, i64)> = rows.collect::<rusqlite::Result<_>>()?;
        Ok(self.hidden.get_or_init(|| hidden).contains(&key))
    }

    pub(super) fn may_read(&self, card: &Card) -> Result<bool, Fault> {
        if self.is_hidden(card.kind, card.id)? {
            return Ok(false);
        }
        Ok(self.caller.read_all || card.responsible() == self.caller.employee)
    }

    pub(super) fn may_update(&self, card: &Card) -> Result<bool, Fault> {
        if !self.may_read(card)? {
            return Ok(false);
        }
        Ok(self.caller.update_all || card.responsible() == self.caller.employee)
    }

    /// Like [`Call::may_read`] by number; `false` too if there is no such card.
    pub(super) fn may_read_card(&self, kind: Kind, id: i64) -> Result<bool, Fault> {
        match Card::load(self.tx, kind, id)? {
            Some(card) => self.may_read(&card),
            None => Ok(false),
        }
    }

    /// Like [`Call::may_update`] by number; `false` too if there is no such card.
    pub(super) fn may_update_card(&self, kind: Kind, id: i64) -> Result<bool, Fault> {
        match Card::load(self.tx, kind, id)? {
            Some(card) => self.may_update(&card),
            None => Ok(false),
        }
    }
}
