-- +goose Up
-- what lists by time look for: without them, the newest on past all that is outside of that time
CREATE INDEX events_by_time ON events (application_id, created_at, seq);
CREATE INDEX invocations_by_time ON invocations (application_id, created_at, id);

-- +goose Down
DROP INDEX invocations_by_time;
DROP INDEX events_by_time;
