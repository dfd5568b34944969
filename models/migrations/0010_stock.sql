-- +goose Up
alter table token_imports add column refused int not null default 0;

alter table shipments add column late_from timestamptz;
create index shipments_list on shipments (status, id);

alter table parcels
    add column label_try          int not null default 1 check (label_try > 0),
    add column label_requested_at timestamptz,      -- the intent, before the carrier is called
    add column label_voided_at    timestamptz,
    add check (shipped_at is null or label_requested_at is not null),
    add check ((tracking_number is null) = (carrier_ref is null));

-- Events name the tracking number and who told of it, not always who carries: the number alone identifies a parcel.
drop index parcels_tracking;
create unique index parcels_tracking on parcels (tracking_number);
drop index carrier_events_tracking;
create index carrier_events_tracking on carrier_events (tracking_number, occurred_at);

-- One serial to one shipment (SHP-1). A parcel that was cancelled before it left was none: its token is in stock again.
alter table parcels drop constraint parcels_serial_key;
create unique index parcels_serial_once on parcels (serial) where outcome is distinct from 'cancelled';
create index parcels_serial on parcels (serial);

-- Where a file's rows stand while it is read: nothing is in stock before the whole file has been found good (SHP-4).
-- Seeds are sealed here already (SEC-2).
create unlogged table token_import_rows (
    import_id       text not null,
    row             int not null,
    serial          text not null,
    model           text not null,
    manufacturer    text not null,
    kind            text not null,
    algorithm       text not null,
    digits          int not null,
    period_seconds  int not null,
    initial_counter bigint not null,
    sealed_seed     bytea not null,
    staged_at       timestamptz not null,
    primary key (import_id, row)
);
