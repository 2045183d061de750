-- The sandbox's own file. Times are Unix seconds, UTC. A card's kind is Bitrix24's entityTypeId:
-- 1 lead, 2 deal, 3 contact, 4 company.

CREATE TABLE employee (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    last_name  TEXT NOT NULL,
    email      TEXT NOT NULL,
    active     INTEGER NOT NULL,
    department INTEGER NOT NULL,
    read_all   INTEGER NOT NULL,   -- 0: only cards they are responsible for
    update_all INTEGER NOT NULL    -- 0: only cards they are responsible for
) STRICT;

CREATE TABLE webhook (
    employee INTEGER NOT NULL REFERENCES employee (id),
    secret   TEXT NOT NULL,
    scope    TEXT NOT NULL,        -- names, parted by commas
    PRIMARY KEY (employee, secret)
) STRICT;

-- Cards that one employee may not read, whatever else they may.
CREATE TABLE hidden (
    employee INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    card_id  INTEGER NOT NULL,
    PRIMARY KEY (employee, kind, card_id)
) STRICT;

CREATE TABLE status (
    id        INTEGER PRIMARY KEY,
    entity_id TEXT NOT NULL,       -- STATUS, DEAL_STAGE or SOURCE
    status_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    sort      INTEGER NOT NULL,
    semantics TEXT,                -- S success, F failure; NULL: in process, or no stage at all
    UNIQUE (entity_id, status_id)
) STRICT;

