-- +goose Up
create table products (
    sku         text primary key,
    name        text not null,
    description text not null default '',
    kind        text not null check (kind in ('hardware_otp', 'phone_otp', 'mobile_id', 'proofing_upgrade', 'add_token', 'renewal', 'replacement')),
    proofing    boolean not null,
    market      text not null,
    token_model text,
    term_months int not null check (term_months >= 0),
    price_minor bigint not null check (price_minor >= 0),
    currency    char(3) not null,
    status      text not null check (status in ('active', 'retired'))
);

create table disclaimers (
    version      int primary key,
    text         text not null,
    effective_at timestamptz not null
);

create sequence order_numbers start 10001;
create sequence invoice_numbers start 10001;

create table orders (
    id                     text primary key check (id like 'or\_%'),
    number                 text not null unique check (number ~ '^SO-[0-9]+$'),
    buyer_id               text not null references accounts,
    status                 text not null check (status in ('draft', 'placed', 'payment_declined', 'paid', 'fulfilled', 'cancelled', 'refused')),
    payment_method         text not null check (payment_method in ('card', 'invoice')),
    currency               char(3) not null,
    total_minor            bigint not null check (total_minor >= 0),
    po_number              text,
    billing_address        jsonb not null,
    shipping_address       jsonb,
    disclaimer_version     int not null references disclaimers,
    disclaimer_accepted_at timestamptz not null,
    policy_version         int not null references policies,
    cancel_reason          text,
    created_at             timestamptz not null,
    placed_at              timestamptz,
    paid_at                timestamptz,
    fulfilled_at           timestamptz,
    cancelled_at           timestamptz,
    check (status not in ('paid', 'fulfilled') or paid_at is not null),
    check (status <> 'fulfilled' or fulfilled_at is not null)
);
create index orders_buyer on orders (buyer_id, created_at);
create index orders_drafts on orders (created_at) where status = 'draft';
create index orders_list on orders (created_at, id);

create table order_lines (
    id             text primary key check (id like 'ol\_%'),
    order_id       text not null references orders,
    position       int not null check (position > 0),
    product_sku    text not null references products,
    beneficiary_id text not null references accounts,
    price_minor    bigint not null check (price_minor >= 0),
    unique (order_id, position)
);

create table invoices (
    id          text primary key check (id like 'in\_%'),
    number      text not null unique check (number ~ '^INV-[0-9]+$'),
    order_id    text not null unique references orders,
    status      text not null check (status in ('open', 'paid', 'void')),
    total_minor bigint not null check (total_minor >= 0),
    paid_minor  bigint not null default 0 check (paid_minor between 0 and total_minor),
    currency    char(3) not null,
    issued_at   timestamptz not null,
    due_at      timestamptz not null,
    settled_at  timestamptz,
    voided_at   timestamptz,
    check (status <> 'paid' or paid_minor = total_minor),
    check (status <> 'void' or voided_at is not null)
);
create index invoices_open on invoices (due_at) where status = 'open';

create table payments (
    id             text primary key check (id like 'py\_%'),
    source         text not null check (source in ('bank_transfer', 'card', 'bank_statement')),
    source_account text not null,
    bank_reference text not null,
    amount_minor   bigint not null check (amount_minor > 0),
    currency       char(3) not null,
    received_at    timestamptz not null,
    recorded_by    text not null,
    recorded_at    timestamptz not null,
    constraint payments_once unique (source, source_account, bank_reference)
);
create trigger payments_immutable before update or delete on payments for each row execute function refuse_change();

create table allocations (
    payment_id   text not null references payments,
    invoice_id   text not null references invoices,
    amount_minor bigint not null check (amount_minor > 0),
    at           timestamptz not null,
    primary key (payment_id, invoice_id)
);
create index allocations_invoice on allocations (invoice_id);
create trigger allocations_immutable before update or delete on allocations for each row execute function refuse_change();

-- Double entry: debits positive, credits negative, each entry sums to zero.
create table ledger_entries (
    id       bigint generated always as identity primary key,
    at       timestamptz not null,
    kind     text not null check (kind in ('invoice_issued', 'invoice_voided', 'payment_received')),
    ref      text not null,
    currency char(3) not null,
    unique (kind, ref)
);
create table ledger_postings (
    entry_id     bigint not null references ledger_entries,
    account      text not null check (account in ('bank', 'card_clearing', 'receivable', 'deferred_revenue', 'unapplied_cash')),
    amount_minor bigint not null check (amount_minor <> 0),
    primary key (entry_id, account)
);
create trigger ledger_entries_immutable before update or delete on ledger_entries for each row execute function refuse_change();
create trigger ledger_postings_immutable before update or delete on ledger_postings for each row execute function refuse_change();

-- +goose StatementBegin
create function check_ledger_balance() returns trigger language plpgsql as $$
begin
    if (select coalesce(sum(amount_minor), 0) from ledger_postings where entry_id = new.entry_id) <> 0 then
        raise exception 'ledger entry % does not balance', new.entry_id using errcode = 'check_violation';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger ledger_balances after insert on ledger_postings deferrable initially deferred for each row execute function check_ledger_balance();

create table charges (
    id             text primary key check (id like 'ch\_%'),
    order_id       text not null references orders,
    attempt        int not null check (attempt > 0),
    status         text not null check (status in ('intended', 'authorized', 'captured', 'declined', 'cancelled')),
    payment_method text not null,
    amount_minor   bigint not null check (amount_minor > 0),
    currency       char(3) not null,
    provider_ref   text unique,
    decline_reason text,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    unique (order_id, attempt)
);
-- An order has at most one charge under way or taken: never two charges for one order.
create unique index charges_one_live on charges (order_id) where status in ('intended', 'authorized', 'captured');

create table license_keys (
    id            text primary key check (id like 'lk\_%'),
    order_line_id text not null references order_lines,
    status        text not null check (status in ('issued', 'used', 'void', 'expired')),
    hash          bytea not null unique,
    last_four     char(4) not null,
    issued_at     timestamptz not null,
    expires_at    timestamptz not null,
    used_at       timestamptz,
    used_by       text references accounts,
    check ((status = 'used') = (used_at is not null and used_by is not null))
);
-- One usable or used key per line.
create unique index license_keys_one_live on license_keys (order_line_id) where status in ('issued', 'used');
create index license_keys_last_four on license_keys (last_four);

-- +goose StatementBegin
create function check_key_after_payment() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from order_lines l join orders o on o.id = l.order_id join invoices i on i.order_id = o.id
                   where l.id = new.order_line_id and o.status in ('paid', 'fulfilled') and i.status = 'paid') then
        raise exception 'no license key before the invoice is paid in full' using errcode = 'check_violation', constraint = 'license_keys_after_payment';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger license_keys_after_payment before insert on license_keys for each row execute function check_key_after_payment();
