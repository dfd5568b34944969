// Command openapilint checks an OpenAPI document against a ruleset and against the rules of this house.
//
//	openapilint RULESET DOCUMENT
//
// It prints what it finds, one finding a line, and ends with 1 where there is any.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/speakeasy-api/openapi/linter"
	"github.com/speakeasy-api/openapi/openapi"
	openapilinter "github.com/speakeasy-api/openapi/openapi/linter"
	"github.com/speakeasy-api/openapi/validation"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: openapilint RULESET DOCUMENT")
		os.Exit(2)
	}
	findings, err := lint(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapilint:", err)
		os.Exit(2)
	}
	report(os.Stdout, os.Args[2], findings)
	if len(findings) > 0 {
		os.Exit(1)
	}
}

// lint returns everything that the ruleset and the rules of the house object to, in the order of the document.
// Hints are left out.
func lint(ctx context.Context, ruleset, document string) ([]*validation.Error, error) {
	config, err := linter.LoadConfigFromFile(ruleset)
	if err != nil {
		return nil, fmt.Errorf("reading the ruleset: %w", err)
	}
	file, err := os.Open(document)
	if err != nil {
		return nil, fmt.Errorf("opening the document: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	parsed, invalid, err := openapi.Unmarshal(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", document, err)
	}
	lint, err := openapilinter.NewLinter(config)
	if err != nil {
		return nil, fmt.Errorf("building the linter: %w", err)
	}
	if err := registerHouse(lint.Registry()); err != nil {
		return nil, err
	}
	output, err := lint.Lint(ctx, linter.NewDocumentInfo(parsed, document), invalid, nil)
	if err != nil {
		return nil, fmt.Errorf("linting %s: %w", document, err)
	}
	return findings(output.Results)
}

func findings(results []error) ([]*validation.Error, error) {
	var out []*validation.Error
	for _, result := range results {
		var finding *validation.Error
		if !errors.As(result, &finding) {
			return nil, result
		}
		if finding.GetSeverity() != validation.SeverityHint {
			out = append(out, finding)
		}
	}
	slices.SortStableFunc(out, func(a, b *validation.Error) int {
		return cmp.Or(a.GetLineNumber()-b.GetLineNumber(), cmp.Compare(a.Error(), b.Error()))
	})
	same := func(a, b *validation.Error) bool { return a.Error() == b.Error() } // with its place
	return slices.CompactFunc(out, same), nil
}

func report(w io.Writer, document string, findings []*validation.Error) {
	for _, f := range findings {
		fmt.Fprintf(w, "%s:%d:%d: %s (%s)\n", document, f.GetLineNumber(), f.GetColumnNumber(), f.UnderlyingError, f.Rule)
	}
}
