-- The cold tier: instances that moved to Delta Lake tables (the embedded store says what each is).
-- This database alone says which version of the tables counts.

CREATE TABLE cold (
  one integer PRIMARY KEY CHECK (one = 1),
  version bigint,
  number bigint NOT NULL,
  reach bigint NOT NULL,
  moving integer NOT NULL
);
INSERT INTO cold VALUES (1, NULL, 0, -9223372036854775808, 0);
INSERT INTO meta (key, value) VALUES ('cold', 'cityloom:' || replace(CAST(gen_random_uuid() AS text), '-', ''));

CREATE TABLE cold_series (
  incarnation bigint NOT NULL,
  name integer NOT NULL,
  dataset integer NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  count bigint NOT NULL,
  observed bigint NOT NULL,
  PRIMARY KEY (incarnation, name, dataset)
);

CREATE TABLE cold_gone (
  incarnation bigint NOT NULL,
  name integer NOT NULL,
  time bigint NOT NULL,
  origin bigint NOT NULL,
  tie bigint NOT NULL,
  dataset integer NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (incarnation, name, time, origin, tie, dataset)
);

CREATE TABLE cold_cut (
  incarnation bigint NOT NULL,
  name integer NOT NULL,
  dataset integer NOT NULL,
  before bigint NOT NULL,
  number bigint NOT NULL,
  PRIMARY KEY (incarnation, name, dataset, before)
);

CREATE TABLE cold_forgotten (tenant text COLLATE "C" PRIMARY KEY, number bigint NOT NULL);
CREATE TABLE cold_file (path text COLLATE "C" PRIMARY KEY, size bigint NOT NULL, digest bytea NOT NULL);
