-- A user's money. made_by is the sign-up that opened it, held_by the account deletion that keeps it closed.
create table customer.wallet (
  user_id uuid primary key,
  made_by uuid not null,
  held_by uuid,
  balance bigint not null default 0 check (balance >= 0),
  opened_at timestamptz not null default now()
);

-- Money moves between accounts, never appears: the amounts of a transaction add up to zero. The balance of a wallet is the sum of its
-- entries, changed with them. Accounts: 'wallet:<user id>', and those of the house such as 'house:cash'.
create table customer.ledger_transaction (
  id uuid primary key,
  kind text not null,
  created_at timestamptz not null default now()
);
create table customer.entry (
  id bigint generated always as identity primary key,
  transaction_id uuid not null references customer.ledger_transaction,
  account text not null,
  amount bigint not null check (amount <> 0)
);
create index entry_account on customer.entry (account, id);

-- Sagas whose end came before their beginning: the late beginning does nothing.
create table customer.tombstone (
  saga_id uuid primary key,
  buried_at timestamptz not null default now()
);
