-- Images that nobody has sent yet, each good for one message of its owner's: the chat's own small copy, fed by the market's events. Sending
-- takes the row out. The market gives up what is in no place after a day; here they go an hour before.
create table chat.image (
  id uuid primary key,
  owner_id uuid not null,
  stored_at timestamptz not null
);
create index image_owner on chat.image (owner_id);
create index image_age on chat.image (stored_at);
