#!/bin/sh
# Brings the engine's two databases to the schema of this version, which the tool carries with it. Running it again
# changes nothing.
set -eu
for database in temporal:temporal temporal_visibility:visibility; do
	temporal-sql-tool --database "${database%%:*}" setup-schema --version 0.0
	temporal-sql-tool --database "${database%%:*}" update-schema --schema-name "postgresql/v12/${database##*:}"
done
