package main

import (
	"errors"
	"fmt"
	"os"

	"tokendesk/deploy/dev/stack"
	"tokendesk/internal/app"
)

// certificate issues or revokes the client certificate of a proofing agent, by the development authority. A running stack takes the new
// revocation list up by itself.
func certificate() error {
	if len(os.Args) != 4 {
		return errors.New("usage: dev certificate issue|revoke ag_…")
	}
	ca, err := stack.AgentsCA(stateDir())
	if err != nil {
		return err
	}
	at, agent := app.RealClock(), os.Args[3]
	switch os.Args[2] {
	case "issue":
		pair, err := ca.Agent(agent, at)
		if err != nil {
			return err
		}
		fmt.Printf("certificate %s\nkey         %s\nauthority   %s\n", pair.CertificateFile, pair.KeyFile, ca.CAFile())
		return nil
	case "revoke":
		if err := ca.RevokeAgent(agent, at); err != nil {
			return err
		}
		fmt.Println("revoked; another one is issued by: dev certificate issue", agent)
		return nil
	}
	return errors.New("usage: dev certificate issue|revoke ag_…")
}
