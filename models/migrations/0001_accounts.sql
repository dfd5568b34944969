-- +goose Up
create extension if not exists btree_gist;

create table organizations (
    id         text primary key check (id like 'og\_%'),
    name       text not null check (name <> ''),
    country    char(2) not null,
    status     text not null check (status in ('pending', 'approved')),
    created_at timestamptz not null
);

create table accounts (
    id              text primary key check (id like 'ac\_%'),
    organization_id text references organizations,
    user_id         text not null check (user_id <> ''),
    email           text not null check (email like '%@%'),
    first_name      text not null,
    middle_name     text not null default '',
    last_name       text not null,
    country         char(2) not null,
    password_hash   text not null,
    created_at      timestamptz not null
);
create unique index accounts_user_id_key on accounts (lower(user_id));
create index accounts_email on accounts (lower(email));
create index accounts_organization on accounts (organization_id);

create table account_roles (
    account_id text not null references accounts,
    role       text not null check (role in ('subscriber', 'organization_administrator', 'application_administrator')),
    primary key (account_id, role)
);

create table partners (
    id            text primary key check (id like 'pa\_%'),
    name          text not null unique,
    accepts_kinds jsonb not null,
    minimum_level int not null check (minimum_level in (2, 3)),
    created_at    timestamptz not null
);

create table api_keys (
    id          text primary key check (id like 'ak\_%'),
    name        text not null,
    role        text not null check (role in ('partner_sponsor', 'billing', 'support', 'warehouse', 'proofing_agent', 'operator', 'auditor', 'relying_application')),
    partner_id  text references partners,
    secret_hash bytea not null unique,
    last_four   text not null,
    created_at  timestamptz not null,
    revoked_at  timestamptz,
    check ((role in ('relying_application', 'partner_sponsor')) = (partner_id is not null))
);

create table sessions (
    id         text primary key check (id like 'se\_%'),
    account_id text not null references accounts,
    token_hash bytea not null unique,
    strength   text not null check (strength in ('password', 'phone_otp', 'hardware_otp')),
    level      int not null,
    created_at timestamptz not null,
    seen_at    timestamptz not null,
    ended_at   timestamptz
);
create index sessions_account on sessions (account_id) where ended_at is null;

-- Tries that are counted against a limit: wrong license keys, logins.
create table attempts (
    scope   text not null,
    subject text not null,
    at      timestamptz not null
);
create index attempts_lookup on attempts (scope, subject, at);

create table policies (
    version      int primary key,
    body         jsonb not null,
    effective_at timestamptz not null
);
