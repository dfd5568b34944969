-- +goose Up
create table token_models (
    model          text primary key,
    kind           text not null check (kind in ('hotp', 'totp')),
    reorder_level  int not null default 0 check (reorder_level >= 0)
);

create table token_imports (
    id          text primary key check (id like 'ti\_%'),
    format      text not null check (format in ('pskc', 'csv')),
    file_sha256 bytea not null,
    rows        int not null,
    imported    int not null,
    known       int not null,            -- serials that were there before; nothing of theirs changes (SHP-4)
    imported_by text not null,
    imported_at timestamptz not null
);

create table tokens (
    serial          text primary key check (serial <> ''),
    model           text not null references token_models,
    manufacturer    text not null default '',
    warehouse       text not null,
    kind            text not null check (kind in ('hotp', 'totp')),
    algorithm       text not null check (algorithm in ('SHA1', 'SHA256', 'SHA512')),
    digits          int not null check (digits in (6, 8)),
    period_seconds  int not null check (period_seconds between 0 and 3600 and (kind = 'hotp' or period_seconds > 0)),
    initial_counter bigint not null default 0 check (initial_counter >= 0),
    sealed_seed     bytea not null,
    status          text not null check (status in ('in_stock', 'allocated', 'shipped', 'bound', 'quarantined', 'retired')),
    status_reason   text,
    import_id       text not null references token_imports,
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);
create index tokens_in_stock on tokens (model, created_at, serial) where status = 'in_stock';

create table shipments (
    id            text primary key check (id like 'sh\_%'),
    order_line_id text not null unique references order_lines,
    token_model   text not null references token_models,
    address       jsonb not null,
    status        text not null check (status in ('requested', 'backordered', 'packed', 'shipped', 'in_transit', 'exception', 'delivered', 'reshipping', 'cancelled')),
    parcel        int not null default 1 check (parcel > 0),
    promised_by   timestamptz,
    late_since    timestamptz,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    delivered_at  timestamptz,
    check (status <> 'delivered' or delivered_at is not null)
);
create index shipments_backordered on shipments (token_model, created_at) where status = 'backordered';

create table parcels (
    shipment_id     text not null references shipments,
    number          int not null check (number > 0),
    serial          text not null unique references tokens,   -- one serial to one shipment, ever (SHP-1)
    carrier         text,
    tracking_number text,
    carrier_ref     text,
    shipped_at      timestamptz,
    outcome         text check (outcome in ('delivered', 'lost', 'returned', 'cancelled')),
    primary key (shipment_id, number)
);
create unique index parcels_tracking on parcels (carrier, tracking_number);

create table carrier_events (
    carrier         text not null,
    id              text not null,
    tracking_number text not null,
    kind            text not null check (kind in ('label_created', 'in_transit', 'exception', 'delivered', 'lost', 'returned')),
    occurred_at     timestamptz not null,
    received_at     timestamptz not null,
    primary key (carrier, id)
);
create index carrier_events_tracking on carrier_events (carrier, tracking_number, occurred_at);
