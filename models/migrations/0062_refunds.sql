-- +goose Up
alter table orders drop constraint orders_status_check;
alter table orders
    add column refunded_at timestamptz,
    add constraint orders_status_check check (status in ('draft', 'placed', 'payment_declined', 'paid', 'fulfilled', 'cancelled', 'refused', 'refunded')),
    add constraint orders_refunded check ((status = 'refunded') = (refunded_at is not null)),
    add constraint orders_refunded_after_payment check (status <> 'refunded' or paid_at is not null);

alter table shipments drop constraint shipments_status_check;
alter table shipments add constraint shipments_status_check
    check (status in ('requested', 'backordered', 'packed', 'shipped', 'in_transit', 'exception', 'delivered', 'reshipping', 'cancelled', 'given_up'));

create sequence credit_note_numbers start 10001;

create table refunds (
    id               text primary key check (id like 'rf\_%'),
    order_id         text not null references orders,
    status           text not null check (status in ('requested', 'returning', 'paying', 'refunded', 'credited', 'rejected', 'withdrawn', 'lapsed')),
    reason           text not null check (reason in ('not_needed', 'ordered_by_mistake', 'duplicate', 'defective', 'goodwill', 'other', 'renewal_too_late', 'cannot_be_fulfilled')),
    note             text not null default '',
    second_person    boolean not null,
    requested_by     text not null,
    requested_at     timestamptz not null,
    decided_by       text,
    decided_at       timestamptz,
    rejection        text,
    return_by        timestamptz,
    total_minor      bigint not null check (total_minor >= 0),
    currency         char(3) not null,
    credited_at      timestamptz,
    card_minor       bigint not null default 0 check (card_minor >= 0),
    bank_minor       bigint not null default 0 check (bank_minor >= 0),
    charge_id        text references charges,
    card_try         int not null default 1 check (card_try > 0),
    card_asked_at    timestamptz,         -- the intent, before the processor is called
    card_accepted_at timestamptz,         -- the processor has taken it up: it is not asked again
    card_refused_at  timestamptz,
    card_refunded_at timestamptz,
    ended_at         timestamptz,
    updated_at       timestamptz not null,
    check ((decided_by is null) = (decided_at is null)),
    check (rejection is null or status = 'rejected'),
    check ((status in ('paying', 'refunded', 'credited')) = (credited_at is not null)),
    check (credited_at is null or card_minor + bank_minor = total_minor),
    check (card_minor = 0 or charge_id is not null),
    check (status <> 'credited' or card_minor = 0 or card_refunded_at is not null),
    check (card_refunded_at is null or card_asked_at is not null),
    check (card_accepted_at is null or card_asked_at is not null),
    check (card_refused_at is null or card_asked_at is null and card_refunded_at is null),
    -- SEC-1: whoever asked for it does not allow it too.
    constraint refunds_second_person check (not second_person or status in ('requested', 'withdrawn') or decided_by is not null and decided_by <> requested_by)
);
create index refunds_order on refunds (order_id);
create index refunds_list on refunds (status, id);
create index refunds_charge on refunds (charge_id) where charge_id is not null;
-- One refund at a time is asked of a charge, so that what the processor has given back says which one that was.
create unique index refunds_one_asked on refunds (charge_id) where card_asked_at is not null and card_refunded_at is null;

create table refund_lines (
    refund_id     text not null references refunds,
    order_line_id text not null references order_lines,
    position      int not null,
    amount_minor  bigint not null check (amount_minor >= 0),
    undone_at     timestamptz,            -- no way back: key void, credential revoked, shipment cancelled
    dropped_at    timestamptz,            -- it left the refund
    primary key (refund_id, order_line_id),
    check (undone_at is null or dropped_at is null)
);
create unique index refund_lines_once on refund_lines (order_line_id) where dropped_at is null;

create table credit_notes (
    id          text primary key check (id like 'cn\_%'),
    number      text not null unique check (number ~ '^CN-[0-9]+$'),
    refund_id   text not null unique references refunds,
    order_id    text not null references orders,
    invoice_id  text not null references invoices,
    total_minor bigint not null check (total_minor >= 0),
    currency    char(3) not null,
    issued_at   timestamptz not null
);
create index credit_notes_order on credit_notes (order_id);

