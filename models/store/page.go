package store

// Page is a slice of a list by keyset: the rows after an id, at most Limit of them.
type Page struct {
	After string // id of the last row that the caller has; empty: from the start
	Limit int    // 1 to 200; 0: 50
}

func (p Page) limit() int {
	switch {
	case p.Limit <= 0:
		return 50
	case p.Limit > 200:
		return 200
	}
	return p.Limit
}
