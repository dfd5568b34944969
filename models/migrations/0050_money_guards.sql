-- +goose Up
-- What was checked when a row came in stays true: a key keeps its line, and an invoice is paid by allocations and by nothing else.

-- +goose StatementBegin
create function keep_key_line() returns trigger language plpgsql as $$
begin
    if new.order_line_id <> old.order_line_id or new.hash <> old.hash then
        raise exception 'a license key keeps its line' using errcode = 'check_violation', constraint = 'license_keys_keep_line';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger license_keys_keep_line before update on license_keys for each row execute function keep_key_line();

-- +goose StatementBegin
create function check_invoice_paid() returns trigger language plpgsql as $$
begin
    if new.status <> 'void' and new.paid_minor <> (select coalesce(sum(amount_minor), 0) from allocations where invoice_id = new.id) then
        raise exception 'invoice % is not paid by its allocations', new.id using errcode = 'check_violation', constraint = 'invoices_paid_by_allocations';
    end if;
    return null;
end $$;
-- +goose StatementEnd
create constraint trigger invoices_paid_by_allocations after insert or update on invoices deferrable initially deferred for each row execute function check_invoice_paid();
