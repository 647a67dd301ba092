package main

import (
	"context"
	"path/filepath"

	"github.com/posthorn/posthorn/internal/program"
	"github.com/posthorn/posthorn/internal/testpg"
)

func (s *system) startCluster(ctx context.Context) error {
	var err error
	if s.postgres, err = testpg.NewServer(); err != nil { //nolint:contextcheck // it bounds its start by itself
		return err
	}
	if err := s.postgres.CreateDatabase(ctx, "posthorn"); err != nil {
		return err
	}
	s.databaseURL = s.postgres.URL("posthorn").String()
	ports, err := program.FreeAddresses(ctx, 4)
	if err != nil {
		return err
	}
	s.environment = append(s.environment, "POSTHORN_DATABASE_URL="+s.databaseURL, "TEMPORAL_ADDRESS="+ports[0],
		"POSTHORN_ALLOW_HTTP=true", "POSTHORN_EGRESS_ALLOW_CIDRS=127.0.0.0/8")
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.uiURL, s.url = "http://"+ports[1], "http://"+ports[2]
	temporal, err := s.start("temporal", "", "POSTHORN_TEMPORAL_LISTEN="+ports[0], "POSTHORN_TEMPORAL_UI_LISTEN="+ports[1],
		"POSTHORN_DATA="+filepath.Join(s.dir, "temporal"))
	if err != nil {
		return err
	}
	if err := temporal.wait(ctx, s.temporalAnswers); err != nil {
		return err
	}
	return s.startRoles(ctx, ports[2], ports[3])
}

// temporalAnswers asks through its web UI, as atRest does.
func (s *system) temporalAnswers(ctx context.Context) error {
	_, err := s.runningWorkflows(ctx)
	return err
}

func (s *system) startRoles(ctx context.Context, api, worker string) error {
	for _, role := range []struct{ name, variable, address string }{
		{"api", "POSTHORN_LISTEN", api}, {"worker", "POSTHORN_WORKER_LISTEN", worker},
	} {
		c, err := s.start(role.name, "http://"+role.address, role.variable+"="+role.address)
		if err != nil {
			return err
		}
		if err := c.wait(ctx, c.answersReady); err != nil {
			return err
		}
	}
	return nil
}

func (s *system) migrate(ctx context.Context) error {
	return program.Run(ctx, program.Command{
		Name: "migrate", Argv: []string{s.options.binary, "migrate", "up", "--no-temporal"}, Env: s.environment,
		Log: filepath.Join(s.dir, "migrate.log"),
	})
}
