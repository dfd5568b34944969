-- +goose Up
-- What became of a mail (LIF-3): a code, never a mail server's words, which may hold an address.
alter table notices
    drop constraint notices_status_check,
    add column code          text not null default '' check (code ~ '^([245]\.[0-9]{1,3}\.[0-9]{1,3}|[45][0-9]{2})?$'),
    add column delivered_at  timestamptz,
    add column bounced_at    timestamptz,
    add column complained_at timestamptz,
    add constraint notices_status_check check (status in ('pending', 'sent', 'failed', 'bounced')),
    add constraint notices_bounced check ((status = 'bounced') = (bounced_at is not null)),
    add constraint notices_secret_ends check (status = 'pending' or sealed is null);

-- What the mail provider reported, as it came; a Message-ID that no notice has is kept and changes nothing.
create table mail_events (
    id          text primary key check (id <> ''),
    message_id  text not null check (message_id <> ''),
    kind        text not null check (kind in ('delivered', 'bounced', 'complained')),
    code        text not null check (code ~ '^([245]\.[0-9]{1,3}\.[0-9]{1,3}|[45][0-9]{2})?$'),
    occurred_at timestamptz not null,
    received_at timestamptz not null
);
create index mail_events_message on mail_events (message_id);
create trigger mail_events_append_only before update or delete on mail_events for each row execute function refuse_change();
