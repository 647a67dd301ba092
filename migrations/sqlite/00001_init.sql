-- Times are Unix microseconds (integer) in both dialects: exact, comparable, without time zones or text forms.
-- Tables of small rows are WITHOUT ROWID: one tree instead of two; those with payloads or bodies keep a rowid.
-- +goose Up
CREATE TABLE applications (
    id            text PRIMARY KEY,
    name          text   NOT NULL,
    profile       text   NOT NULL,
    environment   text   NOT NULL,
    external_id   text   NOT NULL,
    overrides     blob,
    handshake_key text   NOT NULL,
    created_at    integer NOT NULL,
    updated_at    integer NOT NULL,
    deleted_at    integer
);

CREATE TABLE keys (
    id             text PRIMARY KEY,
    application_id text REFERENCES applications (id),
    role           text   NOT NULL,
    name           text   NOT NULL,
    prefix         text   NOT NULL,
    digest         blob  NOT NULL,
    created_at     integer NOT NULL,
    expires_at     integer,
    last_used_at   integer,
    revoked_at     integer
);
CREATE INDEX keys_by_application ON keys (application_id);

CREATE TABLE subscriptions (
    id                   text PRIMARY KEY,
    application_id       text    NOT NULL REFERENCES applications (id),
    name                 text,
    url                  text    NOT NULL,
    event_types          text    NOT NULL,
    version              text,
    filter               text,
    delivery             blob,
    enabled              boolean NOT NULL,
    verified             boolean NOT NULL,
    gone                 boolean NOT NULL,
    consecutive_failures integer NOT NULL,
    failing_since        integer,
    failing              boolean NOT NULL,
    public_key           text    NOT NULL,
    sealed               blob   NOT NULL,
    -- theoretical arrival time of the rate limit (GCRA), Unix microseconds; 0 = never used
    rate_tat             integer  NOT NULL DEFAULT 0,
    created_at           integer  NOT NULL,
    updated_at           integer  NOT NULL,
    deleted_at           integer
);
CREATE INDEX subscriptions_by_application ON subscriptions (application_id, id) WHERE deleted_at IS NULL;

-- One row for each name or wildcard a subscription lists: matching an event is one indexed look-up.
CREATE TABLE subscription_event_types (
    application_id  text NOT NULL,
    pattern         text NOT NULL,
    subscription_id text NOT NULL REFERENCES subscriptions (id),
    PRIMARY KEY (application_id, pattern, subscription_id)
) WITHOUT ROWID;
CREATE INDEX subscription_event_types_by_subscription ON subscription_event_types (subscription_id);

-- What the operator added to, or changed in, a profile's catalogue.
CREATE TABLE event_types (
    profile    text   NOT NULL,
    name       text   NOT NULL,
    body       text   NOT NULL,
    created_at integer NOT NULL,
    PRIMARY KEY (profile, name)
);

-- The Specs that invocations were accepted under, shared by their digest.
CREATE TABLE specs (
    digest blob PRIMARY KEY,
    body   blob NOT NULL
);

CREATE TABLE events (
    seq                integer PRIMARY KEY AUTOINCREMENT,
    id                 text   NOT NULL UNIQUE,
    application_id     text   NOT NULL REFERENCES applications (id),
    type               text   NOT NULL,
    wire               text   NOT NULL,
    payload            blob  NOT NULL,
    occurred_at        text   NOT NULL,
    entity_id          text,
    publisher_sequence integer,
    idempotency_key    text,
    digest             blob  NOT NULL,
    not_before         integer,
    cancelled_at       integer,
    created_at         integer NOT NULL
);
CREATE UNIQUE INDEX events_idempotency ON events (application_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX events_by_application ON events (application_id, seq);
CREATE INDEX events_by_entity ON events (application_id, entity_id, seq) WHERE entity_id IS NOT NULL;

CREATE TABLE invocations (
    id                 text PRIMARY KEY,
    application_id     text    NOT NULL REFERENCES applications (id),
    subscription_id    text    NOT NULL REFERENCES subscriptions (id),
    event_id           text REFERENCES events (id),
    event_type         text    NOT NULL,
    entity_id          text,
    status             text    NOT NULL,
    spec_digest        blob   NOT NULL REFERENCES specs (digest),
    attempts           integer NOT NULL,
    policy_attempts    integer NOT NULL,
    url                text    NOT NULL,
    first_attempt_at   integer,
    last_attempt_at    integer,
    next_attempt_at    integer,
    delivered_at       integer,
    last_status_code   integer,
    last_error_code    text,
    last_error_message text,
    abandoned_by       text,
    reason             text,
    position           integer,
    workflow_id        text    NOT NULL,
    dispatch_after     integer,
    parked             boolean NOT NULL,
    overdue            integer NOT NULL,
    claim_token        text,
    claim_owner        text,
    claim_redelivery   text,
    claimed_at         integer,
    created_at         integer  NOT NULL,
    updated_at         integer  NOT NULL
) WITHOUT ROWID;
CREATE INDEX invocations_by_event ON invocations (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX invocations_by_application ON invocations (application_id, id);
CREATE INDEX invocations_by_subscription ON invocations (subscription_id, id);
-- what the dispatcher takes up
CREATE INDEX invocations_to_dispatch ON invocations (dispatch_after, id) WHERE dispatch_after IS NOT NULL;
-- what the reconciler looks over
CREATE INDEX invocations_due ON invocations (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX invocations_parked ON invocations (subscription_id) WHERE parked;
CREATE INDEX invocations_in_flight ON invocations (subscription_id) WHERE claim_token IS NOT NULL;

CREATE TABLE attempts (
    id                 text PRIMARY KEY,
    invocation_id      text    NOT NULL REFERENCES invocations (id),
    subscription_id    text    NOT NULL,
    number             integer NOT NULL,
    trigger            text    NOT NULL,
    redelivery_id      text,
    started_at         integer  NOT NULL,
    finished_at        integer  NOT NULL,
    url                text    NOT NULL,
    outcome            text    NOT NULL,
    status_code        integer,
    error_code         text,
    error_message      text,
    request_headers    text    NOT NULL,
    retry_count        integer NOT NULL,
    response_headers   text    NOT NULL,
    response_body      blob,
    response_truncated boolean NOT NULL
);
CREATE UNIQUE INDEX attempts_by_invocation ON attempts (invocation_id, number);

CREATE TABLE commands (
    id             text PRIMARY KEY,
    invocation_id  text   NOT NULL REFERENCES invocations (id),
    kind           text   NOT NULL,
    workflow_id    text   NOT NULL,
    dispatch_after integer,
    settled_at     integer,
    created_at     integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX commands_to_dispatch ON commands (dispatch_after, id) WHERE dispatch_after IS NOT NULL;
CREATE INDEX commands_open ON commands (created_at) WHERE settled_at IS NULL;

-- The worker processes: a claim lives while its owner renews its row.
CREATE TABLE workers (
    id         text PRIMARY KEY,
    started_at integer NOT NULL,
    renewed_at integer NOT NULL
) WITHOUT ROWID;

CREATE TABLE settings (
    name  text PRIMARY KEY,
    value text NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE settings;
DROP TABLE workers;
DROP TABLE commands;
DROP TABLE attempts;
DROP TABLE invocations;
DROP TABLE events;
DROP TABLE specs;
DROP TABLE event_types;
DROP TABLE subscription_event_types;
DROP TABLE subscriptions;
DROP TABLE keys;
DROP TABLE applications;
