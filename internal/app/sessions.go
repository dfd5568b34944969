package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	meetingrest "tokendesk/activities/gateway/meeting/rest"
	meetingsim "tokendesk/activities/gateway/meeting/simulator"
	"tokendesk/activities/gateway/meeting/static"
	postrest "tokendesk/activities/gateway/post/rest"
	postsim "tokendesk/activities/gateway/post/simulator"
)

// openMeetings finds out where live video sessions are held.
func (a *App) openMeetings(ctx context.Context) error {
	cfg := a.cfg.Meeting
	switch {
	case cfg.Room != "" && cfg.URL != "":
		return errors.New("live video sessions have two places: unset the room, or the URL of the API that makes rooms")
	case cfg.Room != "":
		rooms, err := static.New(cfg.Room)
		a.gateways.meetings = rooms
		return err
	case cfg.URL != "":
		a.gateways.meetings = meetingrest.New(meetingrest.Config{URL: cfg.URL, APIKey: cfg.Key})
		return nil
	case !a.cfg.Sandbox:
		return errors.New("live video sessions have no place: set a room, or the URL of the API that makes rooms, or the sandbox")
	}
	s, err := meetingsim.New(ctx, a.gateways.sandbox, meetingsim.Config{PublicURL: a.sandboxURL(), Now: a.cfg.Clock})
	if err != nil {
		return fmt.Errorf("start the simulated rooms: %w", err)
	}
	a.gateways.meetings = s
	a.gateways.pages.Handle(meetingsim.Path, s.Handler())
	return nil
}

// openPost finds out who prints and posts letters.
func (a *App) openPost(ctx context.Context) error {
	cfg := a.cfg.Post
	if cfg.URL != "" {
		a.gateways.post = postrest.New(postrest.Config{URL: cfg.URL, APIKey: cfg.Key, From: a.cfg.Seller.Address})
		return nil
	}
	if !a.cfg.Sandbox {
		return errors.New("nobody posts letters: set the URL of the API that does, or the sandbox")
	}
	s, err := postsim.New(ctx, a.gateways.sandbox, postsim.Config{Keyring: a.keyring, Now: a.cfg.Clock})
	if err != nil {
		return fmt.Errorf("start the simulated post: %w", err)
	}
	a.gateways.post = s
	a.gateways.pages.Handle(postsim.Path, s.Handler())
	return nil
}

// sandboxURL is where people on this machine see the sandbox's pages: a link is mailed by a process that may not serve them itself.
func (a *App) sandboxURL() string {
	address := a.cfg.APIAddress
	if a.listener != nil {
		address = a.listener.Addr().String()
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return a.apiURL
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
