package temporaldev

import (
	_ "embed"
	"errors"
	"fmt"

	"go.temporal.io/server/common/dynamicconfig"
)

// dynamicConfigYAML is the tuning of the server, with the reasons. The
// container reads the same file (DYNAMIC_CONFIG_FILE_PATH), so what is measured
// here holds there.
//
//go:embed dynamicconfig.yaml
var dynamicConfigYAML string

// loadDynamicConfig parses the file. A key that this server version does not
// know or a value that it refuses is an error: the server itself only warns,
// and would run with its default.
func loadDynamicConfig(yaml string) (dynamicconfig.StaticClient, error) {
	loaded := dynamicconfig.LoadYamlFile([]byte(yaml))
	if err := errors.Join(append(loaded.Errors, loaded.Warnings...)...); err != nil {
		return nil, fmt.Errorf("temporal-dev: dynamicconfig.yaml: %w", err)
	}
	client := make(dynamicconfig.StaticClient, len(loaded.Map))
	for key, values := range loaded.Map {
		client[key] = values
	}
	return client, nil
}
