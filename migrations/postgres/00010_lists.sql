-- +goose Up
-- What lists and counts look for that is rare beside what was delivered: found without reading the history. Most
-- invocations are in the first two until they are delivered, and never again.
CREATE INDEX invocations_by_status ON invocations (application_id, status, id) WHERE status <> 'succeeded';
CREATE INDEX invocations_undelivered ON invocations (subscription_id, status, created_at) WHERE status <> 'succeeded';
CREATE INDEX invocations_by_type ON invocations (application_id, event_type, id);
CREATE INDEX events_by_type ON events (application_id, type, seq);
-- what an erasure and the retention look for in an application, deleted or not
CREATE INDEX subscriptions_of_application ON subscriptions (application_id, id);
CREATE INDEX jobs_by_application ON jobs (application_id, id);
-- what the reconciler looks over: not what waits for the dispatcher, or in a line, of which there may be very much
DROP INDEX invocations_due;
CREATE INDEX invocations_due ON invocations (next_attempt_at)
    WHERE next_attempt_at IS NOT NULL AND dispatch_after IS NULL AND NOT parked;

-- +goose Down
DROP INDEX invocations_due;
CREATE INDEX invocations_due ON invocations (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
DROP INDEX jobs_by_application;
DROP INDEX subscriptions_of_application;
DROP INDEX events_by_type;
DROP INDEX invocations_by_type;
DROP INDEX invocations_undelivered;
DROP INDEX invocations_by_status;
