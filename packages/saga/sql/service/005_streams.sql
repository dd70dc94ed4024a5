-- A stream that is closed takes no more events and is told of to nobody: its owner is gone. The row stays until no late event can come.
alter table saga.stream_head add column closed_at timestamptz;
create index stream_head_closed on saga.stream_head (closed_at) where closed_at is not null;
-- Events lie in the order of their time, so a block range index, which costs an insert nearly nothing, finds the old ones.
create index stream_event_age on saga.stream_event using brin (created_at) with (pages_per_range = 32, autosummarize = on);
