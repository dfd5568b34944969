-- +goose Up
create table idempotency_keys (
    principal       text not null,
    key             text not null check (length(key) between 1 and 255),
    operation       text not null,
    request_hash    bytea not null,
    resource        text,                -- the id that the first call made, so that a repeated call resumes it
    response_status int,                 -- null while the first call is running
    response_body   jsonb,               -- secrets redacted (SEC-5)
    response_header jsonb,
    locked_until    timestamptz not null,
    created_at      timestamptz not null,
    primary key (principal, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- What the database wants the engine to hear: written in the transaction of the fact, delivered at least once.
create table outbox (
    id            bigint generated always as identity primary key,
    kind          text not null check (kind in ('start', 'signal')),
    workflow_id   text not null,
    name          text not null,         -- workflow type to start, or signal
    ref           text not null,         -- an id, never a fact
    created_at    timestamptz not null,
    attempts      int not null default 0,
    next_at       timestamptz not null,
    dispatched_at timestamptz
);
create index outbox_pending on outbox (next_at, id) where dispatched_at is null;

-- Mails that are to be sent, once each. The Message-ID stays the same over every try (OPS-2).
create table notices (
    id          text primary key check (id like 'no\_%'),
    dedupe_key  text not null unique,
    kind        text not null,
    account_id  text references accounts,
    to_address  text not null,
    subject_ref text not null,           -- SO-…, sh_…, cr_…: what it is about
    params      jsonb not null default '{}',
    sealed      bytea,                   -- a license key, sealed until the mail server has accepted it (LIC-1)
    message_id  text not null unique,
    status      text not null check (status in ('pending', 'sent', 'failed')),
    attempts    int not null default 0,
    next_at     timestamptz not null,
    last_error  text,
    created_at  timestamptz not null,
    sent_at     timestamptz,
    check (status <> 'sent' or (sent_at is not null and sealed is null))
);
create index notices_pending on notices (next_at) where status = 'pending';
create index notices_subject on notices (subject_ref);

create table support_cases (
    id          text primary key check (id like 'sc\_%'),
    dedupe_key  text not null unique,
    subject_ref text not null,
    title       text not null,
    state       text not null check (state in ('open', 'closed')),
    created_at  timestamptz not null,
    closed_at   timestamptz
);
create index support_cases_open on support_cases (created_at) where state = 'open';

-- Audit (SEC-3): append-only; rows carry the transaction that wrote them, a sealer chains them afterwards into audit_seals,
-- so that no login waits for another. One chain and one retention per class (SEC-4).
create table audit_events (
    id               bigint generated always as identity,
    xid              xid8 not null default pg_current_xact_id(),
    at               timestamptz not null,
    class            text not null check (class in ('authentication', 'lifecycle', 'administration')),
    kind             text not null,
    actor            text not null,      -- ac_…, ak_…, workflow, carrier …: never a name
    credential_id    text,
    authenticator_id text,
    subject_ref      text not null default '',
    outcome          text not null,
    detail           jsonb not null default '{}',
    primary key (class, at, id)
) partition by list (class);

create table audit_authentication partition of audit_events for values in ('authentication') partition by range (at);
create table audit_lifecycle partition of audit_events for values in ('lifecycle') partition by range (at);
create table audit_administration partition of audit_events for values in ('administration') partition by range (at);
create table audit_authentication_rest partition of audit_authentication default;
create table audit_lifecycle_rest partition of audit_lifecycle default;
create table audit_administration_rest partition of audit_administration default;
create index audit_events_credential on audit_events (credential_id, at);
create index audit_events_xid on audit_events (class, xid);

create table audit_seals (
    class     text not null,
    epoch     int not null,
    batch     bigint not null,
    lo        xid8 not null,             -- rows of transactions lo <= xid < hi
    hi        xid8 not null,
    row_count bigint not null,
    previous  bytea not null,
    hash      bytea not null,
    key_id    text not null,
    signature bytea not null,            -- over class, epoch, batch, lo, hi, row_count and hash: the checkpoint
    sealed_at timestamptz not null,
    primary key (class, epoch, batch)
);

-- +goose StatementBegin
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
-- +goose StatementEnd

create trigger audit_events_append_only before update or delete on audit_events for each row execute function refuse_change();
create trigger audit_seals_append_only before update or delete on audit_seals for each row execute function refuse_change();
create trigger audit_seals_no_truncate before truncate on audit_seals for each statement execute function refuse_change();