-- The highest number given so far: a deleted card's number is never used again.
CREATE TABLE card_number (
    kind INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;

CREATE TABLE card (
    kind          INTEGER NOT NULL,
    id            INTEGER NOT NULL,
    fields        TEXT NOT NULL,   -- JSON by the names of crm.item.*
    origin_id     TEXT    AS (fields ->> '$.originId')    VIRTUAL,
    company_id    INTEGER AS (fields ->> '$.companyId')   VIRTUAL,
    lead_id       INTEGER AS (fields ->> '$.leadId')      VIRTUAL,
    updated_at    INTEGER AS (fields ->> '$.updatedTime') VIRTUAL,
    -- What the page sorts by: a mail changes the card's timeline, not the card.
    changed_at    INTEGER AS (max(fields ->> '$.updatedTime',
                                  coalesce(fields ->> '$.lastActivityTime', 0))) VIRTUAL,
    PRIMARY KEY (kind, id)
) STRICT;
CREATE INDEX card_by_origin  ON card (kind, origin_id);
CREATE INDEX card_by_company ON card (kind, company_id);
CREATE INDEX card_by_lead    ON card (kind, lead_id);
CREATE INDEX card_by_update  ON card (kind, updated_at);
CREATE INDEX card_by_change  ON card (changed_at);

CREATE TABLE card_contact (
    kind       INTEGER NOT NULL,
    card_id    INTEGER NOT NULL,
    contact_id INTEGER NOT NULL,
    PRIMARY KEY (kind, card_id, contact_id)
) STRICT;
CREATE INDEX card_contact_by_contact ON card_contact (contact_id, kind);

CREATE TABLE multifield (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,
    card_id    INTEGER NOT NULL,
    type_id    TEXT NOT NULL,      -- EMAIL, PHONE, WEB, IM
    value_type TEXT NOT NULL,
    value      TEXT NOT NULL,
    match_key  TEXT NOT NULL       -- as the duplicate index has it: trimmed, lower case
) STRICT;
CREATE INDEX multifield_by_card ON multifield (kind, card_id);
CREATE INDEX multifield_by_key  ON multifield (type_id, match_key, kind);

CREATE TABLE activity (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_kind       INTEGER NOT NULL,
    owner_id         INTEGER NOT NULL,
    type_id          INTEGER NOT NULL,   -- 1 meeting, 2 call, 4 e-mail, 6 provider
    provider_id      TEXT NOT NULL,
    provider_type_id TEXT NOT NULL,
    direction        INTEGER NOT NULL,   -- 0 none, 1 incoming, 2 outgoing
    completed        INTEGER NOT NULL,
    completed_at     INTEGER,
    priority         INTEGER NOT NULL,
    subject          TEXT NOT NULL,      -- emoji as :hex: codes
    description_type INTEGER NOT NULL,   -- 1 plain, 2 BBCode, 3 HTML
    responsible      INTEGER NOT NULL,
    author           INTEGER NOT NULL,
    editor           INTEGER NOT NULL,
    starts_at        INTEGER,
    ends_at          INTEGER,
    deadline_at      INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    location         TEXT NOT NULL,
    originator_id    TEXT NOT NULL,
    origin_id        TEXT NOT NULL,
    origin_version   TEXT NOT NULL,
    settings         TEXT NOT NULL       -- JSON
) STRICT;
CREATE INDEX activity_by_origin ON activity (origin_id);

-- Apart from the activity: bodies are long and lists seldom ask for them.
CREATE TABLE activity_text (
    activity_id INTEGER PRIMARY KEY REFERENCES activity (id) ON DELETE CASCADE,
    description TEXT NOT NULL
) STRICT;

CREATE TABLE binding (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order of the bindings
    activity_id INTEGER NOT NULL REFERENCES activity (id) ON DELETE CASCADE,
    kind        INTEGER NOT NULL,
    card_id     INTEGER NOT NULL,
    UNIQUE (activity_id, kind, card_id)
) STRICT;
CREATE INDEX binding_by_card ON binding (kind, card_id);

CREATE TABLE communication (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    activity_id INTEGER NOT NULL REFERENCES activity (id) ON DELETE CASCADE,
    type        TEXT NOT NULL,
    value       TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    card_id     INTEGER NOT NULL
) STRICT;
CREATE INDEX communication_by_activity ON communication (activity_id);

CREATE TABLE comment (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       INTEGER NOT NULL,
    card_id    INTEGER NOT NULL,
    text       TEXT NOT NULL,
    author     INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX comment_by_card ON comment (kind, card_id);

CREATE TABLE file (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    activity_id INTEGER REFERENCES activity (id) ON DELETE CASCADE,   -- NULL: a comment's
    comment_id  INTEGER REFERENCES comment (id) ON DELETE CASCADE,    -- NULL: an activity's
    name        TEXT NOT NULL,
    bytes       BLOB NOT NULL
) STRICT;
CREATE INDEX file_by_activity ON file (activity_id);
CREATE INDEX file_by_comment  ON file (comment_id);

-- Mails that a real portal would have sent: TYPE_ID 4, DIRECTION 2 and COMPLETED "Y" in one add.
-- No reference: the mail stays sent when the activity is deleted.
CREATE TABLE sent_mail (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    activity_id INTEGER NOT NULL,
    recipients  TEXT NOT NULL,           -- JSON list of addresses
    sent_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE notification (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    employee   INTEGER NOT NULL,
    author     INTEGER NOT NULL,
    message    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE request_count (
    method TEXT PRIMARY KEY,             -- QUERY_LIMIT_EXCEEDED counts what was turned away
    count  INTEGER NOT NULL
) STRICT;

INSERT INTO employee (id, name, last_name, email, active, department, read_all, update_all) VALUES
    (1,  'Service', 'mailcrm', 'service@example.com', 1, 1, 1, 1),
    (7,  'Ana',     'Ruiz',    'ana@example.com',     1, 1, 1, 1),
    (9,  'Ben',     'Okafor',  'ben@example.com',     1, 1, 1, 1),
    (12, 'Carla',   'Weiß',    'carla@example.com',   1, 1, 1, 1),
    (15, 'Dan',     'Gone',    'dan@example.com',     0, 1, 1, 1);

INSERT INTO webhook (employee, secret, scope) VALUES
    (1, 'sandbox', 'crm,user,user_basic,department,im,mail,disk');

INSERT INTO card_number (kind, last) VALUES (1, 0), (2, 0), (3, 0), (4, 0);

INSERT INTO status (entity_id, status_id, name, sort, semantics) VALUES
    ('STATUS', 'NEW',        'Unassigned',  10, NULL),
    ('STATUS', 'IN_PROCESS', 'In progress', 20, NULL),
    ('STATUS', 'PROCESSED',  'Processed',   30, NULL),
    ('STATUS', 'CONVERTED',  'High-quality lead', 40, 'S'),
    ('STATUS', 'JUNK',       'Junk lead',   50, 'F'),
    ('DEAL_STAGE', 'NEW',                'New',                 10, NULL),
    ('DEAL_STAGE', 'PREPARATION',        'Prepare documents',   20, NULL),
    ('DEAL_STAGE', 'PREPAYMENT_INVOICE', 'Prepayment invoice',  30, NULL),
    ('DEAL_STAGE', 'EXECUTING',          'In progress',         40, NULL),
    ('DEAL_STAGE', 'FINAL_INVOICE',      'Final invoice',       50, NULL),
    ('DEAL_STAGE', 'WON',                'Deal won',            60, 'S'),
    ('DEAL_STAGE', 'LOSE',               'Deal lost',           70, 'F'),
    ('DEAL_STAGE', 'APOLOGY',            'Analyze the failure', 80, 'F'),
    ('SOURCE', 'CALL',           'Call',             10, NULL),
    ('SOURCE', 'EMAIL',          'E-mail',           20, NULL),
    ('SOURCE', 'WEB',            'Website',          30, NULL),
    ('SOURCE', 'ADVERTISING',    'Advertising',      40, NULL),
    ('SOURCE', 'PARTNER',        'Existing client',  50, NULL),
    ('SOURCE', 'RECOMMENDATION', 'Recommendation',   60, NULL),
    ('SOURCE', 'TRADE_SHOW',     'Trade show',       70, NULL),
    ('SOURCE', 'WEBFORM',        'CRM form',         80, NULL),
    ('SOURCE', 'CALLBACK',       'Callback',         90, NULL),
    ('SOURCE', 'RC_GENERATOR',   'Sales generator', 100, NULL),
    ('SOURCE', 'STORE',          'Online store',    110, NULL),
    ('SOURCE', 'OTHER',          'Other',           120, NULL);
