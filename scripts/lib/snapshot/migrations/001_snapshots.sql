-- What each snapshot holds. Its rows are partitions of its own, so that dropping an old snapshot is
-- dropping three tables: no dead rows, no vacuum.
-- `json`, not `jsonb`: it keeps what Redis held to the byte, escaped; jsonb refuses \u0000 and
-- what is no UTF-8.

CREATE TABLE portcullis.snapshots (
  id            bigint PRIMARY KEY,
  taken_at      timestamptz NOT NULL,      -- when reading began, by Redis' clock
  took_s        double precision NOT NULL,
  dataset_id    text NOT NULL,
  clients       bigint NOT NULL,
  revocations   bigint NOT NULL,
  not_befores   bigint NOT NULL,
  routes        json NOT NULL,             -- {"METHOD /path": "scopes"}
  audit_entries bigint NOT NULL,           -- new in the trail since the snapshot before
  audit_last_id text NOT NULL,             -- the stream was read up to here
  audit_added   bigint NOT NULL            -- entries that the stream had ever seen by then
);

CREATE TABLE portcullis.clients (
  snapshot_id bigint NOT NULL,
  client_id   text NOT NULL,
  fields      json NOT NULL,               -- as in Redis: hashes of secrets, never a secret
  last_used   json NOT NULL,               -- {"secret id": "epoch seconds"}
  PRIMARY KEY (snapshot_id, client_id)
) PARTITION BY LIST (snapshot_id);

CREATE TABLE portcullis.revocations (
  snapshot_id  bigint NOT NULL,
  jti          text NOT NULL,
  reason       text NOT NULL,
  expires_at_s bigint,                     -- null: somebody revoked it without an end
  PRIMARY KEY (snapshot_id, jti)
) PARTITION BY LIST (snapshot_id);

CREATE TABLE portcullis.not_befores (
  snapshot_id  bigint NOT NULL,
  subject      text NOT NULL,              -- a client's id, or * for all
  mark         text NOT NULL,              -- epoch seconds; what is no number kills everything
  expires_at_s bigint,
  PRIMARY KEY (snapshot_id, subject)
) PARTITION BY LIST (snapshot_id);

-- The trail of all snapshots together. It only grows.
CREATE TABLE portcullis.audit (
  stream_ms  bigint NOT NULL,              -- the two halves of the entry's id in the stream
  stream_seq bigint NOT NULL,
  dataset_id text NOT NULL,
  at         timestamptz NOT NULL,
  event      text NOT NULL,
  client_id  text NOT NULL,
  fields     json NOT NULL,                -- the whole entry
  PRIMARY KEY (stream_ms, stream_seq, dataset_id)
);
CREATE INDEX audit_client ON portcullis.audit (client_id, stream_ms);
