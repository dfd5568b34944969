package main

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"time"

	"tokendesk/models"
)

// asker is a relying application with one keep-alive connection. It is written down to the socket, because on a small machine
// a comfortable client would take the processor that is to be measured.
type asker struct {
	conn      net.Conn
	head      string
	out, in   []byte
	latencies []time.Duration
	accepted  int
}

func newAsker(address string, key models.Secret) (*asker, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	head := "POST /v1/verifications HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + key.Reveal() +
		"\r\nContent-Type: application/json\r\nContent-Length: "
	return &asker{conn: conn, head: head, in: make([]byte, 4096)}, nil
}

func (a *asker) close() { _ = a.conn.Close() }

// verify asks whether a code is right.
func (a *asker) verify(userID, code string) (accepted bool, err error) {
	const before, between, after = `{"user_id":"`, `","code":"`, `"}`
	b := append(a.out[:0], a.head...)
	b = strconv.AppendInt(b, int64(len(before)+len(userID)+len(between)+len(code)+len(after)), 10)
	b = append(b, "\r\n\r\n"...)
	for _, part := range []string{before, userID, between, code, after} {
		b = append(b, part...)
	}
	a.out = b
	if _, err := a.conn.Write(b); err != nil {
		return false, err
	}
	answer, err := a.read()
	if err != nil {
		return false, err
	}
	accepted = bytes.Contains(answer, []byte(`"accepted":true`))
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) || !accepted && !bytes.Contains(answer, []byte(`"wrong_code"`)) {
		return false, fmt.Errorf("a right code was answered by: %s", answer)
	}
	return accepted, nil
}

var lengthHeader = []byte("Content-Length: ")

// read reads one whole answer.
func (a *asker) read() ([]byte, error) {
	have := 0
	for {
		n, err := a.conn.Read(a.in[have:])
		if err != nil {
			return nil, err
		}
		have += n
		head, _, ok := bytes.Cut(a.in[:have], []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		_, rest, ok := bytes.Cut(head, lengthHeader)
		if !ok {
			return nil, fmt.Errorf("no length in: %s", head)
		}
		digits, _, _ := bytes.Cut(rest, []byte("\r"))
		length, err := strconv.Atoi(string(digits))
		if err != nil {
			return nil, err
		}
		if have >= len(head)+4+length {
			return a.in[:have], nil
		}
	}
}
