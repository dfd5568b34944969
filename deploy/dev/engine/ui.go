package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// UI is a running Temporal web UI.
type UI struct {
	server *uiserver.Server
	url    string
}

// StartUI serves the web UI of the Temporal server at an address. The UI server ends the whole process when it cannot
// listen, so the port is tried first.
func StartUI(ctx context.Context, temporalAddress, namespace string, port int) (*UI, error) {
	if port == 0 {
		ports, err := freePorts(1)
		if err != nil {
			return nil, err
		}
		port = ports[0]
	}
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		return nil, fmt.Errorf("the Temporal UI cannot listen on port %d: %w", port, err)
	}
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("trying the port of the Temporal UI: %w", err)
	}
	ui := &UI{url: "http://" + address(port), server: uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host: loopback, Port: port, TemporalGRPCAddress: temporalAddress, DefaultNamespace: namespace,
		EnableUI: true, HideLogs: true, DisableNewsFetch: true,
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))}
	go ui.server.Start() //nolint:errcheck // it returns nothing but nil, see above
	return ui, ui.waitReady(ctx)
}

func (u *UI) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return persist(ctx, "waiting for the Temporal UI", func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+"/healthz", nil)
		if err != nil {
			return final{err}
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// URL returns where to point a browser.
func (u *UI) URL() string { return u.url }

// Close stops serving.
func (u *UI) Close() { u.server.Stop() }
