package pskc

import (
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"strings"
)

// Options are what a reader needs beside the file.
type Options struct {
	// PreSharedKey or Passphrase opens encrypted containers. Where one is given, a secret that is not encrypted is
	// refused: somebody without the key could have put it there.
	PreSharedKey Secret
	Passphrase   Secret

	MaxBytes int64 // longest file; 0 means 64 MiB, some 60,000 keys
}

func (o Options) protected() bool { return len(o.PreSharedKey)+len(o.Passphrase) > 0 }

// Read reads the keys of a container one after another. An error of a single key is yielded in its place and
// reading goes on, so that a whole file can be reported on; after an error with Fatal set, and after one of the
// source, it ends. A file is whole and authentic only if no error was yielded: use no key of it before that.
// Serial numbers may repeat; whoever stores them must check.
func Read(r io.Reader, o Options) iter.Seq2[Key, error] {
	return all(NewReader(r, o).Next)
}

// all turns a Next into a sequence that ends with the file or its first fatal error.
func all(next func() (Key, error)) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for {
			key, err := next()
			if errors.Is(err, io.EOF) || !yield(key, err) {
				return
			}
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Fatal) {
				return
			}
		}
	}
}

// Reader reads the keys of a container one by one.
type Reader struct {
	meter      *meter
	tokens     *tokens
	xml        *xml.Decoder
	protection protection
	position   int
	inside     bool // the container was opened
	closed     bool // and closed again
	pending    []*keyOrError
	err        error
}

type keyOrError struct {
	key Key
	err error
}

// NewReader makes a reader. Nothing is read yet.
func NewReader(r io.Reader, o Options) *Reader {
	m := newMeter(r, o.MaxBytes)
	t := &tokens{raw: xml.NewDecoder(m)}
	return &Reader{meter: m, tokens: t, xml: xml.NewTokenDecoder(t), protection: protection{options: o}}
}

// Next returns the next key, or io.EOF after the last. Other errors are *Error, or come from the source. After one
// with Fatal set, and after one of the source, every call returns that error; after any other the next call goes
// on with the next key.
func (r *Reader) Next() (Key, error) {
	for len(r.pending) == 0 {
		if r.err == nil {
			r.err = r.advance()
		}
		if r.err != nil && len(r.pending) == 0 {
			return Key{}, r.err
		}
	}
	next := r.pending[0]
	r.pending = r.pending[1:]
	return next.key, next.err
}

// advance reads on by one child of the container.
func (r *Reader) advance() error {
	r.meter.nextPart()
	token, err := r.xml.Token()
	switch {
	case errors.Is(err, io.EOF) && r.closed:
		return io.EOF
	case errors.Is(err, io.EOF):
		return fatal(ErrMalformed, "the file holds no key container")
	case err != nil:
		return r.explain(err)
	}
	switch token := token.(type) {
	case xml.StartElement:
		if r.inside {
			return r.child(token)
		}
		return r.open(token)
	case xml.EndElement:
		r.inside, r.closed = false, true
	case xml.CharData:
		if !r.inside && strings.Trim(string(token), " \t\r\n\ufeff") != "" {
			return fatal(ErrMalformed, "text outside the key container")
		}
	}
	return nil
}

// open checks the root element.
func (r *Reader) open(root xml.StartElement) error {
	if r.closed {
		return fatal(ErrMalformed, "something follows the key container")
	}
	if root.Name.Local != "KeyContainer" {
		return fatal(ErrMalformed, "not a key container")
	}
	if root.Name.Space != namespace {
		return fatal(ErrUnsupported, "a key container of another name space than that of RFC 6030")
	}
	for _, attribute := range root.Attr {
		if attribute.Name.Local == "Version" && attribute.Value != "1.0" && attribute.Value != "1" {
			return fatal(ErrUnsupported, "a key container of another version than 1.0")
		}
	}
	r.inside = true
	return nil
}

// child reads one child of the container whole.
func (r *Reader) child(start xml.StartElement) error {
	if start.Name.Space != namespace {
		return r.explain(r.xml.Skip())
	}
	p := &r.protection
	switch start.Name.Local {
	case "EncryptionKey":
		if p.key != nil || r.position > 0 {
			return fatal(ErrMalformed, "an encryption key after another one or after a key package")
		}
		p.key = new(xmlEncryptionKey)
		return r.explain(r.xml.DecodeElement(p.key, &start))
	case "MACMethod":
		if p.mac != nil || r.position > 0 {
			return fatal(ErrMalformed, "a MAC method after another one or after a key package")
		}
		p.mac = new(xmlMACMethod)
		return r.explain(r.xml.DecodeElement(p.mac, &start))
	case "KeyPackage":
		var x xmlPackage
		if err := r.xml.DecodeElement(&x, &start); err != nil {
			return r.explain(err)
		}
		return r.keys(&x)
	default: // Extensions, Signature
		return r.explain(r.xml.Skip())
	}
}

// keys converts the keys of a package.
func (r *Reader) keys(x *xmlPackage) error {
	for i := range x.Keys {
		r.position++
		if isPIN(x.Keys[i].Algorithm) {
			continue
		}
		key := identify(&x.Device, &x.Keys[i])
		key.Position = r.position
		err := convert(&key, &x.Device, &x.Keys[i], &r.protection)
		switch {
		case err == nil:
			r.pending = append(r.pending, &keyOrError{key: key})
		case err.Fatal:
			return err
		default:
			r.pending = append(r.pending, &keyOrError{err: err.of(key)})
		}
	}
	return nil
}

// explain turns an error of the decoder into one of this package. What the decoder says is left out, because it
// quotes the file, and the file holds secrets.
func (r *Reader) explain(err error) error {
	if err == nil {
		return nil
	}
	if r.meter.err != nil {
		return r.meter.err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	line, column := r.tokens.raw.InputPos()
	return fatal(ErrMalformed, "not well-formed XML in UTF-8, at line %d, column %d", line, column)
}
