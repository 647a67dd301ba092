-- +goose Up
-- Who changed what, when and from where: written with the change, and never changed. It refers to nothing, so that it
-- outlives what it is about.
CREATE TABLE audit_entries (
    id             uuid PRIMARY KEY,
    actor          text   NOT NULL,
    role           text   NOT NULL,
    application_id uuid,
    action         text   NOT NULL,
    subject_type   text   NOT NULL,
    subject_id     text   NOT NULL,
    -- '' = the command line
    remote_address text   NOT NULL,
    request_id     text   NOT NULL,
    -- JSON, without secrets
    detail         bytea,
    created_at     bigint NOT NULL
);
CREATE INDEX audit_entries_by_application ON audit_entries (application_id, id);
CREATE INDEX audit_entries_by_time ON audit_entries (created_at);

-- +goose Down
DROP TABLE audit_entries;
