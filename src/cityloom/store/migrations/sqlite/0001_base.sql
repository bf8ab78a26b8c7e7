-- The first schema. Times are microseconds since 1970 (UTC); names, tenants,
-- causes and shapes are interned: kept once, told by small numbers.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;

-- The last event's number, the last work's time and the last incarnation given
-- out: one row, written by every commit, so that none of them ever goes back.
CREATE TABLE pulse (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  incarnation INTEGER NOT NULL
);
INSERT INTO pulse VALUES (1, 0, 0, 0);

CREATE TABLE tenant (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO tenant VALUES (1, '');

-- IRIs of types, attributes and datasets, and the ids of sources.
CREATE TABLE name (id INTEGER PRIMARY KEY, iri TEXT NOT NULL UNIQUE);

-- Current state. `row` is also the entity's incarnation in history: it is
-- never used again, so an entity made anew after a deletion is another one.
CREATE TABLE entity (
  row INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  id TEXT NOT NULL,
  body BLOB NOT NULL,
  modified INTEGER NOT NULL,
  UNIQUE (tenant, id)
);

-- The id stands inside the key: a page of one type is a walk in id order.
CREATE TABLE entity_type (
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  row INTEGER NOT NULL,
  PRIMARY KEY (tenant, type, id)
) WITHOUT ROWID;

CREATE TABLE entity_attribute (
  tenant INTEGER NOT NULL,
  name INTEGER NOT NULL,
  row INTEGER NOT NULL,
  PRIMARY KEY (tenant, name, row)
) WITHOUT ROWID;

CREATE TABLE entity_scope (
  tenant INTEGER NOT NULL,
  scope TEXT NOT NULL,
  row INTEGER NOT NULL,
  PRIMARY KEY (tenant, scope, row)
) WITHOUT ROWID;

-- The box of `location` in CRS84 degrees, with the types inside the index.
-- Entities without location are absent; touched only when the box or types change.
CREATE VIRTUAL TABLE place USING rtree (row, west, east, south, north, type_low, type_high);

-- What is in use, by type: counts that would cost a scan to find. Written once
-- a commit for the types that it touched.
CREATE TABLE tally (
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, type)
) WITHOUT ROWID;

-- The log. A cause is written once for all events that follow each other; no
-- index makes it unique, since nearly every request brings a new one.
CREATE TABLE cause (id INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  at INTEGER NOT NULL,
  cause INTEGER NOT NULL,
  body BLOB NOT NULL
);

CREATE TABLE cursor (consumer TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;

-- When and why history was written: a row holds from its `seq` to the next
-- row's. One for each work and cause, kept when the log is trimmed.
CREATE TABLE origin (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, cause INTEGER NOT NULL);

-- Entities that only history knows: deleted ones, and those never made current.
-- What history says of a current entity is read from its body.
CREATE TABLE history_entity (
  incarnation INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  id TEXT NOT NULL,
  types TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created TEXT,
  modified TEXT,
  deleted TEXT
);
CREATE INDEX history_entity_id ON history_entity (tenant, id, incarnation);

CREATE TABLE history_type (
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  id TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  PRIMARY KEY (tenant, type, id, incarnation)
) WITHOUT ROWID;

-- Current entities whose history was deleted: they have one again with the next instance.
CREATE TABLE history_cleared (incarnation INTEGER PRIMARY KEY);

-- What all instances of a series have in common, as JSON.
CREATE TABLE shape (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE);

-- The hot tier: one row an instance, clustered for reading one attribute over time.
--   time        observedAt, or else the time of writing (the shape says which)
--   origin      0: told by a foreign id; even: 2 * seq of its event; odd: 2 * name.id of its source + 1
--   tie         occurrence in its source, number in its event, or hash of its foreign id
--   dataset     name.id of the datasetId, 0 the default instance
--   seq         the event that wrote it; NULL: origin / 2
--   value       a number or a text as it is, anything else as JSON in a blob
--   created, modified   NULL: the time of its event
--   rest        what does not fit in the columns, as JSON
CREATE TABLE instance (
  incarnation INTEGER NOT NULL,
  name INTEGER NOT NULL,
  time INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  tie INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  value,
  shape INTEGER NOT NULL,
  seq INTEGER,
  row INTEGER,
  occurrence INTEGER NOT NULL,
  created INTEGER,
  modified INTEGER,
  rest BLOB,
  PRIMARY KEY (incarnation, name, time, origin, tie, dataset)
) WITHOUT ROWID;

-- Instances whose id does not follow from their key.
CREATE TABLE instance_key (
  incarnation INTEGER NOT NULL,
  name INTEGER NOT NULL,
  id TEXT NOT NULL,
  time INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  tie INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  PRIMARY KEY (incarnation, name, id)
) WITHOUT ROWID;

CREATE TABLE document (
  tenant INTEGER NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  modified INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, kind, id)
) WITHOUT ROWID;

CREATE TABLE delivery (
  tenant INTEGER NOT NULL,
  id TEXT NOT NULL,
  subscription TEXT NOT NULL,
  seq INTEGER NOT NULL,
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  dead INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (due, id) WHERE dead = 0;
CREATE INDEX delivery_dead ON delivery (tenant, id) WHERE dead = 1;

CREATE TABLE timer (
  consumer TEXT NOT NULL,
  tenant INTEGER NOT NULL,
  key TEXT NOT NULL,
  due INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (consumer, tenant, key)
) WITHOUT ROWID;
CREATE INDEX timer_due ON timer (consumer, due);

-- Personal data, apart from everything else; written and erased with secure_delete.
CREATE TABLE personal (
  tenant INTEGER NOT NULL,
  entity_id TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant, entity_id)
) WITHOUT ROWID;

CREATE TABLE personal_reading (
  number INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  entity_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  party TEXT NOT NULL,
  purpose TEXT NOT NULL,
  action TEXT NOT NULL
);
CREATE INDEX personal_reading_entity ON personal_reading (tenant, entity_id, number);
