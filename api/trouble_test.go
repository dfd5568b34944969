package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"

	"github.com/prometheus/client_golang/prometheus"
)

// A caller who hangs up, or a call that takes too long, is felt by the database; a panic is our mistake and nobody is told of it.
func TestTrouble(t *testing.T) {
	h := newHouse(t)
	account, token := h.person()
	o := storetest.PlacedOrder(t, h.st, account.ID)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h.send(h.request(http.MethodGet, "/v1/orders/"+o.Number, token, nil).WithContext(gone)).problem(models.ServiceDown)
	h.engine.setDown(errors.New("pq: secret of the house"))
	a := h.post(token, "/v1/orders/"+o.Number+"/cancellation", map[string]any{"reason": "other"})
	a.problem(models.InternalFault)
	if strings.Contains(string(a.body), "secret") || !strings.Contains(h.log.String(), "secret of the house") {
		t.Errorf("answered %s, logged %s", a.body, h.log)
	}
	h.engine.setDown(errPanic)
	a = h.post(token, "/v1/orders/"+o.Number+"/cancellation", map[string]any{"reason": "other"})
	a.problem(models.InternalFault)
	if strings.Contains(string(a.body), "house") || !strings.Contains(h.log.String(), "goroutine") || strings.Contains(h.log.String(), "house on fire") {
		t.Errorf("answered %s, logged %s", a.body, h.log)
	}
}

// What a stranger says of their own address is believed from trusted proxies only (LIC-2).
func TestNetworkAddress(t *testing.T) {
	for _, c := range []struct {
		name    string
		trusted []string
		want    int
	}{
		{"no proxy is trusted", nil, 1},
		{"the proxy is trusted", []string{"192.0.2.0/24"}, 3}, // httptest sends from 192.0.2.1
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(config *Config) { config.TrustedProxies = c.trusted })
			for i := range 3 {
				h.post("", "/v1/sessions", map[string]any{"user_id": "nobody", "password": "wrong"}, "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)).problem(models.LoginFailed)
			}
			var addresses int
			storetest.Must(t, h.st.Pool().QueryRow(t.Context(), "select count(distinct subject) from attempts where scope = 'login/address'").Scan(&addresses))
			if addresses != c.want {
				t.Errorf("%d addresses, want %d", addresses, c.want)
			}
		})
	}
}

// Requests are counted by operation and status, unknown ones together.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := newHouse(t, func(c *Config) { c.Registry = registry })
	h.get("", "/v1/products").want(http.StatusOK)
	h.get("", "/v1/orders").problem(models.NotAuthenticated)
	h.post("", verificationPath, map[string]any{}).problem(models.NotAuthenticated)
	h.get("", "/v1/unknown/1").problem(models.NoSuchThing)
	families, err := registry.Gather()
	storetest.Must(t, err)
	var got []string
	for _, m := range families[0].Metric {
		got = append(got, m.Label[0].GetValue()+" "+m.Label[1].GetValue())
	}
	if want := "createVerification 401, listOrders 401, listProducts 200, none 404"; strings.Join(got, ", ") != want {
		t.Errorf("counted %v, want %s", got, want)
	}
}
