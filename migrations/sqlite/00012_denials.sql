-- +goose Up
-- What somebody asked for, and had no right to: there is no change that the entry is stored with.
ALTER TABLE audit_entries ADD COLUMN denied boolean NOT NULL DEFAULT FALSE;
CREATE INDEX audit_entries_denied ON audit_entries (id) WHERE denied;

-- +goose Down
DROP INDEX audit_entries_denied;
DELETE FROM audit_entries WHERE denied; -- or they would read as done
ALTER TABLE audit_entries DROP COLUMN denied;
