-- What a map and a search need of each entity, narrow, so that a hundred
-- thousand are seen without opening a body. Touched only when one of these
-- changes: never by a reading. Filled from the bodies when a file is brought up.
--   type        the first of its types
--   text        its names in every language, folded, each between line ends; '' without a name
--   dimension   of its location: 0 points, 1 lines, 2 areas; NULL without a location
--   lon, lat    exact (place holds 32 bits), where the location is one Point
--   name        as told: a text as it is, by language as JSON in a blob
CREATE TABLE sight (
  row INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL,
  type INTEGER NOT NULL,
  text TEXT NOT NULL,
  id TEXT NOT NULL,
  dimension INTEGER,
  lon REAL,
  lat REAL,
  name
);
