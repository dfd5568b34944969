package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"tokendesk/models"
	"tokendesk/models/store"
	"tokendesk/models/store/storetest"
)

// rows runs a query that returns one column.
func rows[T any](t *testing.T, st *store.Store, query string, args ...any) []T {
	t.Helper()
	r, err := st.Pool().Query(t.Context(), query, args...)
	storetest.Must(t, err)
	defer r.Close()
	var out []T
	for r.Next() {
		var v T
		storetest.Must(t, r.Scan(&v))
		out = append(out, v)
	}
	storetest.Must(t, r.Err())
	return out
}

func one[T any](t *testing.T, st *store.Store, query string, args ...any) T {
	t.Helper()
	all := rows[T](t, st, query, args...)
	if len(all) != 1 {
		t.Fatalf("%d rows, want one: %s", len(all), query)
	}
	return all[0]
}

func status(t *testing.T, st *store.Store, shipmentID string) models.ShipmentStatus {
	t.Helper()
	sh, _, err := st.Shipment(t.Context(), shipmentID)
	storetest.Must(t, err)
	return sh.Status
}

// signalled lists the shipments that have been told so, oldest message first.
func signalled(t *testing.T, st *store.Store, s models.Signal) []string {
	t.Helper()
	return rows[string](t, st, "select split_part(workflow_id, '/', 2) from outbox where kind = 'signal' and name = $1 order by id", string(s))
}

var warehouse = models.Actor{ID: "ak_warehouse", Role: models.RoleWarehouse}

// SHP-1, SHP-2: 50 shipments ask at once for 20 tokens, several times each; 20 get one each, 30 wait, none is lost; new stock
// goes to the oldest.
func TestConcurrentAllocation(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	ids := storetest.Shipments(t, st, 50)
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 20)
	packAll(t, st, ids, 2)

	if n := one[int](t, st, "select count(distinct serial) from parcels"); n != 20 {
		t.Errorf("%d serials are packed, want 20", n)
	}
	if n := one[int](t, st, "select count(*) from tokens where status = 'allocated'"); n != 20 {
		t.Errorf("%d tokens are allocated, want 20", n)
	}
	waiting := rows[string](t, st, "select id from shipments where status = 'backordered' order by created_at, id")
	if len(waiting) != 30 {
		t.Fatalf("%d shipments wait, want 30", len(waiting))
	}
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'backorder/%'"); n != 1 {
		t.Errorf("%d cases tell of the backorder, want 1", n)
	}

	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 7)
	if told := signalled(t, st, models.SignalStockArrived); !slices.Equal(told, waiting[:7]) {
		t.Errorf("told %v, want the oldest seven %v", told, waiting[:7])
	}
	packAll(t, st, waiting, 1) // all look, as they do once a day
	if served := rows[string](t, st, "select id from shipments where id = any($1) and status = 'packed' order by created_at, id", waiting); !slices.Equal(served, waiting[:7]) {
		t.Errorf("served %v, want the oldest seven %v", served, waiting[:7])
	}
}

func packAll(t *testing.T, st *store.Store, ids []string, times int) {
	t.Helper()
	var group sync.WaitGroup
	for _, id := range ids {
		for range times {
			group.Go(func() {
				for {
					_, err := st.PackShipment(context.Background(), id, storetest.At)
					if err == nil {
						return
					}
					if !errors.Is(err, models.ServiceDown) {
						t.Errorf("pack: %v", err)
						return
					}
				}
			})
		}
	}
	group.Wait()
}

