#!/bin/sh
# Creates Temporal's two Postgres databases and brings them to the schema of the tool's version; a second run changes
# nothing. temporal-sql-tool (image temporalio/admin-tools) reads SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD itself.
set -eu
export SQL_PLUGIN=postgres12

# set_up DATABASE SCHEMA
set_up() {
  export SQL_DATABASE="$1"
  temporal-sql-tool create-database
  temporal-sql-tool setup-schema --version 0.0
  temporal-sql-tool update-schema --schema-name "postgresql/v12/$2"
}

set_up temporal temporal
set_up temporal_visibility visibility
