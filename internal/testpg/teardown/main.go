// Command teardown stops the PostgreSQL server that the tests of this checkout share.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tokendesk/internal/testpg"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done, err := testpg.Teardown(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "teardown:", err)
		os.Exit(1)
	case !done:
		fmt.Fprintln(os.Stderr, "teardown: other tests are running, so their PostgreSQL server is left alone")
	}
}
