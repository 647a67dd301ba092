package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/worker"
	"github.com/posthorn/posthorn/workflows"
)

// temporalParts is the connection to Temporal; only processes with a worker have one.
type temporalParts struct {
	client    client.Client
	namespace string
	// namespaceID changes when a namespace of the same name is another one.
	namespaceID string
	// missing are search attributes that the namespace lacks.
	missing []string
}

// Temporal is a Temporal server that StartTemporal started.
type Temporal struct {
	// Address is where it answers by gRPC, UIURL its web UI's; "" = off.
	Address, UIURL string
	// Stop ends it within ctx.
	Stop func(ctx context.Context) error
}

// redialAfter is how long to wait for a Temporal server that is not there yet.
const redialAfter = time.Second

func (a *App) startTemporal(ctx context.Context) error {
	if !a.roles.Worker {
		return nil
	}
	options, err := a.temporalOptions(ctx)
	if err != nil {
		return err
	}
	c, err := a.dial(ctx, options)
	if err != nil {
		return err
	}
	a.onStop("temporal client", func(context.Context) error { c.Close(); return nil })
	a.temporal = &temporalParts{client: c, namespace: options.Namespace}
	if err := a.temporal.inspect(ctx); err != nil {
		return err
	}
	a.connected.Store(a.temporal)
	return nil
}

// temporalOptions starts the embedded server, or reads the SDK's own environment variables and files.
func (a *App) temporalOptions(ctx context.Context) (client.Options, error) {
	if a.roles.Embedded {
		return a.startEmbeddedTemporal(ctx)
	}
	options, err := clientOptions(a.cfg)
	if err == nil && a.cfg.TemporalAddress == "" { // the SDK's own files name it
		a.own.add(ctx, orDefaultHostPort(options.HostPort))
	}
	return options, err
}

// orDefaultHostPort is the address that the SDK would dial, without gRPC's scheme for it (dns:///host:port).
func orDefaultHostPort(address string) string {
	if address == "" {
		return client.DefaultHostPort
	}
	return address[strings.LastIndexByte(address, '/')+1:]
}

// clientOptions reads what the SDK itself reads (envconfig: files, API key, TLS); our own flags win.
func clientOptions(cfg config.Config) (client.Options, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return options, fmt.Errorf("temporal configuration: %w", err)
	}
	if cfg.TemporalAddress != "" {
		options.HostPort = cfg.TemporalAddress
	}
	if cfg.TemporalNS != "" {
		options.Namespace = cfg.TemporalNS
	}
	return options, nil
}

// dial waits for the server: a worker that starts before Temporal is no error.
func (a *App) dial(ctx context.Context, options client.Options) (client.Client, error) {
	options.Logger = sdklog.NewStructuredLogger(a.logger)
	options.Identity = "posthorn/" + a.owner
	options.MetricsHandler = worker.Metrics(a.metrics.Registry())
	if a.tracer != nil {
		options.ContextPropagators = append(options.ContextPropagators, worker.TracePropagator())
	}
	for told := false; ; {
		c, err := client.DialContext(ctx, options)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("connect to Temporal: %w", err), ctx.Err())
		}
		if !told {
			a.logger.WarnContext(ctx, "Temporal is not reachable yet", "address", options.HostPort, "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(redialAfter):
		}
	}
}

func (t *temporalParts) inspect(ctx context.Context) error {
	described, err := t.client.WorkflowService().DescribeNamespace(ctx,
		&workflowservice.DescribeNamespaceRequest{Namespace: t.namespace})
	if err != nil {
		return fmt.Errorf("temporal namespace %s: %w", t.namespace, err)
	}
	t.namespaceID = described.GetNamespaceInfo().GetId()
	t.missing, err = missingSearchAttributes(ctx, t.client, t.namespace)
	return err
}

func missingSearchAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	listed, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if refused(err) {
		return unqueryable(ctx, c, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("list search attributes: %w", err)
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(workflows.SearchAttributes())) {
		if _, ok := listed.GetCustomAttributes()[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// RegisterSearchAttributes adds to the namespace what it lacks; `posthorn migrate up` calls it.
func RegisterSearchAttributes(ctx context.Context, cfg config.Config) ([]string, error) {
	options, err := clientOptions(cfg)
	if err != nil {
		return nil, err
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal: %w", err)
	}
	defer c.Close()
	missing, err := missingSearchAttributes(ctx, c, options.Namespace)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	wanted := workflows.SearchAttributes()
	maps.DeleteFunc(wanted, func(name string, _ enumspb.IndexedValueType) bool { return !slices.Contains(missing, name) })
	_, err = c.OperatorService().AddSearchAttributes(ctx,
		&operatorservice.AddSearchAttributesRequest{Namespace: options.Namespace, SearchAttributes: wanted})
	if refused(err) {
		return nil, toCreateByHand(options.Namespace, missing)
	}
	if err != nil {
		return nil, fmt.Errorf("add search attributes: %w", err)
	}
	return missing, nil
}

// checkTemporal is what /readyz asks.
func (a *App) checkTemporal(ctx context.Context) error {
	temporal := a.connected.Load()
	if temporal == nil {
		return errors.New("temporal: not connected yet")
	}
	return temporal.check(ctx)
}

// check reports whether Temporal answers, and names the search attributes that its namespace lacks.
func (t *temporalParts) check(ctx context.Context) error {
	if _, err := t.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	missing, err := missingSearchAttributes(ctx, t.client, t.namespace)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the namespace lacks search attributes: %s", strings.Join(missing, ", "))
	}
	return nil
}
