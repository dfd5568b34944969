package pskc

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
)

// Limits against hostile files. A part is a key package, another child of the container, or a CSV row; a key
// package has about a kilobyte.
const (
	defaultMaxBytes = 64 << 20
	maxPart         = 64 << 10
	maxDepth        = 32
	maxAttributes   = 64
)

var (
	errFileTooLarge = fatal(ErrTooLarge, "the file is longer than allowed")
	errPartTooLarge = fatal(ErrTooLarge, "a single entry is longer than %d bytes", maxPart)
	errDoctype      = fatal(ErrMalformed, "document type definitions are not allowed")
	errDepth        = fatal(ErrTooLarge, "elements are nested deeper than %d", maxDepth)
	errAttributes   = fatal(ErrTooLarge, "an element has more than %d attributes", maxAttributes)
)

// meter passes bytes on until the file or the present part has too many. It is a ByteReader, so that the XML
// decoder takes from it what it needs and no more.
type meter struct {
	r           *bufio.Reader
	total, part int64 // bytes still allowed
	err         error // why reading ended, if not at the end of the file
}

func newMeter(r io.Reader, maxBytes int64) *meter {
	if maxBytes <= 0 {
		maxBytes = defaultMaxBytes
	}
	return &meter{r: bufio.NewReader(r), total: maxBytes, part: maxPart}
}

// nextPart begins a new part.
func (m *meter) nextPart() { m.part = maxPart }

func (m *meter) ReadByte() (byte, error) {
	if err := m.exhausted(); err != nil {
		return 0, err
	}
	b, err := m.r.ReadByte()
	if err == nil {
		m.total--
		m.part--
	}
	return b, m.note(err)
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.exhausted(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.total, m.part)])
	m.total -= int64(n)
	m.part -= int64(n)
	return n, m.note(err)
}

func (m *meter) exhausted() error {
	switch {
	case m.err != nil:
	case m.part <= 0:
		m.err = errPartTooLarge
	case m.total <= 0:
		if _, err := m.r.Peek(1); errors.Is(err, io.EOF) {
			return io.EOF // just as long as allowed
		}
		m.err = errFileTooLarge
	}
	return m.err
}

func (m *meter) note(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return err
}

// tokens passes raw XML tokens on, but no document type (and with it no entities) and no deep nesting. The decoder
// above it does the name spaces and checks that tags match.
type tokens struct {
	raw   *xml.Decoder
	depth int
}

// Token implements xml.TokenReader.
func (t *tokens) Token() (xml.Token, error) {
	token, err := t.raw.RawToken()
	switch token := token.(type) {
	case xml.Directive:
		return nil, errDoctype
	case xml.StartElement:
		if t.depth++; t.depth > maxDepth {
			return nil, errDepth
		}
		if len(token.Attr) > maxAttributes {
			return nil, errAttributes
		}
	case xml.EndElement:
		t.depth--
	}
	return token, err
}
