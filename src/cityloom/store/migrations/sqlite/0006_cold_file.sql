-- The files of the cold tables that were made durable, each with what it held then: a
-- version is seen only when all of its files stand here. Paths are below the tables' place.
CREATE TABLE cold_file (path TEXT PRIMARY KEY, size INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
