package availability

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// PRF-5: what an agent may write.
func TestParseExpression(t *testing.T) {
	for _, text := range []string{
		"0 9 * * 1-5", "30 13 * * MON,WED,fri", "0 9-16 * * *", "*/30 * * * *", "0 9 1 * *", "0 9 29 2 *", "0 9 31 1-12/2 *",
		"0 9 30 2 1", "0,30 9 ? * 0", "0 0 * JAN-MAR *", "  0   9 * *\t1 ", "59 23 31 12 6", "5/30 */12 * * *", "0 9 30 2,3 *",
	} {
		e, err := ParseExpression(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if want := strings.Join(strings.Fields(text), " "); e.String() != want {
			t.Errorf("%q is %q", text, e)
		}
		if len(e.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC, 3)) != 3 {
			t.Errorf("%q has no three next times", text)
		}
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":                 {"", ErrExpression},
		"blanks":                {" \t", ErrExpression},
		"four fields":           {"0 9 * *", ErrExpression},
		"seconds":               {"0 0 9 * * 1", ErrSeconds},
		"seven fields":          {"0 0 9 * * 1 2026", ErrExpression},
		"every":                 {"@every 1h", ErrShorthand},
		"daily":                 {"@daily", ErrShorthand},
		"zone":                  {"TZ=UTC 0 9 * * 1", ErrNamesZone},
		"zone, nothing else":    {"TZ=UTC", ErrNamesZone}, // the library panics at it
		"cron's zone":           {"CRON_TZ=Asia/Tokyo 0 9 * * 1", ErrNamesZone},
		"30 February":           {"0 9 30 2 *", ErrImpossible},
		"31st of short months":  {"0 9 31 2,4,6,9,11 *", ErrImpossible},
		"31 February, stepped":  {"0 9 30/1 2 */1", ErrImpossible},
		"every minute":          {"* * * * *", ErrTooOften},
		"every quarter of hour": {"*/15 * * * *", ErrTooOften},
		"hour 24":               {"0 24 * * *", ErrExpression},
		"minute 60":             {"60 9 * * *", ErrExpression},
		"day 0":                 {"0 9 0 * *", ErrExpression},
		"month 13":              {"0 9 1 13 *", ErrExpression},
		"day of week 7":         {"0 9 * * 7", ErrExpression},
		"backwards":             {"0 9 * * 5-1", ErrExpression},
		"negative":              {"-1 9 * * 1", ErrExpression},
		"plus":                  {"+5 9 * * 1", ErrExpression},
		"step 0":                {"*/0 9 * * 1", ErrExpression},
		"star to five":          {"0 9 *-5 * 1", ErrExpression},
		"nothing in a list":     {"0 9 , * 1", ErrExpression},
		"end of a list":         {"0 9 1, * 1", ErrExpression},
		"last day":              {"0 9 L * *", ErrExpression},
		"other digits":          {"٠ 9 * * 1", ErrExpression},
		"not UTF-8":             {"\xff 9 * * 1", ErrExpression},
		"long":                  {"0 9 * * " + strings.Repeat("1,", 200) + "1", ErrExpression},
	} {
		if e, err := ParseExpression(c.text); !errors.Is(err, c.want) || !errors.Is(err, ErrExpression) || e.String() != "" {
			t.Errorf("%s: %q, %v, want %v", name, e, err, c.want)
		}
	}
}

// PRF-5: the library's own next times are right where clocks never change, so they must be ours.
func TestNextAsTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyExpression(t)
		e, err := ParseExpression(text)
		if err != nil {
			t.Skip(err)
		}
		spec, err := parser.Parse("TZ=UTC " + text)
		if err != nil {
			t.Fatal(err)
		}
		after := time.Unix(rapid.Int64Range(1e9, 4e9).Draw(t, "after"), 0).UTC()
		var want []time.Time
		for next := spec.Next(after); len(want) < 5 && !next.IsZero(); next = spec.Next(next) {
			want = append(want, next)
		}
		if got := e.Next(after, time.UTC, 5); len(got) < len(want) || !slices.EqualFunc(got[:min(len(got), len(want))], want, time.Time.Equal) {
			t.Fatalf("%q after %v: %v, want %v", text, after, got, want)
		}
	})
}

