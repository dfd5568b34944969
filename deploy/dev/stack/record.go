package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Record tells other programs of this machine, such as the demonstration, where the running stack is. It is kept in the file
// stack.json of the state directory, readable by its owner only.
type Record struct {
	PID             int    `json:"pid"`
	APIURL          string `json:"api_url"`
	AgentsURL       string `json:"agents_url"`
	AgentsCA        string `json:"agents_ca"` // directory of the authority of their certificates
	MetricsURL      string `json:"metrics_url"`
	UIURL           string `json:"temporal_ui_url"`
	TemporalAddress string `json:"temporal_address"`
	Namespace       string `json:"namespace"`
	DatabaseURL     string `json:"database_url"` // with its password
	SecretsFile     string `json:"secrets_file"` // of the demo people and keys
}

// Record returns where the parts of this stack are.
func (s *Stack) Record() Record {
	r := Record{PID: os.Getpid(), UIURL: s.UIURL(), TemporalAddress: s.temporal, Namespace: Namespace, DatabaseURL: s.database}
	if s.product != nil {
		r.AgentsURL, r.AgentsCA = s.product.AgentsURL(), filepath.Join(s.cfg.StateDir, agentsDir)
		r.APIURL, r.MetricsURL, r.SecretsFile = s.product.apiURL, s.product.metricsURL, s.product.secretsFile
	}
	return r
}

func (s *Stack) record(context.Context) error {
	content, err := json.MarshalIndent(s.Record(), "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the record of the stack: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.cfg.StateDir, "stack.json"), append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the record of the stack: %w", err)
	}
	return nil
}
