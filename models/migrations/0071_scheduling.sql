-- +goose Up
-- What takes an agent's time, or has taken it, by time: the listing of slots reads all agents' at once.
create index appointments_time on appointments (starts_at) where status not in ('released', 'cancelled', 'unstaffed');
create index appointments_held on appointments (held_until) where status = 'held';
