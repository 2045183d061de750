//! Cards as they lie in the file, and the few questions by which they are narrowed down.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::php::Php;

/// What a card is, by Bitrix24's `entityTypeId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Lead,
    Deal,
    Contact,
    Company,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Lead, Kind::Deal, Kind::Contact, Kind::Company];

    pub(super) fn entity_type(self) -> i64 {
        match self {
            Kind::Lead => 1,
            Kind::Deal => 2,
            Kind::Contact => 3,
            Kind::Company => 4,
        }
    }

    pub(super) fn of(entity_type: i64) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.entity_type() == entity_type)
    }

    /// The symbolic name, such as `LEAD`.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Kind::Lead => "LEAD",
            Kind::Deal => "DEAL",
            Kind::Contact => "CONTACT",
            Kind::Company => "COMPANY",
        }
    }

    pub(super) fn by_symbol(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.symbol().eq_ignore_ascii_case(name))
    }

    /// The list of `crm.status.list` that holds the stages; contacts and companies have none.
    pub(super) fn stages(self) -> Option<&'static str> {
        match self {
            Kind::Lead => Some("STATUS"),
            Kind::Deal => Some("DEAL_STAGE"),
            Kind::Contact | Kind::Company => None,
        }
    }

    /// Deals have no addresses or telephones of their own.
    pub(super) fn has_multifields(self) -> bool {
        match self {
            Kind::Lead | Kind::Contact | Kind::Company => true,
            Kind::Deal => false,
        }
    }
}

/// One card. `fields` has the names of `crm.item.*`; times are Unix seconds.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) kind: Kind,
    pub(super) id: i64,
    pub(super) fields: Php,
}

impl Card {
    pub(super) fn responsible(&self) -> i64 {
        self.fields.get("assignedById").int()
    }

    /// What a person calls it.
    pub(super) fn title(&self) -> String {
        let (first, last) = (self.fields.get("name").text(), self.fields.get("lastName").text());
        let name = format!("{first} {last}");
        let title = match self.kind {
            Kind::Lead | Kind::Deal | Kind::Company => self.fields.get("title").text(),
            Kind::Contact => name.trim().to_owned(),
        };
        if title.trim().is_empty() { format!("{} #{}", self.kind.symbol(), self.id) } else { title }
    }

    pub(super) fn load(conn: &Connection, kind: Kind, id: i64) -> rusqlite::Result<Option<Card>> {
        conn.prepare_cached("SELECT kind, id, fields FROM card WHERE kind = ?1 AND id = ?2")?
            .query_row(params![kind.entity_type(), id], from_row)
            .optional()
    }

    /// The number of the next card of this kind.
    pub(super) fn number(conn: &Connection, kind: Kind) -> rusqlite::Result<i64> {
        conn.prepare_cached(
            "UPDATE card_number SET last = last + 1 WHERE kind = ?1 RETURNING last",
        )?
        .query_row(params![kind.entity_type()], |row| row.get("last"))
    }

    /// Writes the card, new or changed.
    pub(super) fn store(&self, conn: &Connection) -> rusqlite::Result<()> {
        let kind = self.kind.entity_type();
        conn.prepare_cached(
            "INSERT INTO card (kind, id, fields) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, id) DO UPDATE SET fields = excluded.fields",
        )?
        .execute(params![kind, self.id, as_json(&self.fields)?])?;
        conn.prepare_cached("DELETE FROM card_contact WHERE kind = ?1 AND card_id = ?2")?
            .execute(params![kind, self.id])?;
        let mut insert = conn.prepare_cached(
            "INSERT INTO card_contact (kind, card_id, contact_id) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?;
        for contact in self.fields.get("contactIds").values() {
            insert.execute(params![kind, self.id, contact.int()])?;
        }
        Ok(())
    }

    /// When something last happened to the card or on its timeline, Unix seconds.
    pub(super) fn changed_at(&self) -> i64 {
        self.fields.get("updatedTime").int().max(self.fields.get("lastActivityTime").int())
    }

    /// Removes the card and all that hangs on it.
    ///
    /// An activity goes with the last card it was bound to; the others of its cards keep it.
    pub(super) fn delete(&self, conn: &Connection) -> rusqlite::Result<()> {
        let card = params![self.kind.entity_type(), self.id];
        conn.execute("DELETE FROM card WHERE kind = ?1 AND id = ?2", card)?;
        conn.execute("DELETE FROM card_contact WHERE kind = ?1 AND card_id = ?2", card)?;
        conn.execute("DELETE FROM multifield WHERE kind = ?1 AND card_id = ?2", card)?;
        conn.execute("DELETE FROM comment WHERE kind = ?1 AND card_id = ?2", card)?;
        conn.execute("DELETE FROM hidden WHERE kind = ?1 AND card_id = ?2", card)?;
        conn.execute("DELETE FROM binding WHERE kind = ?1 AND card_id = ?2", card)?;
        conn.execute(
            "DELETE FROM activity WHERE owner_kind = ?1 AND owner_id = ?2
               AND NOT EXISTS (SELECT 1 FROM binding WHERE binding.activity_id = activity.id)",
            card,
        )?;
        conn.execute(
            "UPDATE activity SET
                owner_kind = (SELECT kind FROM binding WHERE activity_id = activity.id
                              ORDER BY kind IN (3, 4), id DESC LIMIT 1),
                owner_id = (SELECT card_id FROM binding WHERE activity_id = activity.id
                            ORDER BY kind IN (3, 4), id DESC LIMIT 1)
             WHERE owner_kind = ?1 AND owner_id = ?2",
            card,
        )?;
        Ok(())
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Card> {
    let fields: String = row.get("fields")?;
    let kind: i64 = row.get("kind")?;
    Ok(Card {
        kind: Kind::of(kind).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, kind))?,
        id: row.get("id")?,
        fields: from_json(&fields),
    })
}

/// A value as it is kept in a column.
pub(super) fn as_json(value: &Php) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|source| rusqlite::Error::ToSqlConversionFailure(source.into()))
}

