package store

import (
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Addresses are the host:port of every server that the database URL names; none for SQLite and for Unix sockets.
func (s *Store) Addresses() []string {
	if !s.postgres() {
		return nil
	}
	parsed, err := pgconn.ParseConfig(s.url)
	if err != nil { // never: the database is open
		return nil
	}
	var out []string
	add := func(host string, port uint16) {
		if network, _ := pgconn.NetworkAddress(host, port); network == "tcp" {
			out = append(out, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}
	}
	add(parsed.Host, parsed.Port)
	for _, f := range parsed.Fallbacks {
		add(f.Host, f.Port)
	}
	return out
}
