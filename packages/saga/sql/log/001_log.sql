-- The event log of the PostgreSQL transport. Not an interface; use the package's functions.

-- Another identity is another log: positions of the old one mean nothing in it.
create table log.identity (single boolean primary key default true check (single), value text not null);
insert into log.identity (value) values (replace(gen_random_uuid()::text, '-', ''));

-- One row a partition. Its lock, held to the commit, makes the order of commits the order of offsets, without gaps.
create table log.partition (
  id int generated always as identity unique,
  topic text not null,
  partition int not null,
  next bigint not null default 0,
  first bigint not null default 0,
  primary key (topic, partition)
) with (fillfactor = 30);

-- day = days since 1970 when the record was written; whole days are dropped when they are older than the log keeps.
create table log.record (
  partition_id int not null,
  "offset" bigint not null,
  day int not null,
  id uuid not null,
  key text not null,
  type text not null,
  body text not null,
  primary key (partition_id, "offset", day)
) partition by range (day);
create table log.record_other partition of log.record default;
