-- What the library keeps in the database of each service. None of these tables is an interface; use the package's functions.

-- Events that wait for the relay, which deletes exactly what the log has acknowledged. seq must stay "cache 1": only then do the
-- sequence numbers of one key's events grow in the order of their commits.
create table saga.outbox (
  seq bigint generated always as identity (cache 1) primary key,
  id uuid not null,
  topic text not null,
  key text not null,
  type text not null,
  body text not null,
  appended_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- The ids of the events whose effect is in this database. day = days since 1970 of the event's own time, so that a repeat, however
-- late, meets the first one's row; whole days are dropped when they are older than any log keeps.
create table saga.inbox (
  day int not null,
  id uuid not null,
  primary key (day, id)
) partition by range (day);
create table saga.inbox_other partition of saga.inbox default;

-- The next offset of each partition of each topic read. It moves in the transaction of the effect, and only from where it stood.
create table saga.position (
  topic text not null,
  partition int not null,
  next bigint not null,
  log_id text not null,
  primary key (topic, partition)
) with (fillfactor = 50);

-- Keys whose event failed for good: it and all later ones of the key wait here, in order, for a person.
create table saga.parked_key (
  key text primary key,
  since timestamptz not null default now(),
  error text not null,
  attempts int not null
);
create table saga.parked_event (
  seq bigint generated always as identity primary key,
  key text not null references saga.parked_key,
  id uuid,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  type text,
  body text not null,
  parked_at timestamptz not null default now()
);
create index parked_event_key on saga.parked_event (key, seq);

-- What a person gave up, and why.
create table saga.discarded_event (
  seq bigint primary key,
  key text not null,
  topic text not null,
  partition int not null,
  "offset" bigint not null,
  body text not null,
  error text not null,
  reason text not null,
  discarded_at timestamptz not null default now()
);

-- One row a saga that this service started: the view as it is. due_at is when the deadline must be looked at, null once it was.
create table saga.saga (
  id uuid primary key,
  type text not null,
  owner_id text,
  status text not null,
  version int not null,
  state text not null,
  started_at timestamptz not null,
  deadline timestamptz not null,
  due_at timestamptz,
  ended_at timestamptz
) with (fillfactor = 60);
create index saga_due on saga.saga (due_at) where due_at is not null;
create index saga_started on saga.saga (started_at, id);
create index saga_failed on saga.saga (started_at, id) where status = 'failed';

-- One row a version of a saga: the view as it was, the event that made it so, and the events it led to.
create table saga.saga_event (
  saga_id uuid not null,
  version int not null,
  view text not null,
  cause text,
  emitted text,
  primary key (saga_id, version)
);

-- Streams: a head row a stream, locked to the commit, makes the order of commits the order of seq, without gaps.
create table saga.stream_head (
  stream text primary key,
  last_seq bigint not null,
  min_seq bigint not null default 1
) with (fillfactor = 50);
create table saga.stream_event (
  stream text not null,
  seq bigint not null,
  type text not null,
  data text not null,
  created_at timestamptz not null default now(),
  primary key (stream, seq)
);

-- The epoch of every stream in this database: ids of another database are told apart by it. After restoring a backup give it another
-- value, since ids that were given out after the backup mean something else now.
create table saga.epoch (single boolean primary key default true check (single), value text not null);
insert into saga.epoch (value) values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 10));
