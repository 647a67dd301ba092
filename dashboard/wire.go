package dashboard

import "encoding/json"

// The roles of keys, as the API writes them.
const (
	roleOperator  = "operator"
	roleAdmin     = "admin"
	rolePublisher = "publisher"
)

// list is a page of a list.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// me is whose key it is.
type me struct {
	Role            string  `json:"role"`
	ApplicationID   *string `json:"application_id"`
	ApplicationName *string `json:"application_name"`
}

// Operator reports whether the key is the deployment's.
func (m *me) Operator() bool { return m.Role == roleOperator }

// start is where a visit begins.
func (m *me) start() string {
	if m.ApplicationID == nil {
		return "/applications"
	}
	return "/applications/" + *m.ApplicationID
}

type application struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Profile     string `json:"profile"`
	Environment string `json:"environment"`
	CreatedAt   string `json:"created_at"`
}

// profile is what pages need to know of how an application sends.
type profile struct {
	Name string `json:"name"`
	Wire struct {
		Open bool `json:"open"`
	} `json:"wire"`
	Types struct {
		Min       int  `json:"min"`
		Max       int  `json:"max"`
		Wildcards bool `json:"wildcards"`
	} `json:"types_per_subscription"`
	Versions struct {
		Required bool `json:"required"`
	} `json:"versions"`
	Auth struct {
		SecurityKeyHeader string `json:"security_key_header"`
		CustomHeaders     int    `json:"custom_headers"`
	} `json:"auth"`
	Signing struct {
		Scheme string `json:"scheme"`
	} `json:"signing"`
	Timeout      string          `json:"timeout"`
	Retry        json.RawMessage `json:"retry"`
	Verification struct {
		Kind   string `json:"kind"`
		Member string `json:"member"`
	} `json:"verification"`
	ManagedBy string      `json:"managed_by"`
	Catalogue []eventType `json:"catalogue"`
}

// Handshake reports whether URLs are verified.
func (p *profile) Handshake() bool { return p.Verification.Kind == "handshake" }

// Signs reports whether there is a secret.
func (p *profile) Signs() bool { return p.Signing.Scheme != "none" }

// One reports whether a subscription is for exactly one event type.
func (p *profile) One() bool { return p.Types.Min == 1 && p.Types.Max == 1 }

// KnownVersions are all that the catalogue names, each once.
func (p *profile) KnownVersions() []string {
	var all []string
	seen := map[string]bool{}
	for _, t := range p.Catalogue {
		for _, version := range t.Versions {
			if !seen[version] {
				seen[version] = true
				all = append(all, version)
			}
		}
	}
	return all
}

type eventType struct {
	Name        string          `json:"name"`
	Wire        json.RawMessage `json:"wire"`
	Group       string          `json:"group"`
	Description string          `json:"description"`
	Deprecated  bool            `json:"deprecated"`
	Versions    []string        `json:"versions"`
}

type subscription struct {
	ID            string            `json:"id"`
	ApplicationID string            `json:"application_id"`
	URL           string            `json:"url"`
	Name          *string           `json:"name"`
	EventTypes    []string          `json:"event_types"`
	Version       *string           `json:"version"`
	Status        string            `json:"status"`
	Enabled       bool              `json:"enabled"`
	Verified      bool              `json:"verified"`
	Headers       map[string]string `json:"headers"`
	Filter        *string           `json:"filter"`
	Delivery      struct {
		Timeout     string          `json:"timeout"`
		Success     json.RawMessage `json:"success"`
		Retry       json.RawMessage `json:"retry"`
		Ordering    json.RawMessage `json:"ordering"`
		RateLimit   float64         `json:"rate_limit"`
		MaxInFlight int             `json:"max_in_flight"`
	} `json:"delivery"`
	PublicKey *string `json:"public_key"`
	CreatedAt string  `json:"created_at"`
	UpdatedAt string  `json:"updated_at"`
	// Secret and Warnings are in the answer to a creation only.
	Secret   *string  `json:"secret"`
	Warnings []string `json:"warnings"`
}

