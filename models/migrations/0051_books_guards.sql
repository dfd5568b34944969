-- +goose Up
-- What was sold stands: a line keeps its order, an invoice its sum, and money is applied once.
create trigger order_lines_immutable before update or delete on order_lines for each row execute function refuse_change();

-- +goose StatementBegin
create function keep_invoice() returns trigger language plpgsql as $$
begin
    if (new.total_minor, new.currency, new.order_id) is distinct from (old.total_minor, old.currency, old.order_id)
       or (old.status <> 'open' and new.status <> old.status) then
        raise exception 'an invoice keeps what it asks for, and how it ended' using errcode = 'check_violation', constraint = 'invoices_keep';
    end if;
    return new;
end $$;

create function check_allocation() returns trigger language plpgsql as $$
begin
    if (select sum(amount_minor) from allocations where payment_id = new.payment_id) > (select amount_minor from payments where id = new.payment_id)
       or (select sum(amount_minor) from allocations where invoice_id = new.invoice_id)
          <> (select case status when 'void' then (select sum(amount_minor) from allocations where invoice_id = new.invoice_id) else paid_minor end from invoices where id = new.invoice_id) then
        raise exception 'an allocation that its payment or its invoice does not bear' using errcode = 'check_violation', constraint = 'allocations_bear';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create trigger invoices_keep before update on invoices for each row execute function keep_invoice();
create constraint trigger allocations_bear after insert on allocations deferrable initially deferred for each row execute function check_allocation();

create trigger payments_no_truncate before truncate on payments for each statement execute function refuse_change();
create trigger allocations_no_truncate before truncate on allocations for each statement execute function refuse_change();
create trigger ledger_entries_no_truncate before truncate on ledger_entries for each statement execute function refuse_change();
create trigger ledger_postings_no_truncate before truncate on ledger_postings for each statement execute function refuse_change();
