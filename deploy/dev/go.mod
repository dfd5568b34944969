module tokendesk/deploy/dev

go 1.26.8

replace tokendesk => ../..

require (
	github.com/fergusstrange/embedded-postgres v1.34.0 // indirect
	github.com/lib/pq v1.12.3 // indirect
	github.com/temporalio/ui-server/v2 v2.55.0 // indirect
	github.com/xi2/xz v0.0.0-20171230120015-48954b6210f8 // indirect
	go.temporal.io/api v1.63.5 // indirect
	go.temporal.io/sdk v1.50.0 // indirect
	go.temporal.io/server v1.32.1 // indirect
)
