package store_test

import (
	"context"
	"errors"
	"testing"

	"tokendesk/models"
	"tokendesk/models/store/storetest"
)

// A caller that goes away midway leaves no transaction behind, and takes back no failure.
func TestVerifyCancelled(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	t.Run("while it waits", func(t *testing.T) {
		other, err := l.Pool().Begin(t.Context())
		storetest.Must(t, err)
		defer other.Rollback(context.Background())
		_, err = other.Exec(t.Context(), "select from authenticators where credential_id = $1 for update", l.credential.ID)
		storetest.Must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := l.Verify(ctx, l.ask(l.wrong()), l.ring, storetest.At, codeLater)
			failed <- err
		}()
		waitFor(t, "the verification to wait", func() bool {
			return query[int](t, l.Store, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0
		})
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		storetest.Must(t, other.Rollback(t.Context()))
		l.wantIdle(t)
		if n := l.failures(t); n != 0 {
			t.Fatalf("%d failures count", n)
		}
	})
	t.Run("while it decides", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		v, err := l.Verify(ctx, l.ask(l.wrong()), openerFunc(func(c []byte, place string) (models.SecretBytes, error) {
			cancel()
			return l.ring.Open(c, place)
		}), storetest.At, codeLater)
		if err != nil || v.Result != models.ResultWrongCode || l.failures(t) != 1 {
			t.Fatalf("got %v, %v; %d failures count", v, err, l.failures(t))
		}
		l.wantIdle(t)
	})
	t.Run("before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Verify(ctx, l.ask(l.wrong()), l.ring, storetest.At, codeLater); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		l.wantIdle(t)
	})
}

type openerFunc func([]byte, string) (models.SecretBytes, error)

func (f openerFunc) Open(c []byte, place string) (models.SecretBytes, error) { return f(c, place) }

// What fails in the middle is undone, says nothing of what it was about, and leaves every connection fit for use.
func TestVerifyFails(t *testing.T) {
	l := newLogin(t, storetest.New(t), storetest.EventDevice)
	broken := errors.New("no key")
	cases := []struct {
		name  string
		open  openerFunc
		fault *models.FaultType
	}{
		{"seed does not open", func([]byte, string) (models.SecretBytes, error) { return nil, broken }, models.InternalFault},
		{"connection breaks", func(c []byte, place string) (models.SecretBytes, error) {
			l.exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'")
			return l.ring.Open(c, place)
		}, models.ServiceDown},
		{"audit trail is gone", func(c []byte, place string) (models.SecretBytes, error) {
			l.exec(t, "alter table audit_authentication add constraint planted check (kind <> 'code.verified') not valid")
			return l.ring.Open(c, place)
		}, models.InternalFault},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Verify(t.Context(), l.ask(l.wrong()), c.open, storetest.At, codeLater)
			if err == nil || models.FaultOf(err).Type != c.fault {
				t.Fatalf("got %v, want %v", err, c.fault)
			}
			l.wantIdle(t)
			if n := l.failures(t); n != 0 {
				t.Fatalf("%d failures count", n)
			}
		})
	}
}

// wantIdle checks that no connection is inside a transaction.
func (l login) wantIdle(t *testing.T) {
	t.Helper()
	waitFor(t, "every connection to be idle", func() bool {
		return query[int](t, l.Store, "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'") == 0
	})
	for range l.Pool().Stat().MaxConns() {
		conn, err := l.Pool().Acquire(t.Context())
		storetest.Must(t, err)
		defer conn.Release()
		if status := conn.Conn().PgConn().TxStatus(); status != 'I' {
			t.Fatalf("a connection of the pool is in state %c", status)
		}
	}
}
