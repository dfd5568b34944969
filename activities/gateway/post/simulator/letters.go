package simulator

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"tokendesk/models"
)

// Item is a letter as lists show it.
type Item struct {
	Ref     string    `json:"ref"`
	Key     string    `json:"key"`            // the idempotency key
	Name    string    `json:"name,omitempty"` // whom it goes to; nothing else of the address
	TakenAt time.Time `json:"taken_at"`
	Erased  bool      `json:"erased"`
	PDF     string    `json:"pdf,omitempty"`  // path of the letter
	Text    string    `json:"text,omitempty"` // path of what it says
}

// Opened is a letter with what is in it; once erased, nothing is.
type Opened struct {
	Item
	To  models.Address
	PDF []byte
}

const selectLetter = `SELECT ref, key, sealed, taken_at FROM sandbox.letters`

func (s *Simulator) scan(row pgx.CollectableRow) (o Opened, err error) {
	var sealed []byte
	if err := row.Scan(&o.Ref, &o.Key, &sealed, &o.TakenAt); err != nil {
		return o, err
	}
	c, err := s.open(o.Ref, sealed)
	if err != nil {
		return o, err
	}
	o.To, o.PDF, o.Name, o.TakenAt, o.Erased = c.To, c.PDF, c.To.Name, o.TakenAt.UTC(), sealed == nil
	if !o.Erased {
		o.Item.PDF, o.Text = Path+"letters/"+o.Ref+"/pdf", Path+"letters/"+o.Ref+"/text"
	}
	return o, nil
}

// Letters lists the newest hundred letters, or the one that was taken under a key.
func (s *Simulator) Letters(ctx context.Context, key string) ([]Item, error) {
	rows, err := s.store.Pool.Query(ctx, selectLetter+` WHERE $1 = '' OR key = $1 ORDER BY taken_at DESC, ref LIMIT 100`, key)
	if err != nil {
		return nil, technical(err)
	}
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Item, error) {
		o, err := s.scan(row)
		return o.Item, err
	})
	return items, technical(err)
}

// Letter opens one letter.
func (s *Simulator) Letter(ctx context.Context, ref string) (Opened, error) {
	rows, err := s.store.Pool.Query(ctx, selectLetter+` WHERE ref = $1`, ref)
	if err != nil {
		return Opened{}, technical(err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, s.scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Opened{}, models.NoSuchThing.New("there is no such letter")
	}
	return o, technical(err)
}

// Erase throws away what is in a letter, or in all where ref is empty. That they were taken stays known.
func (s *Simulator) Erase(ctx context.Context, ref string) error {
	tag, err := s.store.Pool.Exec(ctx, `UPDATE sandbox.letters SET sealed = NULL WHERE $1 = '' OR ref = $1`, ref)
	if err == nil && ref != "" && tag.RowsAffected() == 0 {
		err = models.NoSuchThing.New("there is no such letter")
	}
	return technical(err)
}
