-- +goose Up
-- How far the vendor's now is ahead of real time: one row, which only a sandbox ever writes. Time never goes back.
create table sandbox_clock (
    single   boolean primary key default true check (single),
    ahead_us bigint not null check (ahead_us >= 0) -- microseconds
);

-- +goose StatementBegin
create function refuse_going_back() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.ahead_us < old.ahead_us then
        raise exception 'the sandbox clock never goes back' using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger sandbox_clock_never_back before update or delete on sandbox_clock for each row execute function refuse_going_back();

-- What keeps two workers off the same message is a lease in real time, by the database's own clock: next_at is on the vendor's
-- clock, which a sandbox may move by months while a mail is under way.
alter table outbox add column leased_until timestamptz;
alter table notices add column leased_until timestamptz;