// SHP-2: no token lies in stock unannounced to a shipment that waits, whatever runs at once: shipments that ask, stock that
// arrives, shipments that are cancelled, tokens set aside and restored.
func TestNoTokenLiesUnannounced(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	for range 5 {
		ids := storetest.Shipments(t, st, 12)
		var group sync.WaitGroup
		for i, id := range ids {
			group.Go(func() {
				if _, err := st.PackShipment(context.Background(), id, storetest.At); err != nil {
					t.Errorf("pack: %v", err)
				}
				if i%4 == 3 {
					if err := st.CancelShipment(context.Background(), id, warehouse, storetest.At); err != nil {
						t.Errorf("cancel: %v", err)
					}
				}
			})
		}
		for range 3 {
			group.Go(func() { storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 2) })
		}
		group.Go(func() {
			for _, serial := range rows[string](t, st, "select serial from tokens where status = 'in_stock' limit 2") {
				if st.QuarantineToken(context.Background(), serial, "dented", warehouse, storetest.At) == nil {
					if err := st.RestoreToken(context.Background(), serial, "found good", warehouse, storetest.At); err != nil {
						t.Errorf("restore: %v", err)
					}
				}
			}
		})
		group.Wait()
		serveAnnounced(t, st)
		if left := one[int](t, st, "select least((select count(*) from tokens where status = 'in_stock'), (select count(*) from shipments where status = 'backordered'))"); left != 0 {
			t.Fatalf("%d shipments wait although tokens are in stock and nobody will tell them", left)
		}
	}
	if n := one[int](t, st, "select count(*) from (select serial from parcels where outcome is null group by serial having count(*) > 1) x"); n != 0 {
		t.Errorf("%d serials are in two shipments", n)
	}
}

// serveAnnounced lets those look again that were told to, until nobody is.
func serveAnnounced(t *testing.T, st *store.Store) {
	t.Helper()
	for {
		told := rows[string](t, st, "delete from outbox where kind = 'signal' and name = 'stock-arrived' returning split_part(workflow_id, '/', 2)")
		if len(told) == 0 {
			return
		}
		for _, id := range told {
			_, err := st.PackShipment(t.Context(), id, storetest.At)
			storetest.Must(t, err)
		}
	}
}

// SHP-1: a shipment that has its token takes no second one, however often the step is repeated.
func TestPackIsIdempotent(t *testing.T) {
	t.Parallel()
	st := storetest.New(t)
	id := storetest.Shipments(t, st, 1)[0]
	storetest.Stock(t, st, storetest.Keyring(t), storetest.TokenModel, storetest.EventDevice, 3)
	for range 3 {
		sh, err := st.PackShipment(t.Context(), id, storetest.At)
		storetest.Must(t, err)
		if sh.Status != models.ShipmentPacked {
			t.Fatalf("the shipment is %s", sh.Status)
		}
	}
	if n := one[int](t, st, "select count(*) from parcels where shipment_id = $1", id); n != 1 {
		t.Errorf("%d parcels, want 1", n)
	}
	if n := one[int](t, st, "select count(*) from audit_events where kind = 'shipment.packed' and subject_ref = $1", id); n != 1 {
		t.Errorf("%d audit events, want 1", n)
	}
}

// SHP-2: a newcomer does not pass shipments that wait, but takes what is left over.
func TestQueueIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	ids := storetest.Shipments(t, st, 3)
	pack := func(id string) models.ShipmentStatus {
		sh, err := st.PackShipment(t.Context(), id, storetest.At)
		storetest.Must(t, err)
		return sh.Status
	}
	if s := pack(ids[0]); s != models.ShipmentBackordered {
		t.Fatalf("without stock the shipment is %s", s)
	}
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 2)
	for i, want := range []models.ShipmentStatus{models.ShipmentPacked, models.ShipmentBackordered} {
		if s := pack(ids[i+1]); s != want {
			t.Errorf("newcomer %d is %s, want %s: two tokens, one waits before", i+1, s, want)
		}
	}
	if s := pack(ids[0]); s != models.ShipmentPacked {
		t.Errorf("the first is %s", s)
	}
}

