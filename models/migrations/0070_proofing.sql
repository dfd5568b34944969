-- +goose Up
create extension if not exists btree_gist;

create table proofing_cases (
    id             text primary key check (id like 'pc\_%'),
    credential_id  text not null references credentials,
    account_id     text not null references accounts,
    purpose        text not null check (purpose in ('activation', 'upgrade')),
    country        char(2) not null,
    status         text not null check (status in ('choosing', 'self_service', 'scheduling', 'scheduled', 'in_review', 'awaiting_code', 'proofed', 'completed', 'abandoned')),
    attempt        int not null default 1 check (attempt > 0),
    paid_attempts  int not null default 0 check (paid_attempts >= 0),
    policy_version int not null references policies,
    order_line_id  text references order_lines,
    since          timestamptz not null,
    opened_at      timestamptz not null,
    proofed_at     timestamptz,
    register_by    timestamptz,
    ended_at       timestamptz,
    updated_at     timestamptz not null,
    check ((status in ('completed', 'abandoned')) = (ended_at is not null)),
    check (status not in ('proofed', 'completed') or proofed_at is not null),
    check ((purpose = 'upgrade') = (order_line_id is not null))
);
create unique index proofing_cases_open on proofing_cases (credential_id) where ended_at is null;
create index proofing_cases_credential on proofing_cases (credential_id);
create index proofing_cases_account on proofing_cases (account_id);

-- Milestones that were performed, once each; the key names the milestone, the attempt and the date.
create table proofing_milestones (
    case_id      text not null references proofing_cases,
    key          text not null check (key <> ''),
    at           timestamptz not null,
    performed_at timestamptz not null,
    primary key (case_id, key)
);

create table proofing_consents (
    case_id        text not null references proofing_cases,
    attempt        int not null,
    terms_version  text not null check (terms_version <> ''),
    credit_inquiry boolean not null check (credit_inquiry),
    given_at       timestamptz not null,
    primary key (case_id, attempt, given_at)
);

-- A session at the identity provider. What a person gives there is not here (PRF-2).
create table proofing_sessions (
    id           text primary key check (id like 'ps\_%'),
    case_id      text not null references proofing_cases,
    attempt      int not null,
    provider_ref text not null unique check (provider_ref <> ''),
    phase        text not null check (phase in ('needs_ssn', 'questions', 'capture', 'checking', 'ended')),
    outcome      text check (outcome in ('verified', 'located', 'not_located', 'name_incorrect', 'unreadable', 'timed_out', 'cancelled')),
    started_at   timestamptz not null,
    expires_at   timestamptz not null,
    check_at     timestamptz not null,
    ended_at     timestamptz,
    redacted_at  timestamptz,
    check ((phase = 'ended') = (ended_at is not null)),
    check ((outcome is not null) = (ended_at is not null)),
    check (redacted_at is null or ended_at is not null)
);
create unique index proofing_sessions_live on proofing_sessions (case_id) where ended_at is null;
create index proofing_sessions_case on proofing_sessions (case_id);

-- Webhooks of the provider that were taken: a repeated one changes nothing.
create table proofing_news (
    event_id     text primary key,
    provider_ref text not null,
    received_at  timestamptz not null
);

create table proofing_agents (
    id             text primary key check (id like 'ag\_%'),
    name           text not null check (name <> ''),
    email          text not null check (email <> ''),
    zone           text not null check (zone <> ''),
    daily_capacity int not null default 0 check (daily_capacity >= 0),
    may_review     boolean not null default false,
    sealed_totp    bytea,
    totp_step      bigint not null default 0,
    totp_failures  int not null default 0 check (totp_failures >= 0),
    totp_locked    timestamptz,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    retired_at     timestamptz
);

create table agent_windows (
    agent_id   text not null references proofing_agents,
    position   int not null check (position >= 0),
    expression text not null check (expression <> ''),
    minutes    int not null check (minutes between 1 and 1440),
    primary key (agent_id, position)
);

create table agent_exceptions (
    id        text primary key check (id like 'ax\_%'),
    agent_id  text not null references proofing_agents,
    kind      text not null check (kind in ('holiday', 'closed', 'extra')),
    day       date,
    starts_at timestamptz,
    ends_at   timestamptz,
    check ((kind = 'holiday') = (day is not null)),
    check ((kind = 'holiday') = (starts_at is null)),
    check ((starts_at is null) = (ends_at is null)),
    check (starts_at is null or starts_at < ends_at)
);
create index agent_exceptions_agent on agent_exceptions (agent_id);

