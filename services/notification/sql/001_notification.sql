-- What users are told that waits for them until they have seen it. Ids are UUIDv7: newer ones are greater.
create table notification.notification (
  user_id uuid not null,
  id uuid not null,
  type text not null,
  data text not null,
  url text not null,
  created_at timestamptz not null,
  read_at timestamptz,
  primary key (user_id, id)
);
create index notification_unread on notification.notification (user_id, id) where read_at is null;
create index notification_age on notification.notification using brin (created_at);

-- Own small copies, fed by events: who is in which room, and who is whose friend (two rows a friendship). They tell who hears of what.
create table notification.room_member (
  room_id uuid not null,
  user_id uuid not null,
  primary key (room_id, user_id)
);
create index room_member_user on notification.room_member (user_id);
create table notification.friend (
  user_id uuid not null,
  friend_id uuid not null,
  primary key (user_id, friend_id)
);

-- Processes that hold streams and live: whoever is not seen for a while loses its row, and with it all its streams.
create table notification.instance (
  id uuid primary key,
  seen_at timestamptz not null
) with (fillfactor = 50);
-- Who has an open stream where. closed_at: since when the last one there is closed; whoever is back in a moment was never away.
create table notification.presence (
  user_id uuid not null,
  instance_id uuid not null,
  closed_at timestamptz,
  primary key (user_id, instance_id)
) with (fillfactor = 50);
create index presence_instance on notification.presence (instance_id);
create index presence_closed on notification.presence (closed_at) where closed_at is not null;
-- Whether a user is online, as others were told last, and when that began or they were last seen. Whoever opens a stream or takes one
-- for gone locks this row first, then touches notification.presence.
create table notification.online (
  user_id uuid primary key,
  online boolean not null,
  seen_at timestamptz not null,
  changed_at timestamptz not null
) with (fillfactor = 50);

-- Sessions that have ended of late, for the processes that did not hear of it at once.
create table notification.ended_session (
  session_id uuid primary key,
  user_id uuid not null,
  ended_at timestamptz not null default now()
);
create index ended_session_age on notification.ended_session (ended_at);
