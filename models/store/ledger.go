package store

import (
	"context"
	"time"

	"tokendesk/models"
)

// entry is one journal entry; its kind and ref together occur once, so that posting again is refused by the database.
type entry struct {
	ID       int64
	At       time.Time
	Kind     string
	Ref      string
	Currency models.Currency
}

func (entry) TableName() string { return "ledger_entries" }

// posting is one leg of an entry: debits positive, credits negative.
type posting struct {
	account string
	minor   int64
}

// post writes a balanced entry; legs of zero are left out. The database checks the balance at commit.
func (s *Store) post(ctx context.Context, e entry, legs ...posting) error {
	if err := s.with(ctx).Create(&e).Error; err != nil {
		return err
	}
	for _, leg := range legs {
		if leg.minor == 0 {
			continue
		}
		if err := s.with(ctx).Exec("insert into ledger_postings (entry_id, account, amount_minor) values (?, ?, ?)", e.ID, leg.account, leg.minor).Error; err != nil {
			return err
		}
	}
	return nil
}

// Balance is the sum of a ledger account in one currency, in minor units; debits are positive.
func (s *Store) Balance(ctx context.Context, account string, c models.Currency) (int64, error) {
	var sum int64
	err := s.with(ctx).Raw(`select coalesce(sum(p.amount_minor), 0) from ledger_postings p join ledger_entries e on e.id = p.entry_id
		where p.account = ? and e.currency = ?`, account, c).Row().Scan(&sum)
	return sum, fault(err)
}
