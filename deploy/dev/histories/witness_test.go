package histories

import (
	"slices"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// lifecycle is how the worker's connections to the database are called.
const lifecycle = "lifecycle"

// places say where the state of each machine stands.
var places = map[string]struct{ table, column string }{
	"order":           {"orders", "status"},
	"invoice":         {"invoices", "status"},
	"charge":          {"charges", "status"},
	"refund":          {"refunds", "status"},
	"license_key":     {"license_keys", "status"},
	"token":           {"tokens", "status"},
	"shipment":        {"shipments", "status"},
	"credential":      {"credentials", "phase"},
	"authenticator":   {"authenticators", "status"},
	"proofing":        {"proofing_cases", "status"},
	"appointment":     {"appointments", "status"},
	"activation code": {"activation_codes", "status"},
}

// watch has the database write down every change of a state, and which lifecycles the same transaction tells of it.
func (g *ground) watch() {
	g.Helper()
	g.exec(`
		create table watched (xid xid8 not null default pg_current_xact_id(), program text not null default current_setting('application_name'),
			machine text not null, was text not null, became text not null);
		create table told (xid xid8 not null default pg_current_xact_id(), workflow_id text not null);
		create function watch() returns trigger language plpgsql as $$
		begin
			insert into watched (machine, was, became) values (tg_argv[0], to_jsonb(old)->>tg_argv[1], to_jsonb(new)->>tg_argv[1]);
			return null;
		end $$;
		create function tell() returns trigger language plpgsql as $$
		begin
			insert into told (workflow_id) values (new.workflow_id);
			return null;
		end $$;
		create trigger tell after insert on outbox for each row when (new.kind = 'signal') execute function tell();`)
	for machine, at := range places {
		g.exec("create trigger watch after update on " + at.table + " for each row when (old." + at.column + " is distinct from new." + at.column +
			moved(at.table) + ") execute function watch('" + machine + "', '" + at.column + "')")
	}
}

// moved is what changes in a table, though the state stays: an appointment is moved to another slot or agent.
func moved(table string) string {
	if table == "appointments" {
		return " or old.sequence is distinct from new.sequence"
	}
	return ""
}

func (g *ground) exec(statements string) {
	g.Helper()
	_, err := g.st.Pool().Exec(g.Context(), statements)
	storetest.Must(g, err)
}

// forget leaves out what was before the lifecycle.
func (g *ground) forget() {
	g.Helper()
	g.exec("delete from watched")
}

// took lists the edges that a lifecycle has taken by its steps or was told of, each once.
func (g *ground) took(workflowID string) (edges []string) {
	g.Helper()
	rows, err := g.st.Pool().Query(g.Context(), `
		select distinct w.machine, w.was, w.became, case when exists (select from audit_events a where a.xid = w.xid and a.actor like 'lifecycle:%') then 'workflow'
			when exists (select from audit_events a where a.xid = w.xid and a.actor like 'ac\_%') then 'person' else 'world' end
		from watched w where w.program = $1 or exists (select from told t where t.xid = w.xid and t.workflow_id = $2)`, lifecycle, workflowID)
	storetest.Must(g, err)
	defer rows.Close()
	for rows.Next() {
		var machine, was, became string
		var by models.Driver
		storetest.Must(g, rows.Scan(&machine, &was, &became, &by))
		edge := edgeOf(g.T, machine, was, became, by).String()
		if !slices.Contains(edges, edge) {
			edges = append(edges, edge)
		}
	}
	storetest.Must(g, rows.Err())
	slices.Sort(edges)
	return edges
}

// edgeOf finds the edge between two states. Where there are several, who acted says which: the lifecycle itself, the person, or somebody else.
func edgeOf(t *testing.T, machine, was, became string, by models.Driver) models.Edge {
	t.Helper()
	var found []models.Edge
	for _, e := range models.Edges() {
		if e.Machine == machine && e.From == was && e.To == became {
			found = append(found, e)
		}
	}
	for _, driver := range []models.Driver{by, models.ByWorld, models.ByPerson} {
		if his := slices.DeleteFunc(slices.Clone(found), func(e models.Edge) bool { return e.By != driver }); len(found) > 1 && len(his) > 0 {
			found = his
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d edges of the %s lead from %s to %s", len(found), machine, was, became)
	}
	return found[0]
}

// Every machine is watched, where its state stands.
func TestEveryMachineIsWatched(t *testing.T) {
	st := storetest.New(t)
	for _, e := range models.Edges() {
		at, ok := places[e.Machine]
		if !ok {
			t.Fatalf("where does the state of the %s stand?", e.Machine)
		}
		if _, err := st.Pool().Exec(t.Context(), "select "+at.column+" from "+at.table+" limit 0"); err != nil {
			t.Errorf("the %s: %v", e.Machine, err)
		}
	}
}
