-- What trade rooms are about: the chat's own small copy of posts, fed by the market's events. Who opens a room for a post locks its row
-- before. A post that is deleted keeps the row: nobody opens a room for it any more, or writes in one, however late they come.
create table chat.post (
  id uuid primary key,
  seller_id uuid not null,
  title text not null,
  status text not null check (status in ('open', 'reserved', 'sold')),
  deleted boolean not null default false
);

-- A trade room has its pair too: the buyer and the seller of the post. Of one who is gone the id goes.
alter table chat.room drop constraint room_type_check;
alter table chat.room add constraint room_type_check check (type in ('direct', 'group', 'trade'));
alter table chat.room add column post_id uuid, add column buyer_id uuid;
create unique index room_trade on chat.room (post_id, buyer_id) where type = 'trade';

-- About a post: 'cascade' deletes its rooms with their messages, of which it counts so many.
alter table chat.chore drop constraint chore_kind_check;
alter table chat.chore add constraint chore_kind_check check (kind in ('show', 'erase', 'drop', 'cascade'));
alter table chat.chore add column rooms int not null default 0, add column messages bigint not null default 0;
