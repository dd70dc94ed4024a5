-- Sagas that are past their deadline and still have something to be undone: few, but nothing found them without reading all. No other
-- saga ever enters this index, since both columns change together when one ends in time: it costs those nothing.
create index saga_overdue on saga.saga (deadline) where due_at is null and ended_at is null;
