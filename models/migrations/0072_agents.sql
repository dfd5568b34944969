-- +goose Up

-- A session of an agent ends when it is not used, as a person's does.
alter table agent_sessions add column seen_at timestamptz not null default now();
alter table agent_sessions alter column seen_at drop default;
create unique index agent_sessions_live on agent_sessions (agent_id) where ended_at is null;

-- Which lists a record was made by (PRF-7).
alter table proofing_records add column checklist_version int not null default 1 check (checklist_version > 0);
alter table proofing_records alter column checklist_version drop default;
alter table proofing_records add column documents_version int not null default 1 check (documents_version > 0);
alter table proofing_records alter column documents_version drop default;

-- What an agent recorded is evidence: the review is added once, by another agent, and nothing else changes (PRF-8).
-- Only the ciphertexts may be renewed, when keys rotate.
-- +goose StatementBegin
create function keep_proofing_record() returns trigger language plpgsql as $$
begin
    if old.reviewed_at is not null and (new.reviewer_id, new.reviewed_at, new.confirmed, new.review_reason) is distinct from (old.reviewer_id, old.reviewed_at, old.confirmed, old.review_reason)
        or to_jsonb(new) - '{reviewer_id,reviewed_at,confirmed,review_reason,sealed_number,sealed_name}'::text[]
            is distinct from to_jsonb(old) - '{reviewer_id,reviewed_at,confirmed,review_reason,sealed_number,sealed_name}'::text[] then
        raise exception 'a proofing record is evidence' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
-- +goose StatementEnd
create trigger proofing_records_evidence before update on proofing_records for each row execute function keep_proofing_record();
create trigger proofing_records_no_delete before delete on proofing_records for each row execute function refuse_change();
