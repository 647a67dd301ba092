package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistenceclient "go.temporal.io/server/common/persistence/client"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/searchattribute/sadefs"
	"go.temporal.io/server/common/telemetry"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ensureNamespace creates the namespace or brings its retention and its search
// attributes up to date, and returns the visibility columns that custom search
// attributes use.
//
// It writes to the store of a server that is not running yet. Through the
// running one a new attribute would take seconds to reach every cache.
func ensureNamespace(ctx context.Context, cfg *config.Persistence, o Options) ([]string, error) {
	store, closeStore, err := openMetadata(cfg)
	if err != nil {
		return nil, fmt.Errorf("temporal-dev: open the namespaces: %w", err)
	}
	defer closeStore()

	columns, err := saveNamespace(ctx, store, o)
	if err != nil {
		return nil, fmt.Errorf("temporal-dev: namespace %s: %w", o.Namespace, err)
	}
	return columns, nil
}

func saveNamespace(ctx context.Context, store persistence.MetadataManager, o Options) ([]string, error) {
	detail, isNew, err := loadNamespace(ctx, store, o.Namespace)
	if err != nil {
		return nil, err
	}
	aliases, err := assignColumns(detail.GetConfig().GetCustomSearchAttributeAliases(), o.SearchAttributes)
	if err != nil {
		return nil, err
	}
	columns := slices.Sorted(maps.Keys(aliases))
	if !isNew && isCurrent(detail, aliases, o.Retention) {
		return columns, nil
	}

	detail.Config.CustomSearchAttributeAliases = aliases
	detail.Config.Retention = durationpb.New(o.Retention)
	if isNew {
		_, err = store.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{Namespace: detail})
		return columns, err
	}
	detail.ConfigVersion++
	metadata, err := store.GetMetadata(ctx)
	if err != nil {
		return nil, err
	}
	return columns, store.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           detail,
		NotificationVersion: metadata.NotificationVersion,
	})
}

// loadNamespace returns the stored namespace, or a new one that is not stored.
func loadNamespace(
	ctx context.Context, store persistence.MetadataManager, name string,
) (detail *persistencespb.NamespaceDetail, isNew bool, err error) {
	got, err := store.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: name})
	if err == nil {
		return got.Namespace, false, nil
	}
	if missing := new(serviceerror.NamespaceNotFound); !errors.As(err, &missing) {
		return nil, false, err
	}
	fresh, err := sqliteschema.NewNamespaceConfig(clusterName, name, false, nil)
	if err != nil {
		return nil, false, err
	}
	return fresh.Detail, true, nil
}

func isCurrent(detail *persistencespb.NamespaceDetail, aliases map[string]string, retention time.Duration) bool {
	return maps.Equal(aliases, detail.Config.CustomSearchAttributeAliases) &&
		detail.Config.Retention.AsDuration() == retention
}

// assignColumns adds to current, a map from visibility column to attribute, the
// wanted attributes that it lacks. SQL visibility has a fixed number of columns
// for each type: ten for Keyword, three for every other.
func assignColumns(current map[string]string, wanted map[string]enumspb.IndexedValueType) (map[string]string, error) {
	types := sadefs.GetDBIndexSearchAttributes(nil).CustomSearchAttributes
	assigned := maps.Clone(current)
	if assigned == nil {
		assigned = make(map[string]string, len(wanted))
	}
	columnOf := make(map[string]string, len(current))
	for column, name := range current {
		columnOf[name] = column
	}

	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		column, isAssigned := columnOf[name]
		switch {
		case sadefs.IsReserved(name):
			return nil, fmt.Errorf("search attribute %s: the name is reserved", name)
		case isAssigned && types[column] != wanted[name]:
			return nil, fmt.Errorf("search attribute %s has type %s and cannot change to %s", name, types[column], wanted[name])
		case isAssigned:
			continue
		}
		column, ok := freeColumn(types, assigned, wanted[name])
		if !ok {
			return nil, fmt.Errorf("search attribute %s: no column of type %s is left", name, wanted[name])
		}
		assigned[column] = name
	}
	return assigned, nil
}

func freeColumn(
	types map[string]enumspb.IndexedValueType, assigned map[string]string, t enumspb.IndexedValueType,
) (string, bool) {
	for _, column := range slices.Sorted(maps.Keys(types)) {
		if _, taken := assigned[column]; !taken && types[column] == t {
			return column, true
		}
	}
	return "", false
}

// openMetadata opens the table of namespaces as the server does.
func openMetadata(cfg *config.Persistence) (persistence.MetadataManager, func(), error) {
	serializer := serialization.NewSerializer()
	factory := persistenceclient.FactoryProvider(persistenceclient.NewFactoryParams{
		DataStoreFactory: persistenceclient.DataStoreFactoryProvider(clusterName, resolver.NewNoopResolver(), cfg, nil,
			log.NewNoopLogger(), metrics.NoopMetricsHandler, telemetry.NoopTracerProvider, serializer),
		Cfg:            cfg,
		ClusterName:    clusterName,
		MetricsHandler: metrics.NoopMetricsHandler,
		Logger:         log.NewNoopLogger(),
		Serializer:     serializer,
	})
	store, err := factory.NewMetadataManager()
	if err != nil {
		factory.Close()
		return nil, nil, err
	}
	return store, func() { store.Close(); factory.Close() }, nil
}
