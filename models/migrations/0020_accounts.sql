-- +goose Up
-- A counted try has an id, so that a try which turned out right is taken back alone.
alter table attempts add column id bigint generated always as identity primary key;
create index attempts_age on attempts (at);

-- Subjects of attempts (accounts, names as typed, network addresses) are stored as hashes under this salt, which is
-- born here and never leaves the database.
create table attempt_salt (
    one  boolean primary key default true check (one),
    salt text not null
);
insert into attempt_salt (salt) values (gen_random_uuid()::text || gen_random_uuid()::text);

-- Wrong one-time passwords at the registration of a token; at the policy's limit only support can reset it (REG-1).
create table registration_tries (
    serial   text primary key references tokens,
    failures int not null check (failures > 0),
    last_at  timestamptz not null
);

create index sessions_age on sessions (created_at);