/// A value from a column that [`as_json`] wrote.
pub(super) fn from_json(text: &str) -> Php {
    serde_json::from_str(text).unwrap_or(Php::Null)
}

/// The question that is put to the file. Whatever else a filter asks is compared afterwards.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Narrow {
    Ids(Vec<i64>),
    Above(i64),
    Origin(String),
    Lead(i64),
    Contact(i64),
    Company(i64),
    ChangedSince(i64),
    All,
}

/// The cards of a kind for one question, by number.
pub(super) fn find(conn: &Connection, kind: Kind, narrow: &Narrow) -> rusqlite::Result<Vec<Card>> {
    let kind = kind.entity_type();
    match narrow {
        Narrow::Ids(ids) => {
            let ids = as_json(&Php::list(ids.iter().copied().map(Php::Int)))?;
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card
                 WHERE kind = ?1 AND id IN (SELECT value FROM json_each(?2)) ORDER BY id",
            )?;
            query.query_map(params![kind, ids], from_row)?.collect()
        }
        Narrow::Above(id) => {
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card WHERE kind = ?1 AND id > ?2 ORDER BY id",
            )?;
            query.query_map(params![kind, id], from_row)?.collect()
        }
        Narrow::Origin(origin) => {
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card WHERE kind = ?1 AND origin_id = ?2 ORDER BY id",
            )?;
            query.query_map(params![kind, origin], from_row)?.collect()
        }
        Narrow::Lead(lead) => {
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card WHERE kind = ?1 AND lead_id = ?2 ORDER BY id",
            )?;
            query.query_map(params![kind, lead], from_row)?.collect()
        }
        Narrow::Contact(contact) => {
            let mut query = conn.prepare_cached(
                "SELECT card.kind, card.id, card.fields FROM card_contact
                 JOIN card ON card.kind = card_contact.kind AND card.id = card_contact.card_id
                 WHERE card_contact.kind = ?1 AND card_contact.contact_id = ?2 ORDER BY card.id",
            )?;
            query.query_map(params![kind, contact], from_row)?.collect()
        }
        Narrow::Company(company) => {
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card WHERE kind = ?1 AND company_id = ?2 ORDER BY id",
            )?;
            query.query_map(params![kind, company], from_row)?.collect()
        }
        Narrow::ChangedSince(at) => {
            let mut query = conn.prepare_cached(
                "SELECT kind, id, fields FROM card WHERE kind = ?1 AND updated_at >= ?2 ORDER BY id",
            )?;
            query.query_map(params![kind, at], from_row)?.collect()
        }
        Narrow::All => {
            let mut query = conn
                .prepare_cached("SELECT kind, id, fields FROM card WHERE kind = ?1 ORDER BY id")?;
            query.query_map(params![kind], from_row)?.collect()
        }
    }
}

/// Notes that something new is on the card's timeline, at this time.
pub(super) fn note_activity(conn: &Connection, card: (Kind, i64), at: i64) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "UPDATE card SET fields = json_set(fields, '$.lastActivityTime', ?3)
         WHERE kind = ?1 AND id = ?2",
    )?
    .execute(params![card.0.entity_type(), card.1, at])?;
    Ok(())
}

/// The cards of all kinds, those first on which something happened last.
pub(super) fn latest(conn: &Connection, limit: i64, offset: i64) -> rusqlite::Result<Vec<Card>> {
    conn.prepare_cached(
        "SELECT kind, id, fields FROM card ORDER BY changed_at DESC, id DESC LIMIT ?1 OFFSET ?2",
    )?
    .query_map(params![limit, offset], from_row)?
    .collect()
}
