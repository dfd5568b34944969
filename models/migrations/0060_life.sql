-- +goose Up
-- The suspension by command and the suspension by time are separate facts (MGT-3): a renewal lifts the second, never the first.
alter table credentials
    add column suspended_by      text check (suspended_by in ('person', 'administrator')),
    add column term_suspended_at timestamptz,
    add column review_since      timestamptz,
    add column revoke_reason     text;
alter table credentials add constraint credentials_suspended_by check ((suspended_at is null) = (suspended_by is null));
alter table credentials add constraint credentials_term_suspended check (term_suspended_at is null or expired_at is not null);

-- Milestones that were performed, once each (LIF-1). The key names the milestone and the date that it belongs to, so that a renewed term has its own.
create table credential_milestones (
    credential_id text not null references credentials,
    key           text not null check (key <> ''),
    at            timestamptz not null,    -- when it was due
    performed_at  timestamptz not null,
    primary key (credential_id, key)
);
create trigger credential_milestones_append_only before update or delete on credential_milestones for each row execute function refuse_change();
create trigger credential_milestones_no_truncate before truncate on credential_milestones for each statement execute function refuse_change();

-- What a line is for, where it changes a credential that exists: a renewal or a replacement.
alter table order_lines
    add column credential_id      text references credentials,
    add column replacement_reason text check (replacement_reason in ('err_display', 'unreadable', 'dead_battery', 'lost', 'stolen', 'damaged'));
create index order_lines_credential on order_lines (credential_id) where credential_id is not null;

alter table products add column base_kind text check (base_kind in ('hardware_otp', 'phone_otp', 'mobile_id'));
alter table products add constraint products_base_kind check ((base_kind is not null) = (kind in ('renewal', 'replacement', 'proofing_upgrade', 'add_token')));
