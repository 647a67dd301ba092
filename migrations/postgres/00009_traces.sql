-- +goose Up
-- The trace context that an event came with, or that publishing it was recorded under, as in the header traceparent.
ALTER TABLE events ADD COLUMN traceparent text;

-- +goose Down
ALTER TABLE events DROP COLUMN traceparent;
