-- +goose Up
-- The line of what a subscription at a limit takes later: slot is when an invocation's turn comes. It is in line while
-- the dispatcher is to bring it back just then.
ALTER TABLE invocations ADD COLUMN slot bigint;
CREATE INDEX invocations_in_line ON invocations (subscription_id, slot) WHERE dispatch_after = slot;

-- how often the reconciler has brought it up
ALTER TABLE commands ADD COLUMN overdue integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE commands DROP COLUMN overdue;
DROP INDEX invocations_in_line;
ALTER TABLE invocations DROP COLUMN slot;
