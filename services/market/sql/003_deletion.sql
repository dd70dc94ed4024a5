-- What the sagas of users have done to a member: made_by is the sign-up, held_by the account deletion that hides their posts.
alter table market.member add column made_by uuid, add column held_by uuid;

-- Sagas whose end came before their beginning: the late beginning does nothing.
create table market.tombstone (
  saga_id uuid primary key,
  buried_at timestamptz not null default now()
);

-- For buyers who leave.
create index post_room_buyer on market.post_room (buyer_id);
