//! Activities as they lie in the file: rows, bindings, communications, files.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::cards::{Kind, note_activity};
use super::php::Php;

/// What an activity is (`TYPE_ID`). Others exist, but not through REST.
pub(super) const MEETING: i64 = 1;
pub(super) const CALL: i64 = 2;
pub(super) const EMAIL: i64 = 4;
pub(super) const PROVIDER: i64 = 6;

/// `PROVIDER_ID` of a to-do.
pub(super) const TODO: &str = "CRM_TODO";

pub(super) const OUTGOING: i64 = 2;

/// One activity without its text.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    pub(super) id: i64,
    pub(super) owner: (Kind, i64),
    pub(super) type_id: i64,
    pub(super) provider_id: String,
    pub(super) provider_type_id: String,
    pub(super) direction: i64,
    pub(super) completed: bool,
    pub(super) completed_at: Option<i64>,
    pub(super) priority: i64,
    /// Emoji as codes.
    pub(super) subject: String,
    pub(super) description_type: i64,
    pub(super) responsible: i64,
    pub(super) author: i64,
    pub(super) editor: i64,
    pub(super) starts_at: Option<i64>,
    pub(super) ends_at: Option<i64>,
    pub(super) deadline_at: i64,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
    pub(super) location: String,
    pub(super) originator_id: String,
    pub(super) origin_id: String,
    pub(super) origin_version: String,
    pub(super) settings: String,
}

/// One party of an activity.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) type_id: String,
    pub(super) value: String,
    pub(super) card: (Kind, i64),
}

