-- The cold tier: instances that moved to Delta Lake tables (store/cold). This
-- file alone says which version of the tables counts, so what moves and what
-- goes from `instance` changes in one commit, and a snapshot sees each once.
--   version   of the tables that readers see; NULL: nothing was moved yet
--   number    of the last change of the tables that was begun: stands in every row that it wrote
--   reach     µs; nothing in the tables, nor in a change that is under way, is as new as this
--   moving    1 from the beginning of a change until its version is seen
CREATE TABLE cold (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER,
  number INTEGER NOT NULL,
  reach INTEGER NOT NULL,
  moving INTEGER NOT NULL
);
INSERT INTO cold VALUES (1, NULL, 0, -9223372036854775808, 0);
-- Whose the tables are: two cities never write to the same ones.
INSERT INTO meta VALUES ('cold', 'cityloom:' || lower(hex(randomblob(8))));

-- What the tables hold of each series, so that nothing is opened in vain.
-- first and last are bounds; count and observed (and no deletion) are exact.
CREATE TABLE cold_series (
  incarnation INTEGER NOT NULL,
  name INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  count INTEGER NOT NULL,
  observed INTEGER NOT NULL,
  PRIMARY KEY (incarnation, name, dataset)
) WITHOUT ROWID;

-- Instances that were deleted or replaced after they moved: rows of the tables
-- with this key that were written by change `number` or before are not there.
CREATE TABLE cold_gone (
  incarnation INTEGER NOT NULL,
  name INTEGER NOT NULL,
  time INTEGER NOT NULL,
  origin INTEGER NOT NULL,
  tie INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (incarnation, name, time, origin, tie, dataset)
) WITHOUT ROWID;

-- The same of whole series (dataset -1: of all datasets), for what is older than `before`.
CREATE TABLE cold_cut (
  incarnation INTEGER NOT NULL,
  name INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  before INTEGER NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (incarnation, name, dataset, before)
) WITHOUT ROWID;

-- Tenants that were forgotten: what changes up to `number` wrote of them goes
-- from the tables with the next change.
CREATE TABLE cold_forgotten (tenant TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
