-- A saga's row kept view and start in one JSON text, which had to be written anew, whole, with every version. Now the event that
-- started it is written once, and the view is the very text that the version has in saga_event.
alter table saga.saga add column view text, add column start text;
update saga.saga set view = (state::json -> 'view')::text, start = (state::json -> 'start')::text;
alter table saga.saga alter column view set not null, alter column start set not null, drop column state;
