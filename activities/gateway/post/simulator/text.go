package simulator

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// The texts that a page of a PDF shows (PDF 32000-1, 9.4.3), and what is escaped in them (7.3.4.2).
var (
	shown   = regexp.MustCompile(`(?s)\(((?:\\.|[^\\)])*)\) ?Tj`)
	escaped = regexp.MustCompile(`(?s)\\(.)`)
)

// maxPage bounds what is read of one page, in bytes.
const maxPage = 1 << 20

// textOf is what a reader sees of a PDF, a line for each piece. It reads what our own papers are made of: pages that are deflated, or
// not at all, with texts in Windows-1252 or, where a font is carried along, in UTF-16.
func textOf(pdf []byte) string {
	var pieces [][]byte
	for part := range bytes.SplitSeq(pdf, []byte("\nstream\n")) {
		content, _, _ := bytes.Cut(part, []byte("\nendstream"))
		if inflate, err := zlib.NewReader(bytes.NewReader(content)); err == nil {
			if content, err = io.ReadAll(io.LimitReader(inflate, maxPage)); err != nil {
				continue
			}
		}
		for _, m := range shown.FindAllSubmatch(content, -1) {
			pieces = append(pieces, escaped.ReplaceAllFunc(m[1], func(e []byte) []byte {
				if e[1] == 'r' {
					return []byte{'\r'}
				}
				return e[1:]
			}))
		}
	}
	wide := bytes.IndexByte(bytes.Join(pieces, nil), 0) >= 0 // a paper is written in one font
	var text strings.Builder
	for _, piece := range pieces {
		text.WriteString(decoded(piece, wide) + "\n")
	}
	return text.String()
}

func decoded(piece []byte, wide bool) string {
	if !wide {
		text, _ := charmap.Windows1252.NewDecoder().Bytes(piece) // never fails: each byte is a character
		return string(text)
	}
	units := make([]uint16, len(piece)/2)
	for i := range units {
		units[i] = uint16(piece[2*i])<<8 | uint16(piece[2*i+1])
	}
	return string(utf16.Decode(units))
}
