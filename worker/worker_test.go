package worker

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/client"
	"tokendesk/activities"
	"tokendesk/models"
)

// A worker with an unbound step must not start: the step would fail its workflow for good.
func TestWorkerRefusesUnboundSteps(t *testing.T) {
	engine, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	_, err = New(engine, DevelopmentBuild, &activities.Orders{}, &activities.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "shipment.") || strings.Contains(err.Error(), "order.") {
		t.Fatalf("got %v", err)
	}
	if _, err := New(engine, DevelopmentBuild, &activities.Orders{}, &activities.Credentials{}, &activities.Shipping{}, &activities.Refunds{}, &activities.Proofing{}); err != nil {
		t.Fatalf("a complete worker was refused: %v", err)
	}
}

// A lifecycle's start is carried before its signals, though rows are claimed in any order.
func TestOutboxKeepsTheOrderOfAWorkflow(t *testing.T) {
	rows := []models.OutboxRow{{ID: 9, WorkflowID: "order/b"}, {ID: 3, WorkflowID: "order/a", Name: "signal"}, {ID: 1, WorkflowID: "order/a", Name: "start"}}
	groups := byWorkflow(rows)
	if len(groups) != 2 || groups[0][0].Name != "start" || groups[0][1].Name != "signal" || groups[1][0].ID != 9 {
		t.Fatalf("%+v", groups)
	}
}
