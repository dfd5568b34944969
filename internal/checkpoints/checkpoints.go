// Package checkpoints keeps the audit trail's signed checkpoints in a file, outside the database that they vouch for: whoever may do
// anything there can cut the trail off behind a checkpoint, but not the file (SEC-3).
package checkpoints

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"tokendesk/internal/seal"
	"tokendesk/models"
)

// Append writes a checkpoint as the last line of a file, which it makes where there is none.
func Append(file string, c models.Checkpoint) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	line := c.String() + "\n"
	if torn(f) {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	return nil
}

// torn reports whether the last line has no end: a process died while it wrote.
func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Known is what a file says.
type Known struct {
	// Checkpoints are those that the trail has to have: of each class the newest one, and each that the next line does not follow
	// from. A trail that was cut off and sealed anew goes on from an earlier batch, and its new checkpoints do not hide the old one.
	Checkpoints []models.Checkpoint
	Rejected    []Rejected // the first hundred
}

// Rejected is a line that proves nothing.
type Rejected struct {
	Line   int // counts from 1
	Detail string
}

const mostRejected = 100

// Of counts the known checkpoints of a class.
func (k Known) Of(class models.RetentionClass) (n int) {
	for _, c := range k.Checkpoints {
		if c.Class == class {
			n++
		}
	}
	return n
}

// Latest reads a file and checks the signature of each line: what cannot be verified is reported and not trusted. A file that
// does not exist yet says nothing. It takes as long as verifying the signatures of the trail itself.
func Latest(ctx context.Context, file string, keys *seal.Verifier) (Known, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Known{}, nil
	}
	if err != nil {
		return Known{}, fmt.Errorf("read the checkpoints: %w", err)
	}
	defer f.Close()
	r := reader{keys: keys, newest: map[models.RetentionClass]models.Checkpoint{}, met: map[place]bool{}}
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line without an end is being written
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return Known{}, fmt.Errorf("read the checkpoints: %w", err)
		}
		if line != "\n" {
			r.take(n, line)
		}
	}
	for _, class := range models.RetentionClasses() {
		if c, ok := r.newest[class]; ok {
			r.keep(c)
		}
	}
	return r.known, nil
}

// place is where in the trail a checkpoint stands.
type place struct {
	class models.RetentionClass
	epoch int
	batch int64
}

// reader goes through the lines of a file.
type reader struct {
	keys   *seal.Verifier
	newest map[models.RetentionClass]models.Checkpoint // the line read last
	met    map[place]bool                              // places of known.Checkpoints
	known  Known
}

func (r *reader) take(n int, line string) {
	c, err := models.ParseCheckpoint(line)
	if err == nil {
		err = r.keys.Verify(c.Message(), seal.Signature{KeyID: c.KeyID, Value: c.Signature})
	}
	if err != nil {
		if len(r.known.Rejected) < mostRejected {
			r.known.Rejected = append(r.known.Rejected, Rejected{n, err.Error()})
		}
		return
	}
	if last, ok := r.newest[c.Class]; ok && !follows(c, last) {
		r.keep(last)
	}
	r.newest[c.Class] = c
}

// keep keeps a checkpoint. Of two that stand in the same place the first one counts: the other was made when the trail was written anew.
func (r *reader) keep(c models.Checkpoint) {
	at := place{c.Class, c.Epoch, c.Batch}
	if !r.met[at] {
		r.met[at] = true
		r.known.Checkpoints = append(r.known.Checkpoints, c)
	}
}

// follows reports whether a checkpoint vouches for another one: it is the next one of the same chain, or the same one again.
func follows(c, last models.Checkpoint) bool {
	if c.Batch == last.Batch {
		return bytes.Equal(c.Message(), last.Message())
	}
	return c.Epoch == last.Epoch && c.Batch == last.Batch+1 && c.AfterID == last.AfterID && c.From == last.To && c.ThroughID >= last.ThroughID
}
