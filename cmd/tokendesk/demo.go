package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tokendesk/internal/demo"
	"tokendesk/internal/demodata"
)

// standing is where the development stack says that it stands: its file stack.json, as far as the demo needs it.
type standing struct {
	APIURL      string `json:"api_url"`
	AgentsURL   string `json:"agents_url"`
	AgentsCA    string `json:"agents_ca"`
	UIURL       string `json:"temporal_ui_url"`
	Namespace   string `json:"namespace"`
	SecretsFile string `json:"secrets_file"`
}

// runDemo plays the journey. Where the stack is, the record in its state directory says; flags say otherwise.
func runDemo(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	state := f.String("state", stateDir(), "state directory of the running stack")
	asJSON := f.Bool("json", false, "one JSON object per step, and nothing else")
	url := f.String("url", "", "where the API is; empty: as the stack's record says")
	ui := f.String("ui", "", "where the Temporal UI is; empty: as the stack's record says")
	secretsFile := f.String("secrets", "", "logins and API keys of the demo people; empty: as the stack's record says")
	if err := f.Parse(args); err != nil {
		return err
	}
	at, err := readStanding(*state)
	if err != nil && (*url == "" || *secretsFile == "") {
		return err
	}
	for flag, member := range map[*string]*string{url: &at.APIURL, ui: &at.UIURL, secretsFile: &at.SecretsFile} {
		if *flag != "" {
			*member = *flag
		}
	}
	secrets, err := demodata.Read(at.SecretsFile)
	if err != nil {
		return err
	}
	return demo.Run(ctx, demo.Config{APIURL: at.APIURL, AgentsURL: at.AgentsURL, AgentsCA: at.AgentsCA, UIURL: at.UIURL, Namespace: at.Namespace, Secrets: secrets,
		Out: os.Stdout, JSON: *asJSON, Styled: styled(os.Stdout)})
}

func stateDir() string {
	if dir := os.Getenv("TOKENDESK_STATE_DIR"); dir != "" {
		return dir
	}
	return ".dev"
}

func readStanding(dir string) (s standing, err error) {
	s.Namespace = "tokendesk"
	file := filepath.Join(dir, "stack.json")
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, &demo.NotRunningError{}
	case err != nil:
		return s, fmt.Errorf("read where the stack stands: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("read where the stack stands, in %s: %w", file, err)
	}
	return s, nil
}

// styled reports whether a file is a terminal whose owner has nothing against type in bold (https://no-color.org).
func styled(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
