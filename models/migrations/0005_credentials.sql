-- +goose Up
create table credentials (
    id               text primary key check (id like 'cr\_%'),
    account_id       text not null references accounts,
    order_line_id    text not null unique references order_lines,
    license_key_id   text not null unique references license_keys,
    product_sku      text not null references products,
    kind             text not null,
    level            int not null check (level in (2, 3)),
    phase            text not null check (phase in ('pending_approval', 'pending_proofing', 'pending_registration', 'active', 'revoked')),
    policy_version   int not null references policies,
    proofing_country char(2),
    purchased_at     timestamptz not null,
    expires_at       timestamptz not null check (expires_at > purchased_at),
    expired_at       timestamptz,
    suspended_at     timestamptz,
    revoked_at       timestamptz,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    check ((phase = 'revoked') = (revoked_at is not null))
);
create index credentials_account on credentials (account_id);

-- fillfactor leaves room for heap-only updates: a verification changes no indexed column.
create table authenticators (
    id            text primary key check (id like 'au\_%'),
    credential_id text not null references credentials,
    account_id    text not null references accounts,
    kind          text not null check (kind in ('hardware_token', 'phone', 'mobile_device')),
    serial        text references tokens,
    status        text not null check (status in ('active', 'locked', 'revoked')),
    next_counter  bigint not null check (next_counter >= 0),
    drift         bigint not null default 0,
    failures      int not null default 0 check (failures >= 0),
    locked_at     timestamptz,
    registered_at timestamptz not null,
    revoked_at    timestamptz,
    check ((kind = 'hardware_token') = (serial is not null)),
    check ((status = 'revoked') = (revoked_at is not null))
) with (fillfactor = 80);
create unique index authenticators_serial_once on authenticators (serial);
create index authenticators_credential on authenticators (credential_id);
-- A person has at most one live hardware token (MGT-5).
create unique index authenticators_one_token on authenticators (account_id) where kind = 'hardware_token' and revoked_at is null;
