-- First answers to requests with an Idempotency-Key, kept 24 h. Not API.
create table service.idempotency (
  owner       text        not null, -- a user's id, or '' for all anonymous callers
  key         text        not null,
  fingerprint bytea       not null, -- HMAC of method, address and body: tells the same request from another one
  claim       uuid        not null, -- the attempt that may answer
  claimed_at  timestamptz not null,
  answer      bytea,                -- encrypted; null while the attempt runs
  primary key (owner, key)
);

create index on service.idempotency (claimed_at);