fn kind_at(row: &Row<'_>, column: &str) -> rusqlite::Result<Kind> {
    let number: i64 = row.get(column)?;
    Kind::of(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Activity> {
    Ok(Activity {
        id: row.get("id")?,
        owner: (kind_at(row, "owner_kind")?, row.get("owner_id")?),
        type_id: row.get("type_id")?,
        provider_id: row.get("provider_id")?,
        provider_type_id: row.get("provider_type_id")?,
        direction: row.get("direction")?,
        completed: row.get("completed")?,
        completed_at: row.get("completed_at")?,
        priority: row.get("priority")?,
        subject: row.get("subject")?,
        description_type: row.get("description_type")?,
        responsible: row.get("responsible")?,
        author: row.get("author")?,
        editor: row.get("editor")?,
        starts_at: row.get("starts_at")?,
        ends_at: row.get("ends_at")?,
        deadline_at: row.get("deadline_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        location: row.get("location")?,
        originator_id: row.get("originator_id")?,
        origin_id: row.get("origin_id")?,
        origin_version: row.get("origin_version")?,
        settings: row.get("settings")?,
    })
}

/// The question that is put to the file; the rest of a filter is compared afterwards.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Narrow {
    Ids(Vec<i64>),
    Above(i64),
    Origin(String),
    Card(Kind, i64),
    All,
}

impl Activity {
    pub(super) fn load(conn: &Connection, id: i64) -> rusqlite::Result<Option<Activity>> {
        conn.prepare_cached("SELECT * FROM activity WHERE id = ?1")?
            .query_row(params![id], from_row)
            .optional()
    }

    /// The activities for one question, by number.
    pub(super) fn find(conn: &Connection, narrow: &Narrow) -> rusqlite::Result<Vec<Activity>> {
        match narrow {
            Narrow::Ids(ids) => {
                let ids = super::cards::as_json(&Php::list(ids.iter().copied().map(Php::Int)))?;
                conn.prepare_cached(
                    "SELECT * FROM activity
                     WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id",
                )?
                .query_map(params![ids], from_row)?
                .collect()
            }
            Narrow::Above(id) => conn
                .prepare_cached("SELECT * FROM activity WHERE id > ?1 ORDER BY id")?
                .query_map(params![id], from_row)?
                .collect(),
            Narrow::Origin(origin) => conn
                .prepare_cached("SELECT * FROM activity WHERE origin_id = ?1 ORDER BY id")?
                .query_map(params![origin], from_row)?
                .collect(),
            Narrow::Card(kind, id) => conn
                .prepare_cached(
                    "SELECT activity.* FROM binding
                     JOIN activity ON activity.id = binding.activity_id
                     WHERE binding.kind = ?1 AND binding.card_id = ?2 ORDER BY activity.id",
                )?
                .query_map(params![kind.entity_type(), id], from_row)?
                .collect(),
            Narrow::All => conn
                .prepare_cached("SELECT * FROM activity ORDER BY id")?
                .query_map([], from_row)?
                .collect(),
        }
    }

    /// Writes a new activity and gives it its number.
    pub(super) fn insert(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut insert = conn.prepare_cached(
            "INSERT INTO activity (owner_kind, owner_id, type_id, provider_id, provider_type_id,
                direction, completed, completed_at, priority, subject, description_type,
                responsible, author, editor, starts_at, ends_at, deadline_at, created_at,
                updated_at, location, originator_id, origin_id, origin_version, settings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                ?18, ?19, ?20, ?21, ?22, ?23, ?24)
             RETURNING id",
        )?;
        self.id = insert.query_row(
            params![
                self.owner.0.entity_type(),
                self.owner.1,
                self.type_id,
                self.provider_id,
                self.provider_type_id,
                self.direction,
                self.completed,
                self.completed_at,
                self.priority,
                self.subject,
                self.description_type,
                self.responsible,
                self.author,
                self.editor,
                self.starts_at,
                self.ends_at,
                self.deadline_at,
                self.created_at,
                self.updated_at,
                self.location,
                self.originator_id,
                self.origin_id,
                self.origin_version,
                self.settings,
            ],
            |row| row.get("id"),
        )?;
        Ok(())
    }

    /// Writes what may change in an activity; its type never does.
    pub(super) fn store(&self, conn: &Connection) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "UPDATE activity SET owner_kind = ?2, owner_id = ?3, direction = ?4, completed = ?5,
                completed_at = ?6, priority = ?7, subject = ?8, description_type = ?9,
                responsible = ?10, editor = ?11, starts_at = ?12, ends_at = ?13, deadline_at = ?14,
                updated_at = ?15, location = ?16, originator_id = ?17, origin_id = ?18,
                origin_version = ?19, settings = ?20
             WHERE id = ?1",
        )?
        .execute(params![
            self.id,
            self.owner.0.entity_type(),
            self.owner.1,
            self.direction,
            self.completed,
            self.completed_at,
            self.priority,
            self.subject,
            self.description_type,
            self.responsible,
            self.editor,
            self.starts_at,
            self.ends_at,
            self.deadline_at,
            self.updated_at,
            self.location,
            self.originator_id,
            self.origin_id,
            self.origin_version,
            self.settings,
        ])?;
        Ok(())
    }

    /// Removes the activity with its text, bindings, parties and files.
    pub(super) fn delete(&self, conn: &Connection) -> rusqlite::Result<()> {
        conn.execute("DELETE FROM activity WHERE id = ?1", params![self.id])?;
        Ok(())
    }

    pub(super) fn text(&self, conn: &Connection) -> rusqlite::Result<String> {
        let text = conn
            .prepare_cached("SELECT description FROM activity_text WHERE activity_id = ?1")?
            .query_row(params![self.id], |row| row.get("description"))
            .optional()?;
        Ok(text.unwrap_or_default())
    }

    pub(super) fn set_text(&self, conn: &Connection, text: &str) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "INSERT INTO activity_text (activity_id, description) VALUES (?1, ?2)
             ON CONFLICT (activity_id) DO UPDATE SET description = excluded.description",
        )?
        .execute(params![self.id, text])?;
        Ok(())
    }

    /// The cards the activity is bound to, in the order in which they were bound.
    pub(super) fn bindings(&self, conn: &Connection) -> rusqlite::Result<Vec<(Kind, i64)>> {
        conn.prepare_cached("SELECT kind, card_id FROM binding WHERE activity_id = ?1 ORDER BY id")?
            .query_map(params![self.id], |row| Ok((kind_at(row, "kind")?, row.get("card_id")?)))?
            .collect()
    }

    /// Binds the activity to a further card; it is news there as of the activity's last update.
    pub(super) fn bind(&self, conn: &Connection, card: (Kind, i64)) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "INSERT INTO binding (activity_id, kind, card_id) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![self.id, card.0.entity_type(), card.1])?;
        note_activity(conn, card, self.updated_at)
    }

    pub(super) fn unbind(&self, conn: &Connection, card: (Kind, i64)) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "DELETE FROM binding WHERE activity_id = ?1 AND kind = ?2 AND card_id = ?3",
        )?
        .execute(params![self.id, card.0.entity_type(), card.1])?;
        Ok(())
    }

    pub(super) fn unbind_all(&self, conn: &Connection) -> rusqlite::Result<()> {
        conn.execute("DELETE FROM binding WHERE activity_id = ?1", params![self.id])?;
        Ok(())
    }

    pub(super) fn parties(&self, conn: &Connection) -> rusqlite::Result<Vec<(i64, Party)>> {
        conn.prepare_cached(
            "SELECT id, type, value, kind, card_id FROM communication
             WHERE activity_id = ?1 ORDER BY id",
        )?
        .query_map(params![self.id], |row| {
            let party = Party {
                type_id: row.get("type")?,
                value: row.get("value")?,
                card: (kind_at(row, "kind")?, row.get("card_id")?),
            };
            Ok((row.get("id")?, party))
        })?
        .collect()
    }

    /// Puts these parties in the place of those that were there.
    pub(super) fn set_parties(&self, conn: &Connection, parties: &[Party]) -> rusqlite::Result<()> {
        conn.execute("DELETE FROM communication WHERE activity_id = ?1", params![self.id])?;
        let mut insert = conn.prepare_cached(
            "INSERT INTO communication (activity_id, type, value, kind, card_id)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for party in parties {
            let (kind, card) = party.card;
            insert.execute(params![
                self.id,
                party.type_id,
                party.value,
                kind.entity_type(),
                card
            ])?;
        }
        Ok(())
    }
}
