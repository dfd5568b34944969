package await_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokendesk/deploy/dev/await"
)

func TestUntil(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		ctx   context.Context
		holds int // at which look; 0: never
		fails int // at which look; 0: never
		looks int
		want  error
	}{
		"it holds already":      {t.Context(), 1, 0, 1, nil},
		"it holds later":        {t.Context(), 3, 0, 3, nil},
		"a look fails":          {t.Context(), 0, 2, 2, broken},
		"the context ends":      {ended, 0, 0, 1, context.Canceled},
		"it holds all the same": {ended, 1, 0, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			err := await.Until(c.ctx, time.Millisecond, func() (bool, error) {
				looks++
				if looks == c.fails {
					return false, broken
				}
				return looks == c.holds, nil
			})
			if !errors.Is(err, c.want) || looks != c.looks {
				t.Errorf("%d looks, %v; want %d, %v", looks, err, c.looks, c.want)
			}
		})
	}
}
