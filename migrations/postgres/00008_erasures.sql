-- +goose Up
-- What was asked to be erased, and what came of it. It refers to nothing, so that it outlives what it is about.
CREATE TABLE erasures (
    id             uuid PRIMARY KEY,
    application_id uuid    NOT NULL,
    -- NULL = the whole application; of an entity its id until the erasure has ended, its digest beyond that
    entity_id      text,
    entity_digest  text,
    reason         text    NOT NULL,
    -- what was removed so far
    events         bigint NOT NULL DEFAULT 0,
    invocations    bigint NOT NULL DEFAULT 0,
    attempts       bigint NOT NULL DEFAULT 0,
    jobs           bigint NOT NULL DEFAULT 0,
    subscriptions  bigint NOT NULL DEFAULT 0,
    api_keys       bigint NOT NULL DEFAULT 0,
    -- when the dispatcher starts its workflow, unless the workflow has put it off; NULL = it has ended
    dispatch_after bigint,
    started_at     bigint,
    finished_at    bigint,
    created_at     bigint NOT NULL
);
CREATE INDEX erasures_to_dispatch ON erasures (dispatch_after) WHERE dispatch_after IS NOT NULL;
CREATE INDEX erasures_by_application ON erasures (application_id, id);

-- +goose Down
DROP TABLE erasures;
