-- Two rows a friendship, so that everybody's friends lie together.
create table chat.friend (
  user_id uuid not null,
  friend_id uuid not null,
  since timestamptz(3) not null default now(),
  primary key (user_id, friend_id)
);

-- Whom somebody does not want to hear from.
create table chat.block (
  user_id uuid not null,
  blocked_id uuid not null,
  since timestamptz(3) not null default now(),
  primary key (user_id, blocked_id)
);
create index block_blocked on chat.block (blocked_id);

-- Rooms. Whatever changes a room, its members or its messages locks this row first (several in the order of ids): that gives seq without
-- gaps, and events in the order of the commits. The lock moves version on, so a room of one version looks the same for ever. A direct room
-- belongs to a pair, the lower id first; of somebody who is gone the id goes too. A room that nobody is in any more is about to be deleted,
-- and shown to nobody. None of version, last_seq and active_at may ever be indexed: they change with every message, which without an index
-- on them touches no index of this table.
create table chat.room (
  id uuid primary key,
  type text not null check (type in ('direct', 'group')),
  name text,
  low_id uuid,
  high_id uuid,
  version bigint not null default 1,
  last_seq bigint not null default 0,
  active_at timestamptz(3) not null default now(),
  opened_at timestamptz not null default now()
) with (fillfactor = 70);
create unique index room_pair on chat.room (low_id, high_id) where type = 'direct';

-- Who is in a room. Whoever has left keeps the row, with left_at: it tells where they wrote, when their account is deleted.
create table chat.room_member (
  room_id uuid not null,
  user_id uuid not null,
  last_read_seq bigint not null default 0,
  muted boolean not null default false,
  joined_at timestamptz not null default now(),
  left_at timestamptz,
  primary key (room_id, user_id)
) with (fillfactor = 70);
create index room_member_user on chat.room_member (user_id, room_id);

-- Messages, by their place. sender_name is the name as it was then. The second index is what makes sending the same message twice
-- harmless, for ever; it is the only other one (docs/decisions/0016).
create table chat.message (
  room_id uuid not null,
  seq bigint not null,
  sender_id uuid,
  sender_name text,
  kind text not null check (kind in ('text', 'image', 'system')),
  text text,
  image_id uuid,
  system text,
  client_message_id uuid,
  created_at timestamptz not null,
  deleted_at timestamptz,
  primary key (room_id, seq)
);
create unique index message_sent on chat.message (room_id, sender_id, client_message_id) where client_message_id is not null;

-- Work that is too much for one transaction, done some at a time (docs/decisions/0017). About a user: 'show' their rooms anew, after a change
-- of name; 'erase' what they wrote and where they were, after the deletion of their account. About a room that everybody has left: 'drop'
-- its messages. room_id and seq: how far it is.
create table chat.chore (
  about uuid not null,
  kind text not null check (kind in ('show', 'erase', 'drop')),
  room_id uuid,
  seq bigint not null default 0,
  -- The event that asked for it, as JSON: what is said at last answers it.
  cause text,
  -- Whose turn is next: the one that has waited longest. In the future: it has failed, and is tried again then.
  due_at timestamptz not null default now(),
  primary key (about, kind)
);
create index chore_due on chat.chore (due_at);
