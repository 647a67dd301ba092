-- +goose Up
-- A bulk redelivery. What it sends are rows of commands with its id; progress is counted over them.
CREATE TABLE jobs (
    id             text PRIMARY KEY,
    application_id text    NOT NULL REFERENCES applications (id),
    state          text    NOT NULL,
    -- what it redelivers, as JSON: the ids as asked for, or a filter
    ids            text,
    filter         text,
    rate           integer NOT NULL,
    dry_run        boolean NOT NULL,
    matched        integer NOT NULL,
    -- a filter's invocations are taken up in the order of their ids: as far as reached; behind through they came too late
    reached        text,
    through        text,
    -- up to when the rate has been used
    paced_at       integer,
    dispatch_after integer,
    started_at     integer,
    finished_at    integer,
    created_at     integer NOT NULL,
    updated_at     integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_to_dispatch ON jobs (dispatch_after) WHERE dispatch_after IS NOT NULL;
-- what the reconciler looks over
CREATE INDEX jobs_open ON jobs (updated_at) WHERE finished_at IS NULL;

ALTER TABLE commands ADD COLUMN job_id text REFERENCES jobs (id);
ALTER TABLE commands ADD COLUMN outcome text;
CREATE UNIQUE INDEX commands_by_job ON commands (job_id, invocation_id) WHERE job_id IS NOT NULL;
CREATE INDEX commands_by_outcome ON commands (job_id, outcome) WHERE job_id IS NOT NULL;
CREATE INDEX commands_open_of_job ON commands (job_id, id) WHERE job_id IS NOT NULL AND settled_at IS NULL;

-- +goose Down
-- No dispatcher of the older version may take the commands of a job for its own.
DELETE FROM commands WHERE job_id IS NOT NULL;
DROP INDEX commands_open_of_job;
DROP INDEX commands_by_outcome;
DROP INDEX commands_by_job;
ALTER TABLE commands DROP COLUMN outcome;
ALTER TABLE commands DROP COLUMN job_id;
DROP TABLE jobs;
