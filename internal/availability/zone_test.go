package availability

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Zones whose clocks change in every way: by an hour, by half an hour, at midnight, over midnight, by a day, never.
var testZones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Australia/Sydney", "America/Santiago", "America/Sao_Paulo",
	"America/Havana", "Asia/Beirut", "Africa/Cairo", "Atlantic/Azores", "Africa/Casablanca", "Europe/Dublin", "Asia/Kathmandu",
	"Pacific/Apia", "Antarctica/Troll", "UTC", "Asia/Tehran", "America/Scoresbysund",
}

// PRF-5: a wrong time zone.
func TestZone(t *testing.T) {
	for _, name := range append([]string{"Etc/GMT+5", "Africa/Abidjan"}, testZones...) {
		first, err := Zone(name)
		if err != nil || first.String() != name {
			t.Errorf("%s: %v, %v", name, first, err)
		}
		if second, err := Zone(name); err != nil || second != first {
			t.Errorf("%s: not kept", name)
		}
	}
	for _, name := range []string{"", "Local", "local", "Mars/Olympus", "../etc/passwd", "America/../America/New_York", "/etc/localtime", "posix/UTC", "right/UTC",
		"tzdata.zi", "America", "America/New_York\x00", "UTC+2", "Berlin"} {
		if got, err := Zone(name); !errors.Is(err, ErrZone) {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
}

// PRF-5: against the definition itself, taken by the minute: the first instant at which the clock reads that time
// or a later one.
func TestReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := Zone(rapid.SampledFrom(testZones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		d := nearChange(t, zone)
		minutes := rapid.IntRange(0, 48*60).Draw(t, "minutes")
		wall := time.Date(d.Year, d.Month, d.Day, 0, minutes, 0, 0, time.UTC).Unix()
		want := time.Unix(wall, 0).Add(-50 * time.Hour)
		for step := range int64(100 * 60) {
			want = time.Unix(wall-50*3600+step*60, 0)
			if _, offset := want.In(zone).Zone(); want.Unix()+int64(offset) >= wall {
				break
			}
		}
		if got := reached(d, minutes, zone); !got.Equal(want) {
			t.Fatalf("%v %d:%02d in %v: %v, want %v", d, minutes/60, minutes%60, zone, got, want.In(zone))
		}
	})
}

// nearChange is a date around which clocks change, where they do.
func nearChange(t *rapid.T, zone *time.Location) Date {
	year := rapid.IntRange(2008, 2037).Draw(t, "year")
	at := time.Date(year, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 1, 0, 0, 0, 0, time.UTC).In(zone)
	if _, end := at.ZoneBounds(); !end.IsZero() && end.Year() < 2040 {
		at = end
	}
	return DateOf(at).add(rapid.IntRange(-2, 1).Draw(t, "days"))
}
