package observe

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posthorn/posthorn/models"
)

const (
	// queuesFor is how long a reading of the queues is shown: anybody may ask for the metrics, as often as they like.
	queuesFor = 15 * time.Second
	// queuesTimeout is how long the metrics wait for the database.
	queuesTimeout = 5 * time.Second
)

// queues are read when somebody asks for the metrics. While the database does not answer, they are left out.
type queues struct {
	read   func(context.Context) (models.Queues, error)
	now    func() time.Time
	logger *slog.Logger
	depth  *prometheus.Desc
	age    *prometheus.Desc
	// undispatched and undispatchedAge tell of rows that no workflow has yet.
	undispatched    *prometheus.Desc
	undispatchedAge *prometheus.Desc
	// open and undeliveredAge tell of what has not reached its receiver.
	open           *prometheus.Desc
	undeliveredAge *prometheus.Desc

	mu    sync.Mutex
	last  models.Queues
	known bool
	until time.Time
}

// WatchQueues adds to the metrics, as read answers, the depth of the FIFO queues and the age of their oldest head, and the
// same of what waits for the dispatcher and of what is undelivered. It is asked at most every 15 s. Every process of a
// deployment shows the same numbers: take one, not their sum.
func (m *Metrics) WatchQueues(read func(context.Context) (models.Queues, error), now func() time.Time) {
	m.registry.MustRegister(&queues{
		read: read, now: now, logger: m.logger,
		depth: prometheus.NewDesc("posthorn_queue_depth", "Invocations that wait in FIFO queues behind a head.", nil, nil),
		age: prometheus.NewDesc("posthorn_queue_head_age_seconds",
			"Since the oldest head of a FIFO queue was accepted; 0 when there is none.", nil, nil),
		undispatched: prometheus.NewDesc("posthorn_undispatched", "Invocations that are due to be handed to Temporal.", nil, nil),
		undispatchedAge: prometheus.NewDesc("posthorn_undispatched_age_seconds",
			"Since the oldest of those became due; 0 when there is none.", nil, nil),
		open: prometheus.NewDesc("posthorn_invocations_open",
			"Invocations that are pending or retrying, those that are delayed or paused included.", nil, nil),
		undeliveredAge: prometheus.NewDesc("posthorn_oldest_undelivered_age_seconds",
			"Since the oldest event that is pending or retrying was accepted, delayed and paused ones excepted; 0 when there is none.",
			nil, nil),
	})
}

// Describe implements prometheus.Collector.
func (q *queues) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- q.depth
	descriptions <- q.age
	descriptions <- q.undispatched
	descriptions <- q.undispatchedAge
	descriptions <- q.open
	descriptions <- q.undeliveredAge
}

// Collect implements prometheus.Collector.
func (q *queues) Collect(metrics chan<- prometheus.Metric) {
	last, known := q.current()
	if !known {
		return
	}
	metrics <- prometheus.MustNewConstMetric(q.depth, prometheus.GaugeValue, float64(last.Depth))
	metrics <- prometheus.MustNewConstMetric(q.undispatched, prometheus.GaugeValue, float64(last.Undispatched))
	metrics <- prometheus.MustNewConstMetric(q.undispatchedAge, prometheus.GaugeValue, last.UndispatchedAge.Seconds())
	metrics <- prometheus.MustNewConstMetric(q.open, prometheus.GaugeValue, float64(last.Open))
	metrics <- prometheus.MustNewConstMetric(q.undeliveredAge, prometheus.GaugeValue, last.UndeliveredAge.Seconds())
	metrics <- prometheus.MustNewConstMetric(q.age, prometheus.GaugeValue, last.HeadAge.Seconds())
}

// current reads the queues where the last reading is too old; those who ask meanwhile wait for it.
func (q *queues) current() (models.Queues, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now().Before(q.until) {
		return q.last, q.known
	}
	ctx, cancel := context.WithTimeout(context.Background(), queuesTimeout) // a Collector is given none
	defer cancel()
	last, err := q.read(ctx)
	if err != nil {
		q.logger.WarnContext(ctx, "read queues for the metrics", "error", err)
	}
	q.last, q.known, q.until = last, err == nil, q.now().Add(queuesFor)
	return q.last, q.known
}
