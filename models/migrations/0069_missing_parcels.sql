-- +goose Up
-- Since when a parcel under way is so late that a person has to decide about it (SHP-2).
alter table shipments add column missing_since timestamptz;
