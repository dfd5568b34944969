-- +goose Up
-- What a renewal has moved, so that it can be taken back to the day (ORD-5, REN-1).
create table renewals (
    order_line_id text primary key,
    credential_id text not null references credentials,
    expired_from  timestamptz not null,
    expired_to    timestamptz not null check (expired_to > expired_from)
);
create index renewals_credential on renewals (credential_id);
create trigger renewals_immutable before update or delete on renewals for each row execute function refuse_change();
create trigger renewals_no_truncate before truncate on renewals for each statement execute function refuse_change();

-- Money that no invoice took, transferred back (ORD-4).
create table unapplied_payouts (
    id             text primary key check (id like 'up\_%'),
    payment_id     text not null references payments,
    source_account text not null check (source_account <> ''),
    bank_reference text not null check (bank_reference <> ''),
    amount_minor   bigint not null check (amount_minor > 0),
    currency       char(3) not null,
    paid_at        timestamptz not null,
    recorded_by    text not null,
    recorded_at    timestamptz not null,
    constraint unapplied_payouts_once unique (source_account, bank_reference)
);
create index unapplied_payouts_payment on unapplied_payouts (payment_id);
create trigger unapplied_payouts_immutable before update or delete on unapplied_payouts for each row execute function refuse_change();
create trigger unapplied_payouts_no_truncate before truncate on unapplied_payouts for each statement execute function refuse_change();

alter table ledger_entries drop constraint ledger_entries_kind_check;
alter table ledger_entries add constraint ledger_entries_kind_check
    check (kind in ('invoice_issued', 'invoice_voided', 'payment_received', 'credit_note_issued', 'card_refunded', 'refund_paid_out', 'refund_kept', 'unapplied_paid_out'));
