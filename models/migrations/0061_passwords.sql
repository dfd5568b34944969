-- +goose Up
-- A temporary password must be changed at the next login, and lapses (MGT-4). The version counts changes, so that whoever
-- compared an older password notices; the previous password of a person's own choice may not be chosen again.
alter table accounts
    add column must_change_password   boolean not null default false,
    add column password_expires_at    timestamptz,
    add column password_version       int not null default 0 check (password_version >= 0),
    add column previous_password_hash text not null default '';
alter table accounts add constraint accounts_temporary_password check (password_expires_at is null or must_change_password);

-- Requests to recover a password or a user id by mail (ACC-1). One row is written whoever is named, and the mail follows
-- from it later: the answer and its cost are the same for a name that nobody has. No foreign key, since its check costs time.
create table recoveries (
    id         text primary key check (id like 'rv\_%'),
    kind       text not null check (kind in ('password', 'user_id')),
    account_id text,                     -- null: nobody has this name
    token_hash bytea unique,
    sealed     bytea,                    -- the token, sealed for its mail until that is recorded
    notice_id  text not null,            -- of the mail
    created_at timestamptz not null,
    expires_at timestamptz not null,
    mailed_at  timestamptz,              -- when the mail was recorded
    ended_at   timestamptz,              -- when the token was used, or the password changed otherwise
    check ((kind = 'password') = (token_hash is not null)),
    check (mailed_at is null and ended_at is null or sealed is null)
);
create index recoveries_waiting on recoveries (created_at) where mailed_at is null and ended_at is null;
create index recoveries_account on recoveries (account_id, kind);
create index recoveries_age on recoveries (expires_at);

-- Wrong pairs of one-time passwords at the resync of a token; at the policy's limit only support can reset it (MGT-2).
create table resync_tries (
    authenticator_id text primary key references authenticators,
    failures         int not null check (failures > 0),
    last_at          timestamptz not null
);
