package sandboxclock

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.temporal.io/api/workflowservice/v1"

	"tokendesk/models"
)

// board finds who is to be moved. Faults: NoSuchThing, StateForbids, for one lifecycle.
func (j *journey) board(ctx context.Context) error {
	if j.only == "" {
		_, err := j.join(ctx)
		return err
	}
	if err := j.visit(ctx, []string{j.only}); err != nil {
		return err
	}
	switch l := j.fleet[j.only]; {
	case l == nil:
		return models.NoSuchThing.New("there is no lifecycle of this name")
	case l.ended:
		return models.StateForbids.New("the lifecycle has ended")
	}
	return nil
}

// join takes along who is running and not known yet, and returns how many they are.
func (j *journey) join(ctx context.Context) (joined int, err error) {
	j.asked = realNow()
	if j.only != "" {
		return 0, nil
	}
	running, err := j.running(ctx)
	if err != nil {
		return 0, err
	}
	recent, err := j.recent(ctx)
	if err != nil {
		return 0, err
	}
	var strangers []string
	for _, id := range slices.Concat(running, recent) {
		if j.fleet[id] == nil && !slices.Contains(strangers, id) {
			strangers = append(strangers, id)
		}
	}
	before := len(j.fleet)
	err = j.visit(ctx, strangers)
	return len(j.fleet) - before, err
}

// running lists what the engine's visibility says is running. It lags behind the engine for a moment.
func (j *journey) running(ctx context.Context) (ids []string, err error) {
	for token := []byte(nil); ; {
		r, err := j.Engine.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: j.Namespace, PageSize: 1000, NextPageToken: token, Query: "ExecutionStatus = 'Running'"})
		if err != nil {
			return nil, models.ServiceDown.Because(fmt.Errorf("list the running lifecycles: %w", err))
		}
		for _, e := range r.Executions {
			ids = append(ids, e.Execution.WorkflowId)
		}
		if token = r.NextPageToken; len(token) == 0 {
			return ids, nil
		}
	}
}

// recent lists who may have started too recently to be listed by the engine: whoever was told something within the last half
// minute, and the orders, which start without a message.
func (j *journey) recent(ctx context.Context) ([]string, error) {
	var open []models.OrderStatus
	for _, s := range models.OrderMachine.States() {
		if !models.OrderMachine.Ends(s) {
			open = append(open, s)
		}
	}
	rows, err := j.Clock.pool.Query(ctx, `
		select workflow_id from outbox where id > (select max(id) - 5000 from outbox) and leased_until > clock_timestamp() - interval '30 seconds'
		union select $1 || number from orders where status = any($2)`, models.OrderLifecycle.WorkflowID(""), open)
	if err != nil {
		return nil, fmt.Errorf("list recent lifecycles: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list recent lifecycles: %w", err)
	}
	return ids, nil
}

// visit waits until lifecycles have settled and reads what they wait for. Unknown ones come along, if they exist.
func (j *journey) visit(ctx context.Context, ids []string) error {
	var seen []*lifecycle
	for _, id := range ids {
		if l := j.fleet[id]; l == nil {
			seen = append(seen, &lifecycle{id: id})
		} else if !l.ended {
			seen = append(seen, l)
		}
	}
	err := side(ctx, seen, func(ctx context.Context, l *lifecycle) error {
		_, err := j.settle(ctx, l)
		return err
	})
	for _, l := range seen {
		if l.run == "" { // it does not exist, or not yet
			continue
		}
		if !l.joined {
			l.woken = nil // before this advance
			l.joined = !l.ended
		}
		j.fleet[l.id] = l
	}
	return err
}

// hear visits those who were told something.
func (j *journey) hear(ctx context.Context, told []string) error {
	if j.only != "" {
		told = slices.DeleteFunc(told, func(id string) bool { return id != j.only })
	}
	return j.visit(ctx, told)
}

// late is how many messages may be under way at once: one may be visible after others that were written later.
const late = 500

// messages follows the messages to lifecycles that were delivered since an advance began.
type messages struct {
	newest int64
	known  map[int64]bool
}

func (m *messages) begin(ctx context.Context, pool *pgxpool.Pool) error {
	m.known = map[int64]bool{}
	if err := pool.QueryRow(ctx, "select coalesce(max(id), 0) from outbox").Scan(&m.newest); err != nil {
		return fmt.Errorf("look for messages: %w", err)
	}
	_, err := m.since(ctx, pool)
	return err
}

// since returns to whom messages were delivered since it was last called.
func (m *messages) since(ctx context.Context, pool *pgxpool.Pool) (told []string, err error) {
	rows, err := pool.Query(ctx, "select id, workflow_id from outbox where id > $1 and dispatched_at is not null order by id", m.newest-late)
	if err != nil {
		return nil, fmt.Errorf("look for messages: %w", err)
	}
	var id int64
	var to string
	_, err = pgx.ForEachRow(rows, []any{&id, &to}, func() error {
		if !m.known[id] {
			m.known[id], m.newest = true, max(m.newest, id)
			if !slices.Contains(told, to) {
				told = append(told, to)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for messages: %w", err)
	}
	return told, nil
}
