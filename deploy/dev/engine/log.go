package engine

import (
	"fmt"
	"io"
	"os"
	"sync"

	"go.temporal.io/server/common/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// tap is a writer that can be shut. Parts of a server that was stopped go on for a while, and complain of the others' end
// into a file that is closed by then.
type tap struct {
	mu   sync.Mutex
	w    io.Writer
	shut bool
}

func (t *tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return len(p), nil
	}
	return t.w.Write(p)
}

func (t *tap) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
}

// newLogger writes warnings and worse. What the server calls fatal ends the process, so that is also said aloud.
func newLogger(w io.Writer) log.Logger {
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding), zapcore.AddSync(w), zapcore.WarnLevel)
	return log.NewZapLogger(zap.New(core, zap.WithFatalHook(sayAndExit{})))
}

type sayAndExit struct{}

func (sayAndExit) OnWrite(entry *zapcore.CheckedEntry, _ []zapcore.Field) {
	fmt.Fprintln(os.Stderr, "the Temporal server gave up:", entry.Message)
	os.Exit(1)
}