-- A line is credited at most once: it is the key.
create table credit_note_lines (
    order_line_id  text primary key references order_lines,
    credit_note_id text not null references credit_notes,
    amount_minor   bigint not null check (amount_minor >= 0)
);
create index credit_note_lines_note on credit_note_lines (credit_note_id);

create table payouts (
    refund_id      text primary key references refunds,
    source_account text not null check (source_account <> ''),
    bank_reference text not null check (bank_reference <> ''),
    amount_minor   bigint not null check (amount_minor > 0),
    currency       char(3) not null,
    paid_at        timestamptz not null,
    recorded_by    text not null,
    recorded_at    timestamptz not null,
    constraint payouts_once unique (source_account, bank_reference)
);

-- A serial comes back once; it is not shipped again.
create table token_returns (
    serial      text primary key references tokens,
    shipment_id text not null references shipments,
    condition   text not null check (condition in ('unopened', 'opened', 'damaged')),
    recorded_by text not null,
    received_at timestamptz not null
);
create index token_returns_shipment on token_returns (shipment_id);

-- Charges of which the card processor says that they have changed: to be held against our books.
create table charge_news (
    charge_id text primary key references charges,
    at        timestamptz not null
);

create trigger credit_notes_immutable before update or delete on credit_notes for each row execute function refuse_change();
create trigger credit_notes_no_truncate before truncate on credit_notes for each statement execute function refuse_change();
create trigger credit_note_lines_immutable before update or delete on credit_note_lines for each row execute function refuse_change();
create trigger credit_note_lines_no_truncate before truncate on credit_note_lines for each statement execute function refuse_change();
create trigger payouts_immutable before update or delete on payouts for each row execute function refuse_change();
create trigger payouts_no_truncate before truncate on payouts for each statement execute function refuse_change();
create trigger token_returns_immutable before update or delete on token_returns for each row execute function refuse_change();
create trigger token_returns_no_truncate before truncate on token_returns for each statement execute function refuse_change();
create trigger refunds_no_delete before delete on refunds for each row execute function refuse_change();
create trigger refund_lines_no_delete before delete on refund_lines for each row execute function refuse_change();

alter table ledger_entries drop constraint ledger_entries_kind_check;
alter table ledger_entries add constraint ledger_entries_kind_check
    check (kind in ('invoice_issued', 'invoice_voided', 'payment_received', 'credit_note_issued', 'card_refunded', 'refund_paid_out', 'refund_kept'));
alter table ledger_postings drop constraint ledger_postings_account_check;
alter table ledger_postings add constraint ledger_postings_account_check
    check (account in ('bank', 'card_clearing', 'receivable', 'deferred_revenue', 'unapplied_cash', 'refunds_payable', 'customer_credit'));

-- +goose StatementBegin
create function keep_refund() returns trigger language plpgsql as $$
begin
    if (new.order_id, new.currency, new.requested_by, new.requested_at, new.second_person) is distinct from (old.order_id, old.currency, old.requested_by, old.requested_at, old.second_person)
       or old.credited_at is not null and (new.total_minor, new.credited_at) is distinct from (old.total_minor, old.credited_at)
       or old.card_refunded_at is not null and (new.card_refunded_at, new.card_minor, new.charge_id) is distinct from (old.card_refunded_at, old.card_minor, old.charge_id)
       or old.status in ('refunded', 'rejected', 'withdrawn', 'lapsed') then
        raise exception 'a refund keeps who asked for it, what was credited and how it ended' using errcode = 'check_violation', constraint = 'refunds_keep';
    end if;
    return new;
end $$;

create function keep_refund_line() returns trigger language plpgsql as $$
begin
    if (new.refund_id, new.order_line_id, new.position, new.amount_minor) is distinct from (old.refund_id, old.order_line_id, old.position, old.amount_minor)
       or old.undone_at is not null or old.dropped_at is not null then
        raise exception 'what a refund has undone or dropped stays so' using errcode = 'check_violation', constraint = 'refund_lines_keep';
    end if;
    return new;
end $$;

