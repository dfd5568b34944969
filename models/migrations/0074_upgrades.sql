-- +goose Up
-- The credential that a session was authenticated with (LOG-2).
alter table sessions add column credential_id text references credentials;
alter table sessions add constraint sessions_proven check (credential_id is null or strength <> 'password');

-- A line that has the holder of a credential proofed (PRF-10), or buys another attempt at it (PRF-9). Nobody is proofed by order who has not
-- acknowledged the requirements.
alter table order_lines
    add column proofing                  text check (proofing in ('upgrade', 'attempt')),
    add column proofing_country          char(2),
    add column requirements_acknowledged boolean not null default false;
alter table order_lines add constraint order_lines_proofing check (proofing is null or credential_id is not null and replacement_reason is null);
alter table order_lines add constraint order_lines_upgrade check ((proofing is not distinct from 'upgrade') = (proofing_country is not null)
    and (proofing_country is not null) = requirements_acknowledged);
drop index order_lines_one_purpose;
create unique index order_lines_one_purpose on order_lines (order_id, credential_id, (replacement_reason is null), (proofing is null)) where credential_id is not null;

create unique index proofing_cases_line on proofing_cases (order_line_id) where order_line_id is not null;

-- Which attempt of a case a line has bought.
create table proofing_attempts (
    order_line_id text primary key references order_lines,
    case_id       text not null references proofing_cases,
    attempt       int not null check (attempt > 0)
);
create index proofing_attempts_case on proofing_attempts (case_id);
create trigger proofing_attempts_append_only before update or delete on proofing_attempts for each row execute function refuse_change();
