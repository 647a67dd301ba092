package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/workflows"
)

// refused reports whether the server does not let us use its operator's service: Temporal Cloud lets nobody.
func refused(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, absent := errors.AsType[*serviceerror.Unimplemented](err)
	return denied || absent
}

// unqueryable are the search attributes that queries cannot name, so the namespace lacks them. One query asks for all;
// only where that is refused, each is asked for by itself.
func unqueryable(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	names := slices.Sorted(maps.Keys(workflows.SearchAttributes()))
	known, err := queryable(ctx, c, namespace, names...)
	if known || err != nil {
		return nil, err
	}
	var missing []string
	for _, name := range names {
		if known, err = queryable(ctx, c, namespace, name); err != nil {
			return nil, err
		}
		if !known {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

func queryable(ctx context.Context, c client.Client, namespace string, names ...string) (bool, error) {
	query := strings.Join(names, " = 'none' AND ") + " = 'none'"
	_, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace, Query: query})
	if _, invalid := errors.AsType[*serviceerror.InvalidArgument](err); invalid {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("query by search attributes: %w", err)
	}
	return true, nil
}

// toCreateByHand says what an operator has to do where we may not.
func toCreateByHand(namespace string, missing []string) error {
	wanted := workflows.SearchAttributes()
	list := make([]string, 0, len(missing))
	for _, name := range missing {
		list = append(list, fmt.Sprintf("%s (%s)", name, wanted[name]))
	}
	return fmt.Errorf("the server does not let us add search attributes to namespace %s; create them with its own tools "+
		"(Temporal Cloud: its console, or tcld namespace search-attributes add): %s", namespace, strings.Join(list, ", "))
}
