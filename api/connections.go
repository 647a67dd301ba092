package api

import (
	"net"

	"golang.org/x/net/netutil"
)

// MaxConnections is how many connections one API process serves at a time; more wait to be accepted. One that sends
// nothing is closed after NewServer's ReadHeaderTimeout.
const MaxConnections = 10_000

// LimitConnections bounds a listener's connections by MaxConnections, and by half of the files that the process may
// have open: the other half is for the database and for deliveries.
func LimitConnections(l net.Listener) net.Listener {
	most := MaxConnections
	if files := openFiles(); files > 0 {
		most = int(min(uint64(most), files/2))
	}
	return limitConnections(l, most)
}

func limitConnections(l net.Listener, most int) net.Listener { return netutil.LimitListener(l, most) }
