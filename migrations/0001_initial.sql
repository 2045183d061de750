-- The ledger: what mailcrm has seen, what it decided, what it owes and what became of it.
-- All times are Unix seconds, UTC. A released migration is never edited.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,          -- 'crm': kind, host and port this ledger belongs to;
                                     -- 'crm NAME': another name of the same portal
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A mailbox is known by its name, host and username (product: Cursors).
CREATE TABLE mailbox (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    host        TEXT NOT NULL,
    username    TEXT NOT NULL,
    state       TEXT NOT NULL,       -- as in `status`; what the daemon last said
    last_error  TEXT,
    queue_turn  INTEGER NOT NULL,    -- how many turns of the responsible queue were taken
    login_refusals TEXT NOT NULL,    -- JSON list of times at which the server refused the credentials
    refused_secret TEXT,             -- salted SHA-256 of the refused secret: a changed one is tried at once
    UNIQUE (name, host, username)
) STRICT;

CREATE TABLE folder (
    id            INTEGER PRIMARY KEY,
    mailbox       INTEGER NOT NULL REFERENCES mailbox (id),
    name          TEXT NOT NULL,     -- decoded, INBOX in upper case
    role          TEXT NOT NULL,
    uid_validity  INTEGER NOT NULL,  -- 0: never read
    cursor        INTEGER NOT NULL,  -- every UID at or below it has a place or lies at or under the floor
    floor         INTEGER NOT NULL,  -- at or below it nothing lies in the history window
    first_read_at INTEGER NOT NULL,  -- the window counts back from here
    history_days  INTEGER NOT NULL,  -- days of history read or being read
    first_until   INTEGER NOT NULL,  -- UIDs at or below it belong to the folder's first reading
    uid_next      INTEGER NOT NULL,  -- as the server last said
    behind        INTEGER NOT NULL,  -- UIDs on the server without a row, as last seen
    UNIQUE (mailbox, name)
) STRICT;

CREATE TABLE message (
    id              INTEGER PRIMARY KEY,
    fingerprint     BLOB NOT NULL UNIQUE,  -- SHA-256 of the identity
    message_id      TEXT,
    state           TEXT NOT NULL,
    reason          TEXT,
    direction       TEXT,
    class           TEXT NOT NULL,
    sender          TEXT,                  -- bare address
    subject         TEXT NOT NULL,
    received_at     INTEGER NOT NULL,
    refs            TEXT NOT NULL,         -- JSON list: In-Reply-To, then References from the right
    answers         TEXT,                  -- outgoing: the Message-ID it answers, if a person wrote it
    owner           INTEGER NOT NULL,      -- employee who connected the mailbox
    employees_known INTEGER NOT NULL,      -- 0: to be admitted once more when due
    evidence        TEXT NOT NULL,         -- JSON list of {rule, fact}
    candidates      TEXT NOT NULL,         -- JSON list of {type, id, why}
    responsible     INTEGER,
    activity_id     INTEGER,
    recorded_at     INTEGER,               -- when it was filed in the CRM
    activity_created_at   INTEGER,
    activity_completed_at INTEGER
) STRICT;
CREATE INDEX message_by_message_id ON message (message_id);
CREATE INDEX message_by_answers ON message (answers) WHERE answers IS NOT NULL;
CREATE INDEX message_by_state ON message (state, reason);
CREATE INDEX message_by_sender ON message (sender);
CREATE INDEX message_by_time ON message (received_at);

CREATE TABLE place (
    folder       INTEGER NOT NULL REFERENCES folder (id),
    uid_validity INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    message      INTEGER NOT NULL REFERENCES message (id),
    role         TEXT NOT NULL,            -- the folder's role when the place was recorded
    position     INTEGER NOT NULL,         -- 0: where the message was first found
    PRIMARY KEY (folder, uid_validity, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX place_by_message ON place (message);

-- Cards a message was filed on; position 0 owns the activity.
CREATE TABLE card (
    message  INTEGER NOT NULL REFERENCES message (id),
    position INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    crm_id   INTEGER NOT NULL,
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX card_by_crm_id ON card (kind, crm_id);

-- Raw bytes of what is owed or quarantined: a stretch of a segment file in the spool.
CREATE TABLE spool (
    message INTEGER PRIMARY KEY REFERENCES message (id),
    segment INTEGER NOT NULL,
    start   INTEGER NOT NULL,        -- octets from the segment's beginning
    length  INTEGER NOT NULL,        -- octets
    whole   INTEGER NOT NULL         -- 0: the header and the first MiB only
) STRICT;
CREATE INDEX spool_by_segment ON spool (segment);

-- The outbox.
CREATE TABLE entry (
    id              INTEGER PRIMARY KEY,
    message         INTEGER NOT NULL REFERENCES message (id),
    action          TEXT NOT NULL,     -- file, complete or link
    mailbox         INTEGER NOT NULL REFERENCES mailbox (id),
    folder          INTEGER NOT NULL REFERENCES folder (id),
    lane            TEXT NOT NULL,     -- first external address: entries of one lane go in order
    live            INTEGER NOT NULL,  -- 0: history, which gives way to live mail
    state           TEXT NOT NULL,     -- queued, deferred, refused or done
    queued_at       INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    trouble_since   INTEGER,           -- first failure of the present row of failures
    suspicions      INTEGER NOT NULL,  -- answers that say the fault may lie in this entry
    replaced        INTEGER NOT NULL,  -- 1: its card was gone and it was placed anew once
    plan            TEXT,              -- JSON: where it goes, once that is decided
    UNIQUE (message, action)
) STRICT;
CREATE INDEX entry_owed ON entry (lane, id) WHERE state IN ('queued', 'deferred');
CREATE INDEX entry_owed_live ON entry (live, id) WHERE state IN ('queued', 'deferred');
CREATE INDEX entry_refused ON entry (id) WHERE state = 'refused';

-- What an entry has made, or may have made, in the CRM.
CREATE TABLE made (
    entry     INTEGER NOT NULL REFERENCES entry (id),
    kind      TEXT NOT NULL,         -- lead, contact, deal, activity, content
    origin_id TEXT NOT NULL,
    look_up   INTEGER NOT NULL,      -- 1: it may be there already, ask before it is sent
    sent_at   INTEGER,               -- when it was last sent
    crm_id    INTEGER,               -- known to be there
    PRIMARY KEY (entry, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempt (
    id     INTEGER PRIMARY KEY,
    entry  INTEGER NOT NULL REFERENCES entry (id),
    at     INTEGER NOT NULL,
    method TEXT NOT NULL,
    fate   TEXT NOT NULL,
    code   TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_by_entry ON attempt (entry);

-- The CRM's employees as last asked.
CREATE TABLE employee (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    email  TEXT,                     -- normal form
    active INTEGER NOT NULL
) STRICT;
