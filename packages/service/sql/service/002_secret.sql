-- What a service without the installation's signing key encrypts the first answers of its callers under. Not API.
create table service.secret (single boolean primary key default true check (single), value text not null);
insert into service.secret (value) values (gen_random_uuid()::text || gen_random_uuid()::text);