func anyExpression(t *rapid.T) string {
	field := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	return strings.Join([]string{
		field("minute", "0", "30", "*/30", "5,35", "59"),
		field("hour", "9", "0", "*", "8-17", "22,23", "*/5", "2"),
		field("day", "*", "?", "1", "*/7", "29", "31", "1-7", "15,30"),
		field("month", "*", "2", "JAN-MAR", "*/3", "12", "4,6"),
		field("weekday", "*", "1-5", "SUN", "0,6", "*/2", "3"),
	}, " ")
}

// PRF-5: what an agent is shown before an expression is saved.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, text, zone, after string
		want                    []string
	}{
		{"weekdays", "0 9 * * 1-5", "Europe/Berlin", "2026-03-27T12:00:00+01:00",
			[]string{"2026-03-30T09:00:00+02:00", "2026-03-31T09:00:00+02:00"}},
		{"the time itself is not next", "0 9 * * *", "Europe/Berlin", "2026-03-27T09:00:00+01:00",
			[]string{"2026-03-28T09:00:00+01:00", "2026-03-29T09:00:00+02:00"}},
		{"leap day", "0 12 29 2 *", "America/New_York", "2026-01-01T00:00:00Z",
			[]string{"2028-02-29T12:00:00-05:00", "2032-02-29T12:00:00-05:00"}},
		{"leap day over 2100", "0 12 29 2 *", "UTC", "2096-03-01T00:00:00Z",
			[]string{"2104-02-29T12:00:00Z"}},
		{"month ends", "0 9 31 * *", "UTC", "2026-01-31T10:00:00Z",
			[]string{"2026-03-31T09:00:00Z", "2026-05-31T09:00:00Z", "2026-07-31T09:00:00Z", "2026-08-31T09:00:00Z"}},
		{"either day", "0 9 13 * 5", "UTC", "2026-02-05T10:00:00Z",
			[]string{"2026-02-06T09:00:00Z", "2026-02-13T09:00:00Z", "2026-02-20T09:00:00Z"}},
		{"a missing time is not shown", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-09T02:30:00-04:00"}},
		{"a doubled time is shown once", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"full hours after half an hour is skipped", "0 3 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
			[]string{"2026-10-04T03:00:00+11:00", "2026-10-05T03:00:00+11:00"}},
		{"a day without midnight is not taken for the day before", "0 9 * * 6", "America/Sao_Paulo", "2018-11-03T12:00:00Z",
			[]string{"2018-11-10T09:00:00-02:00"}},
		{"a day that never was", "0 9 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z",
			[]string{"2011-12-31T09:00:00+14:00", "2012-01-01T09:00:00+14:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := expression(t, c.text).Next(instant(t, c.after), zone(t, c.zone), len(c.want))
			if len(got) != len(c.want) {
				t.Fatal(got)
			}
			for i, want := range c.want {
				if got[i].Format(time.RFC3339) != want {
					t.Errorf("%d: %s, want %s", i, got[i].Format(time.RFC3339), want)
				}
			}
		})
	}
	e := expression(t, "*/30 * * * *")
	if got := len(e.Next(time.Unix(0, 0), time.UTC, 1e9)); got != maxTimes {
		t.Errorf("%d times, not at most %d", got, maxTimes)
	}
	if got := e.Next(time.Unix(0, 0), time.UTC, -1); len(got) != 0 {
		t.Error(got)
	}
}

// No text makes it panic, run for long, or fire without bounds.
func FuzzParseExpression(f *testing.F) {
	for _, text := range []string{"0 9 * * 1-5", "TZ=UTC", "@every 1s", "*/30 */2 1-31/7 JAN,FEB SUN-SAT", "0 9 30 2 *", "0 0 9 * * 1", ", , , , ,", "*-1/2 9 * * ?"} {
		f.Add(text)
	}
	after := time.Date(2096, 2, 29, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpression(text)
		if err != nil {
			if !errors.Is(err, ErrExpression) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseExpression(e.String())
		if err != nil || again != e {
			t.Fatalf("%q is %q, which is %q, %v", text, e, again, err)
		}
		if next := e.Next(after, time.UTC, 2); len(next) == 0 {
			t.Fatalf("%q has no next time", text)
		}
		fires := 0
		for range e.clock() {
			fires++
		}
		if fires == 0 || fires > MaxPerDay {
			t.Fatalf("%q fires %d times a day", text, fires)
		}
	})
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := Zone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
