// Package pgcluster finds PostgreSQL on a machine and runs a private cluster of it: its own data directory, its own
// loopback port, its own random password. The development stack and the tests live on such clusters.
//
// The server outlives the process that started it when that process is killed; the next [Start] attaches to it again.
// A clean end is [Cluster.Stop]. PostgreSQL refuses to run as root, so for root the server runs as another account,
// in a directory which that account can reach. POSIX systems only.
package pgcluster
