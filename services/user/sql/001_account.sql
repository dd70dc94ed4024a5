-- Accounts. A row exists from the sign-up's first transaction on, so that the name and the address are taken at once:
-- 'pending' until the saga completes (it goes when the saga fails), 'active', 'deleting' while an account deletion runs.
create table users.account (
  id uuid primary key,
  username text not null unique,
  email text not null,
  display_name text not null,
  status_message text not null default '',
  locale text not null default 'ko',
  role text not null default 'user' check (role in ('user', 'admin')),
  status text not null default 'pending' check (status in ('pending', 'active', 'deleting')),
  password_hash text not null,
  sign_up_saga_id uuid not null,
  deletion_saga_id uuid,
  created_at timestamptz not null default now()
);
create unique index account_email on users.account (lower(email));
create index account_username_prefix on users.account (username text_pattern_ops) where status = 'active';
create index account_display_name_prefix on users.account (lower(display_name) text_pattern_ops) where status = 'active';

-- One row a log-in ("device"): the family of its refresh tokens.
create table users.session (
  id uuid primary key,
  user_id uuid not null references users.account on delete cascade,
  user_agent text not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz not null default now()
);
create index session_of_user on users.session (user_id, created_at desc);

-- Refresh tokens by the SHA-256 of their 256 random bits. A used one is kept, so that its second use is recognised.
create table users.refresh_token (
  hash bytea primary key,
  session_id uuid not null references users.session on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index refresh_token_session on users.refresh_token (session_id);
create index refresh_token_expiry on users.refresh_token (expires_at);
