-- Lanes that are held. A holder deletes its row when it gives the lane back, so a row that the next one finds says that the one before
-- ended without a word, perhaps by an event. kills: how many have ended so, at least, with "tried" under way; tried: {"topic": [from, to)},
-- over as soon as the position is not in there any more; trying: the holder is at it, and was not heard of to survive it.
create table saga.lane (
  lane int primary key,
  holder int not null,
  kills int not null default 0,
  tried jsonb,
  trying boolean not null default false
);