// SHP-4: levels by model and warehouse, quarantine, retire; falling below the reorder level opens one case a day.
func TestStockLevels(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	ctx := t.Context()
	storetest.Must(t, st.SaveTokenModel(ctx, models.TokenModel{Model: storetest.TokenModel, Kind: "hotp", ReorderLevel: 3}, warehouse, storetest.At))
	storetest.Must(t, st.SaveTokenModel(ctx, models.TokenModel{Model: "TD-200", Kind: "totp"}, warehouse, storetest.At))
	id := storetest.Shipments(t, st, 1)[0]
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 5)
	storetest.Must(t, st.SaveTokenModel(ctx, models.TokenModel{Model: storetest.TokenModel, Kind: "hotp", ReorderLevel: 3}, warehouse, storetest.At))
	storetest.Sent(t, st, id, storetest.At)
	serials := rows[string](t, st, "select serial from tokens where status = 'in_stock' order by serial")
	storetest.Must(t, st.QuarantineToken(ctx, serials[0], "dented", warehouse, storetest.At))
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'reorder/%'"); n != 0 {
		t.Errorf("%d cases at the reorder level, want none", n)
	}
	for _, serial := range serials[1:3] {
		storetest.Must(t, st.RetireToken(ctx, serial, "broken", warehouse, storetest.At))
	}
	if n := one[int](t, st, "select count(*) from support_cases where dedupe_key like 'reorder/%'"); n != 1 {
		t.Errorf("%d cases below the reorder level, want 1", n)
	}
	levels, err := st.Stock(ctx)
	storetest.Must(t, err)
	want := []store.StockLevel{
		{Model: storetest.TokenModel, Warehouse: "main", InStock: 1, Shipped: 1, Quarantined: 1, Retired: 2, ReorderLevel: 3, Low: true},
		{Model: "TD-200"},
	}
	if !slices.Equal(levels, want) {
		t.Errorf("levels\n%+v, want\n%+v", levels, want)
	}
}

// SHP-4: what may be done to a token by hand depends on where it stands.
func TestTokenCommands(t *testing.T) {
	t.Parallel()
	st, ring := storetest.New(t), storetest.Keyring(t)
	ctx := t.Context()
	id := storetest.Shipments(t, st, 1)[0]
	storetest.Stock(t, st, ring, storetest.TokenModel, storetest.EventDevice, 2)
	_, err := st.PackShipment(ctx, id, storetest.At)
	storetest.Must(t, err)
	packed := one[string](t, st, "select serial from tokens where status = 'allocated'")
	free := one[string](t, st, "select serial from tokens where status = 'in_stock'")
	cases := []struct {
		name   string
		do     func(context.Context, string, string) error
		serial string
		reason string
		want   error
	}{
		{"no reason", command(st.QuarantineToken), free, " ", models.InvalidRequest},
		{"unknown", command(st.QuarantineToken), "nowhere", "dented", models.NoSuchThing},
		{"packed cannot be set aside", command(st.QuarantineToken), packed, "dented", models.StateForbids},
		{"packed cannot be retired", command(st.RetireToken), packed, "dented", models.StateForbids},
		{"not in quarantine", command(st.RestoreToken), free, "good", models.StateForbids},
		{"set aside", command(st.QuarantineToken), free, "dented", nil},
		{"restored", command(st.RestoreToken), free, "good", nil},
		{"retired", command(st.RetireToken), free, "broken", nil},
		{"retired for good", command(st.RestoreToken), free, "good", models.StateForbids},
	}
	for _, c := range cases {
		if err := c.do(ctx, c.serial, c.reason); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if token, err := st.Token(ctx, free); err != nil || token.Status != models.TokenRetired || *token.StatusReason != "broken" {
		t.Errorf("the token is %s: %v", token.Status, err)
	}
	if n := one[int](t, st, "select count(*) from audit_events where subject_ref = $1", free); n != 3 {
		t.Errorf("%d audit events, want 3", n)
	}
}

func command(f func(context.Context, string, string, models.Actor, time.Time) error) func(context.Context, string, string) error {
	return func(ctx context.Context, serial, reason string) error {
		return f(ctx, serial, reason, warehouse, storetest.At)
	}
}
