-- +goose Up
-- Money that no invoice took goes back with a second person above the limit, or pays another invoice; so does a buyer's credit (ORD-4, SEC-1).

-- The invoice that a payment was notified for, whether it took it or not: whose money it is. As the notice had it, so no foreign key.
alter table payments add column invoice_number text;
alter table payments drop constraint payments_source_check;
alter table payments add constraint payments_source_check check (source in ('bank_transfer', 'card', 'bank_statement', 'customer_credit'));
create index payments_credit on payments (source_account) where source = 'customer_credit';

-- A second person's consent to one payout, before it is made.
create table payout_approvals (
    id           text primary key check (id like 'ua\_%'),
    payment_id   text not null references payments,
    amount_minor bigint not null check (amount_minor > 0),
    currency     char(3) not null,
    reason       text not null check (reason <> ''),
    approved_by  text not null,
    approved_at  timestamptz not null
);
create index payout_approvals_payment on payout_approvals (payment_id);
create trigger payout_approvals_immutable before update or delete on payout_approvals for each row execute function refuse_change();
create trigger payout_approvals_no_truncate before truncate on payout_approvals for each statement execute function refuse_change();

alter table unapplied_payouts
    add column reason      text not null default '',
    add column approval_id text references payout_approvals,
    add constraint unapplied_payouts_approved_once unique (approval_id);

alter table refunds
    add column used_minor bigint not null default 0,
    add constraint refunds_used check (used_minor between 0 and bank_minor and (used_minor = 0 or status in ('credited', 'refunded')));

alter table ledger_entries drop constraint ledger_entries_kind_check;
alter table ledger_entries add constraint ledger_entries_kind_check
    check (kind in ('invoice_issued', 'invoice_voided', 'payment_received', 'credit_note_issued', 'card_refunded', 'refund_paid_out', 'refund_kept', 'unapplied_paid_out', 'cash_applied', 'credit_applied'));

-- +goose StatementBegin
create function check_payout_approval() returns trigger language plpgsql as $$
begin
    if new.approval_id is not null and not exists (select from payout_approvals a where a.id = new.approval_id and a.payment_id = new.payment_id
            and a.currency = new.currency and a.amount_minor >= new.amount_minor and a.approved_by <> new.recorded_by) then
        raise exception 'a payout is approved by somebody else, up to an amount' using errcode = 'check_violation', constraint = 'unapplied_payouts_second_person';
    end if;
    return new;
end $$;

-- What invoices took of a payment and what was paid out of it is no more than came in.
create function check_payment_spent() returns trigger language plpgsql as $$
begin
    if (select amount_minor from payments where id = new.payment_id)
       < (select coalesce(sum(a.amount_minor), 0) from allocations a join invoices i on i.id = a.invoice_id where a.payment_id = new.payment_id and i.status <> 'void')
         + (select coalesce(sum(amount_minor), 0) from unapplied_payouts where payment_id = new.payment_id) then
        raise exception 'payment % is spent', new.payment_id using errcode = 'check_violation', constraint = 'payments_spent_once';
    end if;
    return null;
end $$;

-- As before for the invoice; that the payment bears it, too, says check_payment_spent: what a void invoice had taken is free again.
create or replace function check_allocation() returns trigger language plpgsql as $$
begin
    if (select sum(amount_minor) from allocations where invoice_id = new.invoice_id)
          <> (select case status when 'void' then (select sum(amount_minor) from allocations where invoice_id = new.invoice_id) else paid_minor end from invoices where id = new.invoice_id) then
        raise exception 'an allocation that its invoice does not bear' using errcode = 'check_violation', constraint = 'allocations_bear';
    end if;
    return null;
end $$;

-- What was used of a credit stands as payments that name its refund.
create function check_credit_used() returns trigger language plpgsql as $$
declare
    refund text;
begin
    refund := case tg_table_name when 'payments' then to_jsonb(new) ->> 'source_account' else to_jsonb(new) ->> 'id' end;
    if (select used_minor from refunds where id = refund)
       is distinct from (select coalesce(sum(amount_minor), 0) from payments where source = 'customer_credit' and source_account = refund) then
        raise exception 'the credit of refund % is not what its payments have used', refund using errcode = 'check_violation', constraint = 'refunds_credit_used';
    end if;
    return null;
end $$;

-- As before, but what was used of a credit is not paid out.
create or replace function check_refund_money() returns trigger language plpgsql as $$
declare
    r refunds;
begin
    select * into r from refunds where id = new.id;
    if r.card_minor > 0 and (select sum(card_minor) from refunds where charge_id = r.charge_id)
                            > (select case status when 'captured' then amount_minor else 0 end from charges where id = r.charge_id)
       or r.status = 'refunded' and (r.card_minor > 0 and r.card_refunded_at is null
           or r.bank_minor - r.used_minor <> coalesce((select amount_minor from payouts where refund_id = r.id), 0))
       or r.status <> 'refunded' and exists (select from payouts where refund_id = r.id) then
        raise exception 'refund % gives back what it owes, no more and no less', r.id using errcode = 'check_violation', constraint = 'refunds_money';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create trigger unapplied_payouts_second_person before insert on unapplied_payouts for each row execute function check_payout_approval();
create constraint trigger unapplied_payouts_spent after insert on unapplied_payouts deferrable initially deferred for each row execute function check_payment_spent();
create constraint trigger allocations_spent after insert on allocations deferrable initially deferred for each row execute function check_payment_spent();
create constraint trigger payments_credit_used after insert on payments deferrable initially deferred for each row when (new.source = 'customer_credit') execute function check_credit_used();
create constraint trigger refunds_credit_used after update of used_minor on refunds deferrable initially deferred for each row execute function check_credit_used();
