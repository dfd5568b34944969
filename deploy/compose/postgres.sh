#!/bin/sh
# Runs once, in an empty cluster: a role and a database for Tokendesk, and a role and two for the engine.
set -eu
psql -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres \
	-v tokendesk_password="$TOKENDESK_DB_PASSWORD" -v temporal_password="$TEMPORAL_DB_PASSWORD" <<-'SQL'
	CREATE ROLE tokendesk LOGIN PASSWORD :'tokendesk_password';
	CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
	CREATE DATABASE tokendesk OWNER tokendesk;
	CREATE DATABASE temporal OWNER temporal;
	CREATE DATABASE temporal_visibility OWNER temporal;
	REVOKE CONNECT ON DATABASE tokendesk, temporal, temporal_visibility FROM PUBLIC;
SQL
