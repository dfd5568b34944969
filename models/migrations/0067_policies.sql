-- +goose Up
-- Who has added a version of the policy, why, and over which one. Those that come with the program have nobody.
alter table policies
    add column based_on int references policies,
    add column reason   text not null default '',
    add column added_by text not null default '',
    add column added_at timestamptz;