-- Sessions of agents: bound to the client certificate that they were opened with (PRF-8).
create table agent_sessions (
    id          text primary key check (id like 'as\_%'),
    agent_id    text not null references proofing_agents,
    token_hash  bytea not null unique,
    certificate bytea not null,          -- SHA-256 of the certificate
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    ended_at    timestamptz
);
create index agent_sessions_agent on agent_sessions (agent_id);

create table appointments (
    id            text primary key check (id like 'ap\_%'),
    case_id       text not null references proofing_cases,
    agent_id      text not null references proofing_agents,
    status        text not null check (status in ('held', 'booked', 'released', 'cancelled', 'unstaffed', 'passed', 'failed', 'missed', 'broken_off', 'unheard')),
    starts_at     timestamptz not null,
    ends_at       timestamptz not null,
    blocked_until timestamptz not null,
    sequence      int not null default 0 check (sequence >= 0),
    held_until    timestamptz,
    zone          text not null default '',
    phone         text not null default '',
    email         text not null default '',
    link_hash     bytea unique,
    meeting_ref   text not null default '',
    meeting_url   text not null default '',
    meeting_for   int not null default 0,
    instructions  text not null default '',
    outcome_at    timestamptz,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    check (starts_at < ends_at and ends_at <= blocked_until),
    check ((status = 'held') <= (held_until is not null)),
    check (status <> 'booked' or (zone <> '' and phone <> '' and email <> '')),
    -- Never two people in one slot of one agent (PRF-5).
    constraint appointments_one_at_a_time exclude using gist (agent_id with =, tstzrange(starts_at, blocked_until) with &&) where (status in ('held', 'booked'))
);
create unique index appointments_case_live on appointments (case_id) where status in ('held', 'booked');
create index appointments_case on appointments (case_id);
create index appointments_agent on appointments (agent_id, starts_at);

create table proofing_records (
    id              text primary key check (id like 'pr\_%'),
    case_id         text not null references proofing_cases,
    attempt         int not null,
    appointment_id  text not null unique references appointments,
    agent_id        text not null references proofing_agents,
    document_type   text not null,
    issuer          text not null,
    sealed_number   bytea not null,
    sealed_name     bytea not null,
    document_expiry date,
    checklist       jsonb not null,
    name_result     text not null check (name_result in ('match', 'close')),
    name_reasons    jsonb not null default '[]',
    recorded_at     timestamptz not null,
    review_wanted   boolean not null,
    reviewer_id     text references proofing_agents,
    reviewed_at     timestamptz,
    confirmed       boolean,
    review_reason   text not null default '',
    check ((reviewer_id is null) = (reviewed_at is null) and (reviewer_id is null) = (confirmed is null)),
    constraint proofing_records_second_person check (reviewer_id is null or reviewer_id <> agent_id)
);
create index proofing_records_case on proofing_records (case_id);
create index proofing_records_review on proofing_records (recorded_at) where review_wanted and reviewed_at is null;

-- Only the hash of a code is kept: nobody can retrieve it (PRF-9).
create table activation_codes (
    id         text primary key check (id like 'cd\_%'),
    case_id    text not null references proofing_cases,
    attempt    int not null,
    channel    text not null check (channel in ('agent', 'post')),
    status     text not null check (status in ('pending', 'live', 'used', 'lapsed', 'void')),
    hash       bytea not null unique,
    issued_at  timestamptz not null,
    expires_at timestamptz not null check (expires_at > issued_at),
    posted_at  timestamptz,
    ended_at   timestamptz,
    updated_at timestamptz not null,
    check ((status in ('used', 'lapsed', 'void')) = (ended_at is not null))
);
create unique index activation_codes_open on activation_codes (case_id) where ended_at is null;

create trigger proofing_milestones_append_only before update or delete on proofing_milestones for each row execute function refuse_change();
create trigger proofing_consents_append_only before update or delete on proofing_consents for each row execute function refuse_change();
create trigger proofing_news_append_only before update on proofing_news for each row execute function refuse_change();
create trigger activation_codes_no_delete before delete on activation_codes for each row execute function refuse_change();
create trigger appointments_no_delete before delete on appointments for each row execute function refuse_change();
