-- +goose Up
-- A replayed answer is the first answer to the byte: json keeps its text, jsonb would rewrite it.
alter table idempotency_keys alter column response_body type json using response_body::json;
