package availability

import (
	"fmt"
	"sync"
	"time"
)

var zones sync.Map // names that exist to their locations: loading one reads a file

// Zone is the time zone of that name in the IANA database, such as "America/New_York". What time.LoadLocation
// understands beyond that, the empty name and "Local", depends on the machine and is ErrZone, as is any other name.
func Zone(name string) (*time.Location, error) {
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	if len(name) > 64 || name == "" || name[0] < 'A' || name[0] > 'Z' || name == "Local" {
		return nil, fmt.Errorf("%w: %.64q", ErrZone, name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", ErrZone, name)
	}
	zones.Store(name, zone)
	return zone, nil
}

// reached is the first instant at which the wall clock of the zone has come to that time: minutes after midnight of
// the date, 0 to two days. time.Date alone promises neither which of two equal wall times it means nor what it
// makes of a missing one.
func reached(d Date, minutes int, zone *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, minutes/60, minutes%60, 0, 0, zone)
	wall := time.Date(d.Year, d.Month, d.Day, minutes/60, minutes%60, 0, 0, time.UTC).Unix()
	start, end := t.ZoneBounds()
	_, offset := t.Zone()
	switch read := t.Unix() + int64(offset); {
	case read < wall: // missing, and t is before the jump
		return end
	case read > wall: // missing, and t is after it
		return start
	case start.IsZero():
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if first := time.Unix(wall-int64(before), 0); first.Before(start) { // the clock read this before it was put back
		return first.In(zone)
	}
	return t
}
