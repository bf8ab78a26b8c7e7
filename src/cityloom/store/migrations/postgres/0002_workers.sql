-- What several processes over one store need of each other (the embedded store says what each is).

CREATE TABLE document_change (
  tenant integer NOT NULL,
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (tenant, kind, id)
);
CREATE INDEX document_change_seq ON document_change (seq);

CREATE TABLE lease (
  name text COLLATE "C" PRIMARY KEY,
  holder text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  at bigint NOT NULL
);
