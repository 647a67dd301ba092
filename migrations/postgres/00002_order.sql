-- +goose Up
-- Those that are kept in order: one row for each FIFO queue, and for each entity that latest-wins looks at. Whoever
-- touches an ordered invocation locks its key first.
CREATE TABLE ordering_keys (
    id                 text PRIMARY KEY,
    subscription_id    uuid   NOT NULL REFERENCES subscriptions (id),
    -- FIFO: the last position given out, and the one invocation that may be sent; NULL = nothing waits
    last_position      bigint NOT NULL,
    head               uuid,
    -- latest-wins: the newest that was delivered
    delivered_sequence bigint,
    delivered_by       uuid
);
CREATE INDEX ordering_keys_by_subscription ON ordering_keys (subscription_id);
CREATE INDEX ordering_keys_with_head ON ordering_keys (head) WHERE head IS NOT NULL;

ALTER TABLE invocations ADD COLUMN ordering_key text;
ALTER TABLE invocations ADD COLUMN sequence bigint;
CREATE INDEX invocations_queued ON invocations (ordering_key, position) WHERE status = 'queued';
CREATE INDEX invocations_ordered_open ON invocations (ordering_key, sequence)
    WHERE ordering_key IS NOT NULL AND status IN ('pending', 'retrying');
CREATE INDEX invocations_ordered_in_flight ON invocations (ordering_key)
    WHERE ordering_key IS NOT NULL AND claim_token IS NOT NULL;

ALTER TABLE commands ADD COLUMN forced boolean NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE commands DROP COLUMN forced;
DROP INDEX invocations_ordered_in_flight;
DROP INDEX invocations_ordered_open;
DROP INDEX invocations_queued;
ALTER TABLE invocations DROP COLUMN sequence;
ALTER TABLE invocations DROP COLUMN ordering_key;
DROP TABLE ordering_keys;
