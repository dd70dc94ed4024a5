-- Uploaded images: who may see them and where their files belong to. Files have no life of their own: the row is there before the first
-- of them and goes after the last, so that a crash leaves no file that nobody knows.
-- state: 'storing' until all files are there (for ever, when the upload failed: it is removed after an hour); 'stored'; 'released' when
-- nobody needs it any more. scope and place_id: the post (or, later, the room) that shows it; without them it is only its owner's.
-- width and height: of the picture as it was uploaded, turned upright. bytes: of all its files.
create table market.image (
  id uuid primary key,
  owner_id uuid not null,
  state text not null default 'storing' check (state in ('storing', 'stored', 'released')),
  width integer not null,
  height integer not null,
  bytes integer not null,
  scope text check (scope in ('post', 'room')),
  place_id uuid,
  position smallint,
  created_at timestamptz not null default now(),
  check (num_nulls(scope, place_id, position) in (0, 3))
);
create index image_owner on market.image (owner_id);
create index image_place on market.image (place_id, position) where place_id is not null;
-- What the hourly cleaning reads; an image that a post shows is not in it.
create index image_unused on market.image (created_at) where scope is null;

-- How many images somebody has uploaded on a day (UTC): of the last day only. The row is also the lock that keeps the sum of bytes true.
create table market.image_upload (
  owner_id uuid primary key,
  day date not null,
  uploads integer not null
);
