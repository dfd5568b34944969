-- +goose Up
-- A line that changes a credential stands once for each purpose in an order, and brings no license key (REN-1, MGT-6).
alter table order_lines add constraint order_lines_reason check (replacement_reason is null or credential_id is not null);
create unique index order_lines_one_purpose on order_lines (order_id, credential_id, (replacement_reason is null)) where credential_id is not null;

-- +goose StatementBegin
create function check_key_of_new_credential() returns trigger language plpgsql as $$
begin
    if exists (select from order_lines where id = new.order_line_id and credential_id is not null) then
        raise exception 'what changes a credential brings no license key' using errcode = 'check_violation', constraint = 'license_keys_of_new_credentials';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger license_keys_of_new_credentials before insert on license_keys for each row execute function check_key_of_new_credential();
