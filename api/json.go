package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"tokendesk/api/gen"
)

// maxDepth is how deep a request's JSON may be nested; no operation needs half of it.
const maxDepth = 16

// parseJSON reads one JSON value (RFC 8259) as strictly as I-JSON (RFC 7493) asks: UTF-8, no member twice, numbers that a
// double can hold, nothing after the value; nor, in any string, a character that checkText refuses. Numbers come as
// json.Number. Errors are in words that the caller may read; one of a string is a *rejection that points at it.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := parseValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("the body is nested too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("the body is not JSON, near byte %d", d.InputOffset())
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return parseObject(d, depth)
		}
		return parseArray(d, depth)
	case string:
		return t, refuseUnseen(t)
	case json.Number:
		if _, err := strconv.ParseFloat(t.String(), 64); err != nil {
			return nil, errors.New("a number is too large")
		}
	}
	return token, nil
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("the body is not JSON, near byte %d", d.InputOffset())
		}
		if err := refuseUnseen(name); err != nil { // the name itself cannot be repeated
			return nil, err
		}
		if _, twice := object[name]; twice {
			return nil, errors.New("a member stands twice in the same object")
		}
		if object[name], err = parseValue(d, depth+1); err != nil {
			return nil, within(name, err)
		}
	}
	return object, parseEnd(d)
}

func parseArray(d *json.Decoder, depth int) (any, error) {
	array := []any{}
	for d.More() {
		value, err := parseValue(d, depth+1)
		if err != nil {
			return nil, within(strconv.Itoa(len(array)), err)
		}
		array = append(array, value)
	}
	return array, parseEnd(d)
}

func parseEnd(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("the body is not JSON, near byte %d", d.InputOffset())
	}
	return nil
}

// refuseUnseen points at the string itself; within leads there from outside.
func refuseUnseen(s string) error {
	err := checkText(s)
	if err == nil {
		return nil
	}
	return &rejection{detail: err.Error(), errors: []gen.ProblemError{{Pointer: new(""), Detail: err.Error()}}}
}

func within(step string, err error) error {
	if r, ok := errors.AsType[*rejection](err); ok {
		pointer := jsonPointer([]string{step}) + *r.errors[0].Pointer
		r.errors[0].Pointer = &pointer
	}
	return err
}

// checkText refuses what cannot be seen where texts are printed, on labels, invoices, mails and screens: it could break a line,
// turn the direction of what follows, or make two different texts look the same.
func checkText(s string) error {
	if strings.ContainsFunc(s, unseen) {
		return errors.New("a string has a control character or an invisible one")
	}
	return nil
}

func unseen(r rune) bool {
	switch {
	case unicode.IsControl(r): // C0, DEL, C1
		return true
	case r >= 0x200B && r <= 0x200F, // of no width, marks of direction
		r == 0x2028, r == 0x2029, // separators of lines and paragraphs
		r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, // embeddings, overrides and isolates of direction
		r == 0xFEFF: // of no width; the byte order mark
		return true
	}
	return false
}
