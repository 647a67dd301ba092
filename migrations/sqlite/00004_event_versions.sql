-- +goose Up
-- The payloads of events that were published with one for each version; their events.payload is empty.
CREATE TABLE event_versions (
    event_id text NOT NULL REFERENCES events (id),
    version  text NOT NULL,
    payload  blob NOT NULL,
    PRIMARY KEY (event_id, version)
);

-- the version that its subscription had pinned when the invocation was made
ALTER TABLE invocations ADD COLUMN version text;
UPDATE invocations SET version = (SELECT version FROM subscriptions s WHERE s.id = subscription_id)
    WHERE subscription_id IN (SELECT id FROM subscriptions WHERE version IS NOT NULL);

-- the application's external id when the event was accepted: a later one changes neither retries nor logs
ALTER TABLE events ADD COLUMN tenant text NOT NULL DEFAULT '';
UPDATE events SET tenant = (SELECT external_id FROM applications a WHERE a.id = application_id);

-- +goose Down
ALTER TABLE events DROP COLUMN tenant;
UPDATE events SET payload = (SELECT v.payload FROM event_versions v WHERE v.event_id = events.id ORDER BY v.version DESC LIMIT 1)
    WHERE id IN (SELECT event_id FROM event_versions);
ALTER TABLE invocations DROP COLUMN version;
DROP TABLE event_versions;
