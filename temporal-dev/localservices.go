package temporaldev

import (
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/api/historyservice/v1"
	"go.temporal.io/server/chasm"
	"go.temporal.io/server/client"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/membership"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/pprof"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resource"
	"go.temporal.io/server/common/rpc"
	"go.temporal.io/server/common/rpc/interceptor"
	"go.temporal.io/server/common/testing/testhooks"
	"go.temporal.io/server/service"
	"go.temporal.io/server/service/frontend"
	"go.temporal.io/server/service/history"
	"go.temporal.io/server/service/history/replication"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"
	"google.golang.org/grpc"
)

// localMethods are those that workflows are made of, in the frontend and in the history service behind it. Polls wait
// for minutes and are few; they and all else stay on gRPC.
func localMethods() []string {
	return []string{
		"StartWorkflowExecution", "SignalWorkflowExecution", "SignalWithStartWorkflowExecution",
		"RespondWorkflowTaskCompleted", "RespondActivityTaskCompleted", "RespondActivityTaskFailed",
		"RecordWorkflowTaskStarted", "RecordActivityTaskStarted",
	}
}

// topLevelModule is temporal.TopLevelModule, but its frontend and its history service serve local calls too.
func topLevelModule(local *localCalls) fx.Option {
	return fx.Options(
		fx.Provide(
			temporal.NewServerFxImpl,
			temporal.ServerOptionsProvider,
			resource.ArchivalMetadataProvider,
			temporal.TaskCategoryRegistryProvider,
			local.historyService,
			temporal.MatchingServiceProvider,
			local.frontendService,
			temporal.WorkerServiceProvider,
			temporal.ApplyClusterMetadataConfigProvider,
		),
		dynamicconfig.Module,
		pprof.Module,
		temporal.TraceExportModule,
		chasm.Module,
		serialization.Module,
		temporal.FxLogAdapter,
		fx.Invoke(temporal.ServerLifetimeHooks),
	)
}

// historyService is temporal.HistoryServiceProvider, whose service serves local calls too.
func (l *localCalls) historyService(params temporal.ServiceProviderParamsCommon) (temporal.ServicesGroupOut, error) {
	app := fx.New(
		params.GetCommonServiceOptions(primitives.HistoryService),
		history.QueueModule,
		history.Module,
		replication.Module,
		fx.Invoke(func(grpcParams service.GrpcServerOptionsParams, server historyservice.HistoryServiceServer) {
			l.serve(&historyservice.HistoryService_ServiceDesc, server, historyInterceptors(grpcParams), localMethods()...)
		}),
	)
	return temporal.NewService(app, primitives.HistoryService, params.Logger), app.Err()
}

// historyInterceptors are those of service.GrpcServerOptionsProvider.
func historyInterceptors(p service.GrpcServerOptionsParams) []grpc.UnaryServerInterceptor {
	all := []grpc.UnaryServerInterceptor{
		p.ServiceErrorInterceptor.Intercept,
		metrics.NewServerMetricsContextInjectorInterceptor(),
		metrics.NewServerMetricsTrailerPropagatorInterceptor(p.Logger),
		p.TelemetryInterceptor.UnaryIntercept,
	}
	all = append(all, p.AdditionalInterceptors...)
	if p.NamespaceRateLimitInterceptor != nil {
		all = append(all, p.NamespaceRateLimitInterceptor.Intercept)
	}
	all = append(all, p.RateLimitInterceptor.Intercept)
	if p.ContextMetadataInterceptor != nil {
		all = append(all, p.ContextMetadataInterceptor.Intercept)
	}
	return append(all, p.RetryableInterceptor.Intercept)
}

// frontendService is temporal.FrontendServiceProvider, whose service serves local calls too.
func (l *localCalls) frontendService(params temporal.ServiceProviderParamsCommon) (temporal.ServicesGroupOut, error) {
	app := fx.New(
		params.GetCommonServiceOptions(primitives.FrontendService),
		fx.Supply(params.CustomFrontendInterceptors),
		fx.Decorate(func() log.SnTaggedLogger { return log.With(params.Logger, tag.Service(primitives.FrontendService)) }),
		frontend.Module,
		fx.Invoke(func(options frontend.GrpcServerOptions, server frontend.Handler) {
			l.serve(&workflowservice.WorkflowService_ServiceDesc, server, options.UnaryInterceptors, localMethods()...)
		}),
	)
	return temporal.NewService(app, primitives.FrontendService, params.Logger), app.Err()
}

// localClients is the server's own client.FactoryProvider, but what its services call in the history service may be
// a local call.
type localClients struct {
	client.FactoryProvider

	local *localCalls
}

// NewFactory implements client.FactoryProvider.
func (c localClients) NewFactory(
	factory common.RPCFactory, monitor membership.Monitor, handler metrics.Handler, dynamic *dynamicconfig.Collection,
	hooks testhooks.TestHooks, shards int32, logger, throttled log.Logger,
) client.Factory {
	calling := &localFactory{RPCFactory: factory, local: c.local, metrics: handler, logger: logger}
	return c.FactoryProvider.NewFactory(calling, monitor, handler, dynamic, hooks, shards, logger, throttled)
}

// localFactory connects to the history service with an interceptor for local calls.
type localFactory struct {
	common.RPCFactory

	local   *localCalls
	metrics metrics.Handler
	logger  log.Logger
}

// CreateHistoryGRPCConnection implements common.RPCFactory.
func (f *localFactory) CreateHistoryGRPCConnection(address string) *grpc.ClientConn {
	conn, err := rpc.Dial(address, nil, f.logger, f.metrics,
		grpc.WithChainUnaryInterceptor(interceptor.TrailerToContextMetadataInterceptor(f.logger), f.local.intercept))
	if err != nil {
		f.logger.Fatal("Failed to create gRPC connection", tag.Error(err))
	}
	return conn
}
