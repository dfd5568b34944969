package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// readEnvironment reads the environment. Its error names variables, never what they hold: that may be a password.
func readEnvironment() (environment, error) {
	e, err := env.ParseAs[environment]()
	if err != nil {
		return e, explain(err)
	}
	if e.Sandbox {
		for field, f := range settings(&e) {
			if value, invented := field.Tag.Lookup("sandbox"); invented && f.Kind() == reflect.String && f.IsZero() {
				f.SetString(value)
			}
		}
	}
	return e, nil
}

// complete reports what a process that serves lacks outside a sandbox.
func (e environment) complete() error {
	var missing []string
	for field, f := range settings(&e) {
		if _, invented := field.Tag.Lookup("sandbox"); invented && f.IsZero() {
			missing = append(missing, variable(field))
		}
	}
	if e.MeetingRoom == "" && e.MeetingURL == "" {
		missing = append(missing, "TOKENDESK_MEETING_ROOM or TOKENDESK_MEETING_URL")
	}
	if e.Sandbox || len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this is no sandbox, and it has no %s: set them, or TOKENDESK_SANDBOX=true to try it out with simulators", strings.Join(missing, ", "))
}

// settings walks over the fields of an environment.
func settings(e *environment) func(yield func(reflect.StructField, reflect.Value) bool) {
	v := reflect.ValueOf(e).Elem()
	return func(yield func(reflect.StructField, reflect.Value) bool) {
		for i := range v.NumField() {
			if !yield(v.Type().Field(i), v.Field(i)) {
				return
			}
		}
	}
}

// variable is the name that a field has in the environment.
func variable(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return name
}

// explain says in one sentence what is wrong with the environment.
func explain(err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("read the environment: %w", err)
	}
	var missing, wrong []string
	for _, err := range all.Errors {
		var unset env.VarIsNotSetError
		var empty env.EmptyVarError
		var malformed env.ParseError
		switch {
		case errors.As(err, &unset):
			missing = append(missing, unset.Key)
		case errors.As(err, &empty):
			missing = append(missing, empty.Key)
		case errors.As(err, &malformed):
			wrong = append(wrong, malformation(malformed))
		default:
			return fmt.Errorf("read the environment: %w", err)
		}
	}
	if len(missing) > 0 {
		wrong = append(wrong, "set "+strings.Join(missing, ", ")+", see docs/configuration.md")
	}
	return errors.New(strings.Join(wrong, "; "))
}

var kinds = map[string]string{"bool": "true or false", "int": "a whole number", "time.Duration": "a duration such as 90s"}

func malformation(e env.ParseError) string {
	field, _ := reflect.TypeFor[environment]().FieldByName(e.Name)
	return fmt.Sprintf("%s is not %s", variable(field), kinds[e.Type.String()])
}