-- A line of a refund is a line of its order, at the price that was paid.
create function check_refund_line() returns trigger language plpgsql as $$
begin
    if not exists (select from order_lines l join refunds r on r.order_id = l.order_id
                   where l.id = new.order_line_id and r.id = new.refund_id and l.position = new.position and l.price_minor = new.amount_minor) then
        raise exception 'a refund gives back the price of its own order''s lines' using errcode = 'check_violation', constraint = 'refund_lines_of_order';
    end if;
    return new;
end $$;

-- A credited line was undone: no key of it works, and its credential is revoked.
create function check_credited_line() returns trigger language plpgsql as $$
begin
    if not exists (select from refund_lines f join credit_notes c on c.refund_id = f.refund_id
                   where f.order_line_id = new.order_line_id and c.id = new.credit_note_id and f.undone_at is not null and f.amount_minor = new.amount_minor)
       or exists (select from license_keys k where k.order_line_id = new.order_line_id and k.status = 'issued')
       or exists (select from credentials c where c.order_line_id = new.order_line_id and c.phase <> 'revoked') then
        raise exception 'a line is credited when it is undone' using errcode = 'check_violation', constraint = 'credit_note_lines_undone';
    end if;
    return null;
end $$;

-- Never more than was paid, and the note is the sum of its lines.
create function check_credit_note() returns trigger language plpgsql as $$
declare
    n credit_notes;
begin
    if tg_table_name = 'credit_notes' then n := new; else select * into n from credit_notes where id = new.credit_note_id; end if;
    if n.total_minor <> (select coalesce(sum(amount_minor), 0) from credit_note_lines where credit_note_id = n.id)
       or not exists (select from invoices i where i.id = n.invoice_id and i.order_id = n.order_id and i.status = 'paid' and i.currency = n.currency
                      and i.paid_minor >= (select sum(total_minor) from credit_notes where order_id = n.order_id))
       or not exists (select from refunds r where r.id = n.refund_id and r.order_id = n.order_id and r.credited_at is not null and r.total_minor = n.total_minor) then
        raise exception 'a credit note is the sum of its lines, of a paid invoice, and of no more than was paid' using errcode = 'check_violation', constraint = 'credit_notes_bear';
    end if;
    return null;
end $$;

-- No more goes back to a card than was taken from it, and a refund that is over has paid what it owes.
create function check_refund_money() returns trigger language plpgsql as $$
declare
    r refunds;
begin
    select * into r from refunds where id = new.id;
    if r.card_minor > 0 and (select sum(card_minor) from refunds where charge_id = r.charge_id)
                            > (select case status when 'captured' then amount_minor else 0 end from charges where id = r.charge_id)
       or r.status = 'refunded' and (r.card_minor > 0 and r.card_refunded_at is null
           or r.bank_minor <> coalesce((select amount_minor from payouts where refund_id = r.id), 0))
       or r.status <> 'refunded' and exists (select from payouts where refund_id = r.id) then
        raise exception 'refund % gives back what it owes, no more and no less', r.id using errcode = 'check_violation', constraint = 'refunds_money';
    end if;
    return null;
end $$;

-- What a refund has undone gets no new key (LIC-1).
create function check_key_of_undone_line() returns trigger language plpgsql as $$
begin
    if exists (select from refund_lines where order_line_id = new.order_line_id and dropped_at is null and undone_at is not null) then
        raise exception 'no license key for a line that is refunded' using errcode = 'check_violation', constraint = 'license_keys_not_refunded';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger refunds_keep before update on refunds for each row execute function keep_refund();
create trigger refund_lines_keep before update on refund_lines for each row execute function keep_refund_line();
create trigger refund_lines_of_order before insert on refund_lines for each row execute function check_refund_line();
create constraint trigger credit_note_lines_undone after insert on credit_note_lines deferrable initially deferred for each row execute function check_credited_line();
create constraint trigger credit_notes_bear after insert on credit_notes deferrable initially deferred for each row execute function check_credit_note();
create constraint trigger credit_note_lines_bear after insert on credit_note_lines deferrable initially deferred for each row execute function check_credit_note();
create constraint trigger refunds_money after insert or update on refunds deferrable initially deferred for each row execute function check_refund_money();
create trigger license_keys_not_refunded before insert on license_keys for each row execute function check_key_of_undone_line();