// Title is the name, or else the URL.
func (s *subscription) Title() string {
	if s.Name != nil && *s.Name != "" {
		return *s.Name
	}
	return s.URL
}

type subscriptionStats struct {
	Counts       map[string]int `json:"counts"`
	SuccessRatio *float64       `json:"success_ratio"`
	Latency      struct {
		P50MS *int64 `json:"p50_ms"`
		P95MS *int64 `json:"p95_ms"`
	} `json:"latency"`
	Queue struct {
		Depth     int    `json:"depth"`
		HeadAgeMS *int64 `json:"head_age_ms"`
	} `json:"queue"`
}

type attemptError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type invocation struct {
	ID             string          `json:"id"`
	ApplicationID  string          `json:"application_id"`
	SubscriptionID string          `json:"subscription_id"`
	EventID        *string         `json:"event_id"`
	EventType      string          `json:"event_type"`
	EntityID       *string         `json:"entity_id"`
	Version        *string         `json:"version"`
	Status         string          `json:"status"`
	Attempts       int             `json:"attempts"`
	NextAttemptAt  *string         `json:"next_attempt_at"`
	LastAttemptAt  *string         `json:"last_attempt_at"`
	DeliveredAt    *string         `json:"delivered_at"`
	LastStatusCode *int            `json:"last_status_code"`
	LastError      *attemptError   `json:"last_error"`
	URL            string          `json:"url"`
	AbandonedBy    *string         `json:"abandoned_by"`
	Reason         *string         `json:"reason"`
	Position       *int64          `json:"position"`
	WorkflowID     *string         `json:"workflow_id"`
	TemporalURL    *string         `json:"temporal_url"`
	CreatedAt      string          `json:"created_at"`
	Payload        json.RawMessage `json:"payload"`
}

// Open reports whether attempts may still follow by themselves.
func (i *invocation) Open() bool {
	switch i.Status {
	case "pending", "queued", "retrying", "paused":
		return true
	default:
		return false
	}
}

type attempt struct {
	ID         string        `json:"id"`
	Number     int           `json:"number"`
	Trigger    string        `json:"trigger"`
	StartedAt  string        `json:"started_at"`
	DurationMS int64         `json:"duration_ms"`
	URL        string        `json:"url"`
	Outcome    string        `json:"outcome"`
	StatusCode *int          `json:"status_code"`
	Error      *attemptError `json:"error"`
	Request    struct {
		Headers map[string]string `json:"headers"`
		Body    *string           `json:"body"`
	} `json:"request"`
	Response struct {
		Headers   map[string]string `json:"headers"`
		Body      string            `json:"body"`
		Truncated bool              `json:"truncated"`
	} `json:"response"`
}

type job struct {
	ID            string  `json:"id"`
	ApplicationID string  `json:"application_id"`
	State         string  `json:"state"`
	Matched       int     `json:"matched"`
	Done          int     `json:"done"`
	Succeeded     int     `json:"succeeded"`
	Failed        int     `json:"failed"`
	Rate          int     `json:"rate"`
	DryRun        bool    `json:"dry_run"`
	CreatedAt     string  `json:"created_at"`
	StartedAt     *string `json:"started_at"`
	FinishedAt    *string `json:"finished_at"`
}

// Ended reports whether nothing follows any more.
func (j *job) Ended() bool { return j.State == "completed" || j.State == "cancelled" }

type timeline struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Width string `json:"width"`
	Parts []struct {
		From      string `json:"from"`
		Succeeded int    `json:"succeeded"`
		Failed    int    `json:"failed"`
		P50MS     *int64 `json:"p50_ms"`
		P95MS     *int64 `json:"p95_ms"`
	} `json:"parts"`
}

type retryPreview struct {
	Delays   []string `json:"delays"`
	Attempts *int     `json:"attempts"`
	Total    *string  `json:"total"`
}
