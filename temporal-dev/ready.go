package temporaldev

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// readyInterval is the pause between two questions whether the server is ready.
	readyInterval = 10 * time.Millisecond
	// maxMessageSize is what the UI accepts of a history.
	maxMessageSize = 64 << 20
)

// dial returns a connection to the frontend; it connects on first use.
func dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize)))
	if err != nil {
		return nil, fmt.Errorf("temporal-dev: connect to %s: %w", address, err)
	}
	return conn, nil
}

// waitReady returns when the frontend knows the namespace and the history shard
// has an owner.
func waitReady(ctx context.Context, conn *grpc.ClientConn, namespace string) error {
	client := workflowservice.NewWorkflowServiceClient(conn)
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		err := probe(ctx, client, namespace)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("temporal-dev: wait for Temporal: %w (last answer: %w)", context.Cause(ctx), err)
		}
	}
}

// probe asks for a workflow that does not exist: "not found" is the answer of
// the whole chain, frontend, history service and store.
func probe(ctx context.Context, client workflowservice.WorkflowServiceClient, namespace string) error {
	if _, err := client.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace}); err != nil {
		return serviceerror.FromStatus(serviceerror.ToStatus(err))
	}
	_, err := client.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: "temporal-dev/ready"},
	})
	err = serviceerror.FromStatus(serviceerror.ToStatus(err))
	if notFound := new(serviceerror.NotFound); errors.As(err, &notFound) {
		return nil
	}
	return err
}
