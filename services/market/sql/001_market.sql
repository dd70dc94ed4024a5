-- What others show of users: the market's own small copy, fed by events.
create table market.member (
  user_id uuid primary key,
  username text not null,
  display_name text not null,
  status_message text not null default ''
);

-- Who has left of late: their tokens may be good for some minutes more.
create table market.departed (
  user_id uuid primary key,
  departed_at timestamptz not null default now()
);
create index departed_age on market.departed (departed_at);

-- Posts. Ids are UUIDv7: newer ones are greater. category '' is none. A list walks one of the indexes for each status and category that it
-- wants and merges what it finds, so one index serves all filters of its order. Each is partial in name only: a statement says the condition
-- of the index that it wants, since among two that both fit the planner takes any while it knows nothing of the columns.
create table market.post (
  id uuid primary key,
  seller_id uuid not null,
  title text not null,
  content text not null,
  price int not null check (price >= 0),
  category text not null,
  status text not null default 'open' check (status in ('open', 'reserved', 'sold')),
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index post_latest on market.post (status, category, id) where id > '00000000-0000-0000-0000-000000000000';
create index post_price on market.post (status, category, price, id) where price >= 0;
create index post_seller on market.post (seller_id, id);

-- What is counted of a post stands in a row of its own, so that readers never wait for the post's row, nor it for them. Who locks both
-- locks the post first. status and category are the post's own, for the index.
create table market.post_counter (
  post_id uuid primary key,
  status text not null default 'open',
  category text not null,
  wishes int not null default 0 check (wishes >= 0),
  views int not null default 0
);
create index post_popular on market.post_counter (status, category, wishes, views, post_id);

-- The pairs of neighbouring characters of a text, without those that have a space: what any part of a word of two characters and more is
-- found by, in Korean too, where words often have two syllables and a trigram finds none.
create function market.bigrams(text) returns text[] language sql immutable strict parallel safe as $$
  select coalesce(array_agg(distinct a || b), '{}')
  from (
    select c as a, lead(c) over (order by n) as b from unnest(string_to_array($1, null)) with ordinality as u(c, n)
  ) pair
  where b is not null and a not in (' ', e'\n') and b not in (' ', e'\n')
$$;

-- Title and content as they are searched: see search-text.ts. Apart from the post, since the index has hundreds of entries for a row, which
-- a new price or status would write anew. Nothing waits in a pending list that each search would have to read.
create table market.post_search (
  post_id uuid primary key,
  search text not null
);
create index post_search_bigrams on market.post_search using gin (market.bigrams(search)) with (fastupdate = off);

-- Who wishes for what; id tells the order.
create table market.wish (
  post_id uuid not null,
  user_id uuid not null,
  id bigint generated always as identity,
  primary key (post_id, user_id)
);
create index wish_user on market.wish (user_id, id);

-- Who has seen a post on which day (days since 1970, UTC); viewer is a keyed hash, of a user's id or an address. Whole days are dropped.
create table market.post_view (
  day int not null,
  post_id uuid not null,
  viewer bytea not null,
  primary key (day, post_id, viewer)
) partition by range (day);
create table market.post_view_other partition of market.post_view default;

-- Who talks with the seller about a post: the market's own small copy. Nothing feeds it yet.
create table market.post_room (
  post_id uuid not null,
  buyer_id uuid not null,
  primary key (post_id, buyer_id)
);

-- What users want to hear of: `match` is the keyword as titles are compared with it, `keyword` as the user wrote it.
create table market.keyword (
  user_id uuid not null,
  match text not null,
  keyword text not null,
  primary key (user_id, match)
);
create unique index keyword_match on market.keyword (match, user_id);

-- New posts whose keywords are still to be told of, and up to which user that is done.
create table market.announcement (
  post_id uuid primary key,
  after_user uuid not null default '00000000-0000-0000-0000-000000000000'
);
