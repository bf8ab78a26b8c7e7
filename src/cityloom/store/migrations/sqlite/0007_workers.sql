-- What several processes over one store need of each other.

-- Which documents changed, and with which event: one row a document, also of one that is gone,
-- so that whoever holds some in memory reads what changed since it last looked, and nothing else.
CREATE TABLE document_change (
  tenant INTEGER NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (tenant, kind, id)
) WITHOUT ROWID;
CREATE INDEX document_change_seq ON document_change (seq);

-- Who does what one process alone may do, and which processes are there. `epoch` grows each time
-- that a lease changes hands; `at` is when its holder last showed that it is there (µs).
CREATE TABLE lease (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID;
