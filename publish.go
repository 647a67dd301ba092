package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	posthorn "github.com/posthorn/posthorn/clients/go"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/publish"
)

// maxPayload is the largest payload that is read, in bytes; more than the API takes, which then says so.
const maxPayload = 8 << 20

type publishCmd struct {
	Application string `arg:"" help:"The application's id."`

	Type    string `required:"" short:"t" help:"The event's type, by name or wire value."`
	Payload string `required:"" short:"d" help:"Any JSON value: as it is, @FILE, or - for standard input. It reaches receivers byte for byte."`

	EntityID       *string `name:"entity-id" help:"What the event is about."`
	OccurredAt     *string `help:"When it happened, RFC 3339. Default: now."`
	NotBefore      *string `help:"When the first attempt may be made, RFC 3339."`
	Sequence       *int64  `help:"Its place among the events of its entity. Default: the order of acceptance."`
	IdempotencyKey *string `help:"Makes a repeat harmless."`

	Wait    bool          `help:"Follow the event until each invocation has ended; exit status 1 if one did not succeed."`
	Timeout time.Duration `default:"1m" help:"How long --wait waits; 0 = for ever."`
	JSON    bool          `name:"json" help:"Print the API's answers, one JSON object a line."`

	URL string `name:"url" env:"POSTHORN_URL" default:"http://127.0.0.1:8080" help:"Where the API is."`
	Key string `env:"POSTHORN_KEY" help:"An API key. Default: the operator key, from POSTHORN_OPERATOR_KEY or the folder --data."`
}

// Run publishes the event.
func (p publishCmd) Run(ctx context.Context, cfg *config.Config) error {
	if p.Timeout < 0 {
		return errors.New("--timeout must not be negative")
	}
	payload, err := readPayload(p.Payload, os.Stdin)
	if err != nil {
		return err
	}
	key, err := p.key(cfg)
	if err != nil {
		return err
	}
	client, err := posthorn.New(p.URL, key)
	if err != nil {
		return err
	}
	return publish.Run(ctx, client, publish.Options{
		Application: p.Application, Wait: p.Wait, Timeout: p.Timeout, JSON: p.JSON, Out: os.Stdout,
		Event: posthorn.Publication{
			Type: p.Type, Payload: payload, EntityID: p.EntityID, OccurredAt: p.OccurredAt, NotBefore: p.NotBefore,
			Sequence: p.Sequence, IdempotencyKey: p.IdempotencyKey,
		},
	})
}

// key is the one to show: that of `posthorn dev` on the same machine where none is given.
func (p publishCmd) key(cfg *config.Config) (string, error) {
	if p.Key != "" {
		return p.Key, nil
	}
	if cfg.OperatorKey != "" {
		return cfg.OperatorKey, nil
	}
	text, err := os.ReadFile(filepath.Join(cfg.Data, "operator.key"))
	if err != nil {
		return "", fmt.Errorf("no --key (POSTHORN_KEY), and no operator key: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// readPayload is the payload that --payload means, without the space around it.
func readPayload(given string, input io.Reader) (json.RawMessage, error) {
	if given != "-" && !strings.HasPrefix(given, "@") {
		return json.RawMessage(strings.TrimSpace(given)), nil
	}
	if given != "-" {
		file, err := os.Open(given[1:])
		if err != nil {
			return nil, fmt.Errorf("--payload: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		input = file
	}
	text, err := io.ReadAll(io.LimitReader(input, maxPayload+1))
	if err != nil {
		return nil, fmt.Errorf("--payload: %w", err)
	}
	if len(text) > maxPayload {
		return nil, fmt.Errorf("--payload: over %d bytes", maxPayload)
	}
	return json.RawMessage(strings.TrimSpace(string(text))), nil
}
