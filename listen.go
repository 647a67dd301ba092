package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/alecthomas/kong"

	posthorn "github.com/posthorn/posthorn/clients/go"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/listen"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// listenAddress is where deliveries are taken without --listen: the variable POSTHORN_LISTEN is the API's.
const listenAddress = "127.0.0.1:9000"

type listenCmd struct {
	Profile      string            `default:"standard" help:"The profile that deliveries come by."`
	Secret       []string          `env:"POSTHORN_SECRET" help:"The subscription's signing secret; or, where the profile sends a security key, that. Several while two live."`
	PublicKey    []string          `help:"The subscription's public_key (whpk_…), instead of a secret."`
	Require      map[string]string `help:"A header that must come with this value, as NAME=VALUE."`
	HandshakeKey string            `help:"The application's key, for profiles that verify URLs: GET /api/messages/config/token."`
	Respond      int               `default:"200" help:"The status that answers deliveries; those that are wrong get 401."`
	Delay        time.Duration     `help:"How long each answer is held back."`
	Tolerance    time.Duration     `default:"5m" help:"How far a delivery's timestamp may be from now."`
	Count        int               `help:"End after so many deliveries, with exit status 1 if one was wrong. 0 = never."`
	JSON         bool              `name:"json" help:"Print one JSON object a line."`
}

// Help is shown under the command's own --help.
func (listenCmd) Help() string {
	return "It listens on " + listenAddress + ", or where --listen says."
}

// Run prints deliveries until it is asked to stop.
func (l listenCmd) Run(ctx context.Context, command *kong.Context, cfg *config.Config) error {
	if l.Respond < 200 || l.Respond > 599 || l.Count < 0 || l.Delay < 0 || l.Tolerance <= 0 {
		return errors.New("--respond must be 200 to 599, --tolerance more than 0, --count and --delay not negative")
	}
	registry, err := profiles.New(cfg.ProfilesDir)
	if err != nil {
		return err
	}
	profile, ok := registry.Get(l.Profile)
	if !ok {
		return fmt.Errorf("there is no profile %q; there are %v", l.Profile, registry.Names())
	}
	options, err := l.options(profile)
	if err != nil {
		return err
	}
	options.Address = addressOf(command, cfg)
	return listen.Run(ctx, options, func(url string) {
		fmt.Fprintf(os.Stderr, "Listening on %s for deliveries of the profile %s.\n", url, l.Profile)
	})
}

// addressOf is what --listen says on the command line.
func addressOf(command *kong.Context, cfg *config.Config) string {
	for _, part := range command.Path {
		if part.Flag != nil && part.Flag.Name == "listen" {
			return cfg.Listen
		}
	}
	return listenAddress
}

// options are what a receiver of the profile expects.
func (l listenCmd) options(p *profiles.Profile) (listen.Options, error) {
	o := listen.Options{
		Status: l.Respond, Delay: l.Delay, Count: l.Count, JSON: l.JSON, Out: os.Stdout,
		Verifier: posthorn.Verifier{
			Scheme: string(p.Signing.Scheme), Header: p.Signing.Header, PublicKeys: l.PublicKey, Headers: map[string]string{},
			Tolerance: l.Tolerance,
		},
	}
	maps.Copy(o.Verifier.Headers, l.Require)
	switch {
	case p.Signing.Scheme != models.SigningNone:
		o.Verifier.Secrets = l.Secret
	case p.Auth.SecurityKeyHeader != "" && len(l.Secret) == 1:
		o.Verifier.Headers[p.Auth.SecurityKeyHeader] = l.Secret[0]
	case len(l.Secret) > 0:
		return o, fmt.Errorf("the profile %s has no secret; --require NAME=VALUE checks a header", p.Name)
	}
	if len(l.PublicKey) > 0 && p.Signing.Scheme != models.SigningStandard {
		return o, fmt.Errorf("the profile %s has no public key", p.Name)
	}
	return o, l.handshake(p, &o)
}

// handshake sets what a GET is answered with.
func (l listenCmd) handshake(p *profiles.Profile, o *listen.Options) (err error) {
	if l.HandshakeKey == "" {
		return nil
	}
	if p.Verification.Kind != profiles.VerificationHandshake {
		return fmt.Errorf("the profile %s does not verify URLs", p.Name)
	}
	o.Handshake, err = json.Marshal(map[string]string{p.Verification.Member: l.HandshakeKey})
	return err
}
