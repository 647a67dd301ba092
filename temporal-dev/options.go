package temporaldev

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
)

// UIOff as Options.UIAddress starts no web UI.
const UIOff = "off"

// Options says where the embedded Temporal keeps its data and where it
// listens. Everything but Dir has a default.
type Options struct {
	// Dir is the folder that holds the two SQLite files; it is created (0700)
	// when missing. One process at a time may use it: a second one gets an
	// error that says so. Required.
	Dir string

	// Address is the gRPC address of the frontend, which clients and workers
	// connect to. The host must be loopback, because nothing here authenticates
	// anyone; port 0 picks a free one, see [Server.Address].
	// Default "127.0.0.1:7233".
	Address string

	// UIAddress is the address of the web UI: loopback too, port 0 picks a free
	// one, [UIOff] starts no UI. Default "127.0.0.1:8233".
	UIAddress string

	// Namespace is created when missing. Default "default".
	Namespace string

	// Retention is how long a closed workflow stays readable. The server adds
	// up to 30 minutes of jitter. A changed value applies to workflows that
	// close after the restart. At least an hour; default 24 hours.
	Retention time.Duration

	// SearchAttributes are the custom search attributes of the namespace. They
	// are usable as soon as Start returns; one that an earlier start did not
	// have is added, one that is gone from the map stays. An attribute cannot
	// change its type: that is an error.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Logger receives what the server says at warn and above, a repeated message
	// at most every ten seconds. Default: nothing is logged.
	Logger *slog.Logger
}

// minRetention is the server's own minimum (system.namespaceMinRetentionLocal).
const minRetention = time.Hour

// withDefaults returns o complete and checked.
func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("temporal-dev: Dir is empty; name the data folder")
	}
	o.Address = cmp.Or(o.Address, "127.0.0.1:7233")
	o.UIAddress = cmp.Or(o.UIAddress, "127.0.0.1:8233")
	o.Namespace = cmp.Or(o.Namespace, "default")
	o.Retention = cmp.Or(o.Retention, 24*time.Hour)
	if o.Retention < minRetention {
		return o, fmt.Errorf("temporal-dev: retention %s is under the minimum of %s", o.Retention, minRetention)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	var err error
	if o.Address, err = loopback(o.Address); err != nil {
		return o, err
	}
	if o.UIAddress != UIOff {
		o.UIAddress, err = loopback(o.UIAddress)
	}
	return o, err
}

// loopback returns the address with a numeric host, or says why it is refused.
// An empty host would mean every interface, so it is refused too.
func loopback(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("temporal-dev: address %q: %w", address, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("temporal-dev: %s is not a loopback address; the embedded Temporal has no authentication "+
			"and listens on 127.0.0.1, ::1 or localhost only", address)
	}
	return net.JoinHostPort(ip.String(), port), nil
}
