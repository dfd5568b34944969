package app

import (
	"testing"

	"go.temporal.io/sdk/client"
	"tokendesk/activities"
	"tokendesk/worker"
)

// Every step that a lifecycle declares is bound: a worker with one less would not start.
func TestStepsAreComplete(t *testing.T) {
	engine, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if _, err := worker.New(engine, worker.DevelopmentBuild, (&App{}).steps(&activities.Refunds{})...); err != nil {
		t.Fatal(err)
	}
}
