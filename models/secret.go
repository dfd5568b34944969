package models

import "log/slog"

const redacted = "[redacted]"

// Secret is text that must not be seen: a license key, an API key, a one-time password. It redacts itself in
// every rendering that logs, JSON and error messages use (SEC-5); Reveal is the one way to the text.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// SecretBytes is a Secret of bytes: a token seed, a key.
type SecretBytes []byte

// Reveal returns the bytes themselves.
func (s SecretBytes) Reveal() []byte { return s }

func (SecretBytes) String() string               { return redacted }
func (SecretBytes) GoString() string             { return redacted }
func (SecretBytes) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (SecretBytes) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
