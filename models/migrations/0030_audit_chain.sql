-- +goose Up

-- Every index of the audit trail is paid for by every login, so there are two: one in the order in which rows are sealed, and one
-- for what happened to a credential (SEC-3). Ids come from a sequence of their own, which every partition can be given; the
-- chain vouches for them, so nothing needs them to be a key.
alter table audit_events drop constraint audit_events_pkey;
drop index audit_events_credential;
drop index audit_events_xid;
create index audit_events_sealing on audit_events (xid, id);
create index audit_events_credential on audit_events (credential_id collate "C");

alter table audit_events alter column id drop identity;
create sequence audit_event_ids owned by audit_events.id;
select setval('audit_event_ids', (select coalesce(max(id), 0) + 1 from audit_events), false);
alter table audit_events alter column id set default nextval('audit_event_ids');

-- Triggers for rows reach partitions by themselves, triggers for TRUNCATE do not.
create trigger audit_no_truncate before truncate on audit_events for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_authentication for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_lifecycle for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_administration for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_authentication_rest for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_lifecycle_rest for each statement execute function refuse_change();
create trigger audit_no_truncate before truncate on audit_administration_rest for each statement execute function refuse_change();

-- An epoch is a run of transaction numbers. A restore into another cluster starts them anew, and then an epoch begins: its rows are
-- those with ids above after_id, where the rows of the epoch before it end.
alter table audit_seals add column after_id bigint not null default 0 check (after_id >= 0);
alter table audit_seals add column through_id bigint not null default 0 check (through_id >= after_id); -- the largest id sealed so far in the epoch
alter table audit_seals alter column after_id drop default, alter column through_id drop default;
alter table audit_seals add check (epoch > 0), add check (batch > 0), add check (row_count >= 0), add check (lo < hi);
