-- Who may chat, with what others show of them: the chat's own small copy, fed by events. made_by is the sign-up that added the member,
-- held_by the account deletion that keeps it suspended.
create table chat.member (
  user_id uuid primary key,
  made_by uuid not null,
  held_by uuid,
  username text not null,
  display_name text not null,
  status_message text not null default '',
  added_at timestamptz not null default now()
);

-- Sagas whose end came before their beginning: the late beginning does nothing.
create table chat.tombstone (
  saga_id uuid primary key,
  buried_at timestamptz not null default now()
);
