-- +goose Up
-- A mail that was not sent, because what it says was true no more.
alter table notices
    drop constraint notices_status_check,
    add constraint notices_status_check check (status in ('pending', 'sent', 'failed', 'bounced', 'withdrawn'));
