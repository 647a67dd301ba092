package app

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/egress"
)

// egressConfig is the guard that the configuration asks for. The embedded mode, where nothing is said, lets loopback
// through and nothing else that is private: the receiver under development runs on the same machine.
func egressConfig(cfg config.Config, roles Roles) (egress.Config, error) {
	guard := egress.Config{
		Ports: cfg.EgressPorts, AllowNAT64: cfg.EgressAllowNAT64,
		AllowHTTP: cfg.AllowHTTP, AllowHTTPLoopback: cfg.AllowHTTPLoopback || roles.Embedded,
	}
	for list, cidrs := range map[*[]netip.Prefix][]string{
		&guard.AllowCIDRs: cfg.EgressAllowCIDRs, &guard.DenyCIDRs: cfg.EgressDenyCIDRs,
	} {
		for _, cidr := range cidrs {
			prefix, err := netip.ParsePrefix(cidr)
			if err != nil {
				return guard, fmt.Errorf("egress range: %w", err)
			}
			*list = append(*list, prefix)
		}
	}
	if roles.Embedded {
		if len(cfg.EgressAllowCIDRs) == 0 {
			guard.AllowCIDRs = egress.LoopbackCIDRs()
		}
	}
	if cfg.EgressProxyURL != "" {
		proxy, err := url.Parse(cfg.EgressProxyURL)
		if err != nil {
			return guard, errors.New("--egress-proxy-url (POSTHORN_EGRESS_PROXY_URL) cannot be parsed")
		}
		guard.ProxyURL = proxy
	}
	if cfg.EgressBindAddress != "" {
		bind, err := netip.ParseAddr(cfg.EgressBindAddress)
		if err != nil {
			return guard, fmt.Errorf("egress bind address: %w", err)
		}
		guard.BindAddress = bind
	}
	return guard, nil
}
