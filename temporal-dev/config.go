package temporaldev

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
)

const (
	clusterName = "active"
	localhost   = "127.0.0.1"

	// historyShards cannot change for an existing file. One, because a file has
	// one writer: more shards would only queue behind it.
	historyShards = 1
)

// dialledServices are the services that the others call, so that their ports
// have to be known beforehand.
func dialledServices() []primitives.ServiceName {
	return []primitives.ServiceName{primitives.HistoryService, primitives.MatchingService}
}

// persistenceConfig puts the main store and visibility into a file each.
func persistenceConfig(files storeFiles) *config.Persistence {
	return &config.Persistence{
		DefaultStore:     "main",
		VisibilityStore:  "visibility",
		NumHistoryShards: historyShards,
		DataStores: map[string]config.DataStore{
			"main":       {SQL: sqlConfig(files.main)},
			"visibility": {SQL: sqlConfig(files.visibility)},
		},
	}
}

// serverConfig is the server's static configuration: a frontend at the address,
// dialledServices on the ports of localhost, no metrics, no profiler, no archive,
// no authentication.
func serverConfig(frontend netip.AddrPort, ports []int, store *config.Persistence) *config.Config {
	c := &config.Config{
		Global: config.Global{Membership: config.Membership{
			MaxJoinDuration:  30 * time.Second,
			BroadcastAddress: localhost,
		}},
		Persistence: *store,
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend.String()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: frontend.String()},
		Services: map[string]config.Service{
			string(primitives.FrontendService): {RPC: config.RPC{GRPCPort: int(frontend.Port()), BindOnIP: frontend.Addr().String()}},
			// Nobody calls the worker service: any port will do.
			string(primitives.WorkerService): {RPC: config.RPC{GRPCPort: 0, BindOnIP: localhost}},
		},
	}
	for i, name := range dialledServices() {
		c.Services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnIP: localhost}}
	}
	disableArchival(c)
	return c
}

func disableArchival(c *config.Config) {
	const disabled = "disabled"
	c.Archival.History.State = disabled
	c.Archival.Visibility.State = disabled
	c.NamespaceDefaults.Archival.History.State = disabled
	c.NamespaceDefaults.Archival.Visibility.State = disabled
}

// staticHosts tells each service where the others are. Without it they would
// find each other through the table of cluster members, which after a restart
// still names the ports of the last run ("Not enough hosts to serve the
// request", temporalio/cli#632).
func staticHosts(c *config.Config) map[primitives.ServiceName]static.Hosts {
	hosts := make(map[primitives.ServiceName]static.Hosts, len(c.Services))
	for name, service := range c.Services {
		address := net.JoinHostPort(service.RPC.BindOnIP, strconv.Itoa(service.RPC.GRPCPort))
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(address)
	}
	return hosts
}
