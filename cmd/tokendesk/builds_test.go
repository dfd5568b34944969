package main

import (
	"regexp"
	"runtime/debug"
	"testing"
)

// A build id tells programs apart: what an operator says, the linker, the commit of an unchanged checkout, or the program itself.
func TestBuildID(t *testing.T) {
	if id, err := (environment{BuildID: "1.4.0"}).buildID(); id != "1.4.0" || err != nil {
		t.Errorf("the environment's: %q, %v", id, err)
	}
	linked = "1.3.0"
	id, err := environment{}.buildID()
	if linked = ""; id != "1.3.0" || err != nil {
		t.Errorf("the linker's: %q, %v", id, err)
	}
	id, err = digest()
	if !regexp.MustCompile(`^sha256-[0-9a-f]{12}$`).MatchString(id) || err != nil {
		t.Errorf("the program's: %q, %v", id, err)
	}
	for name, c := range map[string]struct {
		settings []debug.BuildSetting
		known    bool
		want     string
	}{
		"not known":          {nil, false, ""},
		"no checkout":        {nil, true, ""},
		"unchanged checkout": {[]debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "false"}}, true, "0123456789ab"},
		"changed checkout":   {[]debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := unchanged(&debug.BuildInfo{Settings: c.settings}, c.known); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
