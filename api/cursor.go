package api

import (
	"encoding/base64"

	"tokendesk/api/gen"
	"tokendesk/models"
	"tokendesk/models/store"
)

const defaultLimit = 25

// list is one list as one caller filters it. A cursor is sealed for its list, so that it is opaque, cannot be altered, and fits
// nowhere else.
type list struct {
	server *server
	name   string // operation and filters
	limit  int
}

func (s *server) list(limit *int32, name string) list {
	l := list{server: s, name: "cursor/" + name, limit: defaultLimit}
	if limit != nil {
		l.limit = int(*limit)
	}
	return l
}

// page is where the cursor points. It asks for one row more than is shown, to know whether there is another page.
func (l list) page(cursor *string) (store.Page, error) {
	p := store.Page{Limit: l.limit + 1}
	if cursor == nil {
		return p, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(*cursor)
	if err == nil {
		var after models.SecretBytes
		if after, err = l.server.Keyring.Open(sealed, l.name); err == nil {
			p.After = string(after.Reveal())
		}
	}
	if err != nil {
		name := "cursor"
		return p, &rejection{detail: "the cursor does not belong to this list", errors: []gen.ProblemError{{Parameter: &name, Detail: "take next_cursor of the page before, with the same filters"}}}
	}
	return p, nil
}

// cut shortens the rows to the page, and makes the cursor of the next one if there is one.
func cut[T any](l list, rows []T, id func(T) string) ([]T, *string, error) {
	if len(rows) <= l.limit {
		return rows, nil, nil
	}
	rows = rows[:l.limit]
	sealed, err := l.server.Keyring.Seal(models.SecretBytes(id(rows[l.limit-1])), l.name)
	if err != nil {
		return nil, nil, err
	}
	cursor := base64.RawURLEncoding.EncodeToString(sealed)
	return rows, &cursor, nil
}
