-- +goose Up
-- What the retention walks through, from the oldest on.
CREATE INDEX events_by_age ON events (created_at, id);
CREATE INDEX invocations_of_tests ON invocations (created_at, id) WHERE event_id IS NULL;
CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX subscriptions_deleted ON subscriptions (deleted_at) WHERE deleted_at IS NOT NULL;
-- what goes with an invocation, and whether a key still has one. Led by the subscription: by the key alone, SQLite would
-- take it for the look-ups of a queue's head and of its attempts in flight, and read the whole history of the queue.
CREATE INDEX commands_by_invocation ON commands (invocation_id);
CREATE INDEX invocations_ordered ON invocations (subscription_id, ordering_key) WHERE ordering_key IS NOT NULL;

-- +goose Down
DROP INDEX invocations_ordered;
DROP INDEX commands_by_invocation;
DROP INDEX subscriptions_deleted;
DROP INDEX jobs_by_end;
DROP INDEX invocations_of_tests;
DROP INDEX events_by_age;
