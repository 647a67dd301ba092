// Package config is what an operator can set: one struct, each member a flag with its environment variable, default
// and meaning. docs/config.md is generated from it.
package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Config is everything that can be set. The tags are kong's; an environment variable wins over the default, a flag
// over both.
type Config struct {
	Listen string `env:"POSTHORN_LISTEN" default:"127.0.0.1:8080" help:"Address of the API."`

	WorkerListen string `env:"POSTHORN_WORKER_LISTEN" help:"Address of a worker's /healthz, /readyz and /metrics, without credentials. Default: none; a process with an API has them there."`

	Data        string `env:"POSTHORN_DATA" default:"./data" help:"Folder for the embedded mode's files: databases, keys."`
	DatabaseURL string `env:"POSTHORN_DATABASE_URL" help:"postgres://… or sqlite:FILE. Default: a SQLite file in the data folder; required by api, worker and migrate."`
	// DatabaseConnections bounds Postgres' pool, see store.Options; 0 = 20.
	DatabaseConnections int `env:"POSTHORN_DATABASE_CONNECTIONS" default:"20" help:"How many connections to Postgres each process has at most, 2 to 1000; a worker has one more, by which it is woken. SQLite has a fixed number."`

	TemporalListen   string `env:"POSTHORN_TEMPORAL_LISTEN" default:"127.0.0.1:7233" help:"Address of the embedded Temporal server."`
	TemporalUIListen string `env:"POSTHORN_TEMPORAL_UI_LISTEN" default:"127.0.0.1:8233" help:"Address of the embedded Temporal web UI; off for none."`
	TemporalUIURL    string `name:"temporal-ui-url" env:"POSTHORN_TEMPORAL_UI_URL" help:"Where temporal_url links to. The embedded mode sets it."`
	TemporalAddress  string `env:"TEMPORAL_ADDRESS" help:"Address of the Temporal server, for worker and migrate. The SDK's other TEMPORAL_… variables count too."`
	TemporalNS       string `name:"temporal-namespace" env:"TEMPORAL_NAMESPACE" default:"default" help:"Temporal namespace."`

	OperatorKey string `env:"POSTHORN_OPERATOR_KEY" help:"The first operator key, 32 characters or more. The embedded mode generates one where it is absent."`
	MasterKeys  string `env:"POSTHORN_MASTER_KEYS" help:"Keys that encrypt secrets at rest: base64 of 32 random bytes or more each, comma-separated, newest first. The embedded mode generates one."`

	AllowHTTP           bool     `env:"POSTHORN_ALLOW_HTTP" help:"Accept http:// endpoints. The embedded mode accepts them for loopback."`
	AllowHTTPLoopback   bool     `name:"allow-http-loopback" env:"POSTHORN_ALLOW_HTTP_LOOPBACK" help:"Accept http:// endpoints on loopback addresses, where those are allowed, as the embedded mode does."`
	EgressAllowCIDRs    []string `name:"egress-allow-cidrs" env:"POSTHORN_EGRESS_ALLOW_CIDRS" help:"Private ranges that endpoints may be in. Default in the embedded mode: loopback."`
	EgressDenyCIDRs     []string `name:"egress-deny-cidrs" env:"POSTHORN_EGRESS_DENY_CIDRS" help:"Ranges that endpoints may never be in, even inside the allowed ones. What a process knows of its own deployment (its listeners, the database, Temporal) is denied anyway, by address and port."`
	EgressPorts         []uint16 `env:"POSTHORN_EGRESS_PORTS" default:"80,443" help:"Ports that endpoints may have outside the allowed ranges; 80 and 443 always are among them."`
	EgressAllowNAT64    bool     `name:"egress-allow-nat64" env:"POSTHORN_EGRESS_ALLOW_NAT64" help:"Let addresses of 64:ff9b::/96 (RFC 6052) through where the IPv4 address inside is public: for machines without IPv4, behind DNS64 and NAT64."`
	EgressProxyURL      string   `name:"egress-proxy-url" env:"POSTHORN_EGRESS_PROXY_URL" help:"HTTP proxy for deliveries; it must then refuse private targets."`
	EgressBindAddress   string   `env:"POSTHORN_EGRESS_BIND_ADDRESS" help:"Local address that deliveries are sent from."`
	SourceIPsProduction []string `name:"source-ips-production" env:"POSTHORN_SOURCE_IPS_PRODUCTION" help:"Addresses that /v1/source-ips publishes for production."`
	SourceIPsDemo       []string `name:"source-ips-demo" env:"POSTHORN_SOURCE_IPS_DEMO" help:"Addresses that /v1/source-ips publishes for demo."`

	RateLimitKey         float64 `env:"POSTHORN_RATE_LIMIT_KEY" help:"Requests per second that each API process takes of one key, the operator key included; more get 429. 0 or unset: any number."`
	RateLimitApplication float64 `env:"POSTHORN_RATE_LIMIT_APPLICATION" help:"Requests per second that each API process takes for one application, whatever their key; more get 429. 0 or unset: any number."`

	EventsPerWorkflow int `env:"POSTHORN_EVENTS_PER_WORKFLOW" default:"1" help:"How many events may share a Temporal workflow while more of an application wait than can be started at once: 1 to 50. 1 gives each its own; 50 costs a fraction."`

	ProfilesDir string `env:"POSTHORN_PROFILES_DIR" help:"Folder with more profiles (*.yaml)."`

	Retention time.Duration `env:"POSTHORN_RETENTION" default:"720h" help:"How long events, their payloads and logs are kept after the last thing that happened to them; an open delivery keeps them longer. 1h or more; 0 keeps them for ever."`

	OTLPEndpoint string `name:"otlp-endpoint" env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"URL of an OpenTelemetry collector, http://collector:4318 for example, that traces are sent to; give all processes the same. OpenTelemetry's other variables for headers, certificates, sampler and service name count too. Default: no traces."`
	OTLPProtocol string `name:"otlp-protocol" env:"OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf" enum:"http/protobuf,grpc" help:"How the collector is spoken to: ${enum}."`

	LogLevel  string `env:"POSTHORN_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	LogFormat string `env:"POSTHORN_LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log on standard error: ${enum}."`
}

// minOperatorKey is the least length of an operator key: as many hexadecimal digits are 128 bits.
const minOperatorKey = 32

// maxRateLimit is more than one process can answer, per second.
const maxRateLimit = 1_000_000

// maxEventsPerWorkflow is how many invocations a workflow holds at most; see package workflows.
const maxEventsPerWorkflow = 50

// The bounds of DatabaseConnections: one for what runs in the background beside one for requests, and more than one
// Postgres is good for.
const (
	minDatabaseConnections = 2
	maxDatabaseConnections = 1000
)

// minRetention is the least retention other than none: longer than any attempt, and than clocks differ.
const minRetention = time.Hour

// Validate names everything that is wrong, each by its flag and variable.
func (c *Config) Validate() error {
	var faults []string
	add := func(name, format string, args ...any) {
		faults = append(faults, name+": "+fmt.Sprintf(format, args...))
	}
	if c.OperatorKey != "" && len(c.OperatorKey) < minOperatorKey {
		add("--operator-key (POSTHORN_OPERATOR_KEY)", "must be %d characters or more", minOperatorKey)
	}
	for name, limit := range map[string]float64{
		"--rate-limit-key (POSTHORN_RATE_LIMIT_KEY)":                 c.RateLimitKey,
		"--rate-limit-application (POSTHORN_RATE_LIMIT_APPLICATION)": c.RateLimitApplication,
	} {
		if !(limit >= 0 && limit <= maxRateLimit) { // NaN is neither
			add(name, "must be 0 to %d requests per second", maxRateLimit)
		}
	}
	for name, list := range map[string][]string{
		"--egress-allow-cidrs (POSTHORN_EGRESS_ALLOW_CIDRS)": c.EgressAllowCIDRs,
		"--egress-deny-cidrs (POSTHORN_EGRESS_DENY_CIDRS)":   c.EgressDenyCIDRs,
	} {
		for _, cidr := range list {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				add(name, "%q is not a prefix such as 10.0.0.0/8", cidr)
			}
		}
	}
	for name, list := range map[string][]string{
		"--source-ips-production (POSTHORN_SOURCE_IPS_PRODUCTION)": c.SourceIPsProduction,
		"--source-ips-demo (POSTHORN_SOURCE_IPS_DEMO)":             c.SourceIPsDemo,
	} {
		for _, ip := range list {
			if _, err := netip.ParseAddr(ip); err != nil {
				add(name, "%q is not an IP address", ip)
			}
		}
	}
	if c.EgressBindAddress != "" {
		if _, err := netip.ParseAddr(c.EgressBindAddress); err != nil {
			add("--egress-bind-address (POSTHORN_EGRESS_BIND_ADDRESS)", "%q is not an IP address", c.EgressBindAddress)
		}
	}
	if c.TemporalUIURL != "" {
		if u, err := url.Parse(c.TemporalUIURL); err != nil || u.Host == "" {
			add("--temporal-ui-url (POSTHORN_TEMPORAL_UI_URL)", "is not an absolute URL")
		}
	}
	if n := c.DatabaseConnections; n != 0 && (n < minDatabaseConnections || n > maxDatabaseConnections) {
		add("--database-connections (POSTHORN_DATABASE_CONNECTIONS)", "must be %d to %d", minDatabaseConnections, maxDatabaseConnections)
	}
	if c.EventsPerWorkflow < 0 || c.EventsPerWorkflow > maxEventsPerWorkflow {
		add("--events-per-workflow (POSTHORN_EVENTS_PER_WORKFLOW)", "must be 1 to %d", maxEventsPerWorkflow)
	}
	if c.OTLPEndpoint != "" {
		if u, err := url.Parse(c.OTLPEndpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			add("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)", "is not an http or https URL")
		}
	}
	if c.Retention != 0 && c.Retention < minRetention {
		add("--retention (POSTHORN_RETENTION)", "must be 1h or more, or 0 to keep everything")
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %s", strings.Join(faults, "; "))
}

// Database is the URL to open: the one given, else the SQLite file in the data folder.
func (c *Config) Database() string {
	if c.DatabaseURL != "" {
		return c.DatabaseURL
	}
	return "sqlite:" + filepath.Join(c.Data, "posthorn.db")
}
