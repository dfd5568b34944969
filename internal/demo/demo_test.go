package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tokendesk/api/client"
	"tokendesk/internal/demodata"
	"tokendesk/internal/keycode"
	"tokendesk/internal/pskc"
	"tokendesk/models"
)

var secrets = demodata.Secrets{Maker: "maker", APIKeys: map[string]string{"support": "s", "warehouse": "w", "billing": "b", "auditor": "a", "relying_application": "r"}}

// Nothing runs where nothing listens, and a person is told what to do.
func TestNotRunning(t *testing.T) {
	var out bytes.Buffer
	err := Run(t.Context(), Config{APIURL: "http://127.0.0.1:1", Secrets: secrets, Out: &out})
	if _, ok := errors.AsType[*NotRunningError](err); !ok || err.Error() != "the stack is not running: start it with make run" {
		t.Error(err)
	}
	if err := Run(t.Context(), Config{APIURL: "http://127.0.0.1:1", Out: &out}); err == nil || !strings.Contains(err.Error(), "no API key for the role") {
		t.Error(err)
	}
	if out.Len() > 0 {
		t.Errorf("a story that never began was told: %s", &out)
	}
}

// A step that fails ends the story with a sentence, and what it would have told is not told.
func TestPerform(t *testing.T) {
	var out bytes.Buffer
	p := &play{cfg: Config{UIURL: "http://ui/", Namespace: "a b", Out: &out, JSON: true}}
	tell := newNarrator(p.cfg)
	err := p.perform(t.Context(), tell, 7, step{"fail", "Ada fails", func(context.Context, *play) (scene, error) {
		return scene{"The price is 1.", "order/SO-1"}, same("the price", 2, 1)
	}})
	if strings.Contains(out.String(), "The price is 1.") {
		t.Errorf("it told what is not so: %s", &out)
	}
	if err == nil || err.Error() != `step 7, "Ada fails": the price should be 1, and is 2` {
		t.Error(err)
	}
	for _, part := range []string{`"ok":false`, `"error":"the price should be 1, and is 2"`, `"link":"http://ui/namespaces/a%20b/workflows/order%2FSO-1"`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("%s is missing in %s", part, &out)
		}
	}
	api, err := client.Connect("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	err = p.perform(t.Context(), tell, 8, step{"cut", "Ada is cut off", func(ctx context.Context, _ *play) (scene, error) {
		_, err := client.Read[client.Order](api.GetOrder(ctx, "SO-1"))
		return scene{}, err
	}})
	if err == nil || !strings.HasPrefix(err.Error(), `step 8, "Ada is cut off": the stack has stopped answering: `) || strings.Contains(err.Error(), "SO-1") {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err = p.perform(gone, tell, 1, step{"wait", "Ada waits", func(ctx context.Context, _ *play) (scene, error) { return scene{}, ctx.Err() }})
	if err == nil || err.Error() != `step 1, "Ada waits": it was interrupted` {
		t.Error(err)
	}
}

func TestStory(t *testing.T) {
	names := map[string]bool{}
	for _, c := range story {
		if c.title == "" || len(c.steps) == 0 {
			t.Errorf("chapter %q is empty", c.title)
		}
		for _, s := range c.steps {
			if s.name == "" || s.title == "" || s.do == nil || names[s.name] {
				t.Errorf("step %q is not whole, or is told twice", s.name)
			}
			names[s.name] = true
		}
	}
}

func TestAwait(t *testing.T) {
	looks := 0
	found, err := await(t.Context(), "the third look", func() (int, bool, error) { looks++; return looks, looks == 3, nil })
	if err != nil || found != 3 {
		t.Errorf("found %d: %v", found, err)
	}
	broken := errors.New("broken")
	if _, err := await(t.Context(), "nothing", func() (int, bool, error) { return 0, false, broken }); !errors.Is(err, broken) {
		t.Errorf("a look that failed ended with %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := await(gone, "the mail", func() (int, bool, error) { return 0, false, nil }); err == nil || !strings.Contains(err.Error(), "for the mail") {
		t.Errorf("waiting without an end: %v", err)
	}
}

func TestRefusedAs(t *testing.T) {
	wrong := fmt.Errorf("called: %w", &client.Problem{Type: "/problems/license-key-wrong", Title: "The license key is not correct"})
	for _, c := range []struct {
		name string
		err  error
		ok   bool
	}{
		{"refused for the right reason", wrong, true},
		{"not refused", nil, false},
		{"refused for another reason", &client.Problem{Type: "/problems/license-key-used"}, false},
		{"no answer", errors.New("connection reset"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := refusedAs(models.LicenseKeyWrong, c.err); (err == nil) != c.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

// SEC-5: of keys and codes the story shows their ends only.
func TestMasks(t *testing.T) {
	if got := maskedCode("012345"); got != "••••45" {
		t.Error(got)
	}
	if got := maskedKey("7KQ2M-ABCDE-FGHJK-W4ZPC"); got != "•••••-•••••-•••••-•4ZPC" {
		t.Error(got)
	}
}

// The key is found among the words of a mail, and nothing else is taken for it.
func TestKeyIn(t *testing.T) {
	key, err := keycode.New(keycode.LicenseKeyBits)
	if err != nil {
		t.Fatal(err)
	}
	if got := keyIn(mail{Text: "Hello ADA-LOVELACE,\n\n    " + key.Reveal() + "\n\nOrder SO-10001."}); got != key.Reveal() {
		t.Errorf("found %q", got)
	}
	if got := keyIn(mail{Text: "Your order SO-10001 with invoice INV-10001. HELLO WORLD"}); got != "" {
		t.Errorf("found %q", got)
	}
}

// The maker's file opens under its key, and its tokens show the codes that the story types.
func TestToken(t *testing.T) {
	var file bytes.Buffer
	if err := secrets.Maker.WriteFile(&file, "DTW-1", "DTW-2"); err != nil {
		t.Fatal(err)
	}
	var serials []string
	for key, err := range pskc.Read(&file, pskc.Options{PreSharedKey: secrets.Maker.FileKey()}) {
		if err != nil {
			t.Fatal(err)
		}
		serials = append(serials, key.Serial)
		if !bytes.Equal(key.Secret, secrets.Maker.Seed(key.Serial)) || key.Model != demodata.TokenModel || key.Digits != 6 || key.Counter != 0 {
			t.Errorf("%s is not what its maker made", key.Serial)
		}
	}
	if strings.Join(serials, " ") != "DTW-1 DTW-2" {
		t.Errorf("the file has %v", serials)
	}
	one := token{maker: secrets.Maker, serial: "DTW-1"}
	first, second := one.press(), one.press()
	if first != secrets.Maker.Code("DTW-1", 0) || second != secrets.Maker.Code("DTW-1", 1) {
		t.Errorf("it shows %s, then %s", first, second)
	}
	for _, code := range one.hopeless(10) {
		for ahead := range int64(models.DefaultPolicy().OTP.HOTPResync) {
			if one.maker.Code(one.serial, one.counter+ahead) == code {
				t.Fatalf("%s is right at counter %d", code, one.counter+ahead)
			}
		}
	}
}
