-- Who is in which room of the chat, and so may see its images: the market's own small copy, fed by the chat's events.
create table market.room_member (
  room_id uuid not null,
  user_id uuid not null,
  primary key (room_id, user_id)
);
