-- +goose Up
-- What was asked to be erased, and what came of it. It refers to nothing, so that it outlives what it is about.
CREATE TABLE erasures (
    id             text PRIMARY KEY,
    application_id text    NOT NULL,
    -- NULL = the whole application; of an entity its id until the erasure has ended, its digest beyond that
    entity_id      text,
    entity_digest  text,
    reason         text    NOT NULL,
    -- what was removed so far
    events         integer NOT NULL DEFAULT 0,
    invocations    integer NOT NULL DEFAULT 0,
    attempts       integer NOT NULL DEFAULT 0,
    jobs           integer NOT NULL DEFAULT 0,
    subscriptions  integer NOT NULL DEFAULT 0,
    api_keys       integer NOT NULL DEFAULT 0,
    -- when the dispatcher starts its workflow, unless the workflow has put it off; NULL = it has ended
    dispatch_after integer,
    started_at     integer,
    finished_at    integer,
    created_at     integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX erasures_to_dispatch ON erasures (dispatch_after) WHERE dispatch_after IS NOT NULL;
CREATE INDEX erasures_by_application ON erasures (application_id, id);

-- +goose Down
DROP TABLE erasures;
