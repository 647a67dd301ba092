package api

import (
	"context"
	"net/netip"
	"slices"

	"github.com/posthorn/posthorn/models"
)

// AuditEntry says who changed what, when and from where, or was denied to.
type AuditEntry struct {
	ID            string      `json:"id" format:"uuid"`
	CreatedAt     string      `json:"created_at" format:"date-time"`
	Actor         string      `json:"actor" doc:"The id of the key, or operator: the operator key of the configuration, or the command line."`
	Role          models.Role `json:"role" enum:"operator,publisher,admin,member"`
	ApplicationID *string     `json:"application_id" doc:"The application that the change is in; null = the deployment."`
	Action        string      `json:"action" doc:"The operationId of the route; rotate-master-key is posthorn secrets rotate, complete-erasure the end of an erasure." example:"revoke-key"`
	Denied        bool        `json:"denied" doc:"It was answered 403: the key has no right to it. Each process notes ten of a key at once, then one a minute."`
	SubjectType   string      `json:"subject_type" enum:"application,key,event_type,subscription,event,invocation,job,erasure,master_key,deployment" doc:"deployment = what was denied is about no other."`
	SubjectID     *string     `json:"subject_id" doc:"Its id; of an event type profile/name; null = the deployment."`
	RemoteAddress *string     `json:"remote_address" doc:"The IP address that the connection came from, a proxy's where there is one; null = the command line, or erased."`
	RequestID     *string     `json:"request_id" doc:"The X-Request-Id of the answer; null = the command line."`
	Detail        Verbatim    `json:"detail" doc:"An object, mostly the request's body: secrets are ***, and of long members there is the length only. null = none."`
}

func auditView(e *models.AuditEntry) AuditEntry {
	return AuditEntry{
		ID: e.ID, CreatedAt: timeText(e.CreatedAt), Actor: e.Actor, Role: e.Role, ApplicationID: e.ApplicationID,
		Action: e.Action, Denied: e.Denied, SubjectType: e.SubjectType, SubjectID: textOrNull(e.SubjectID),
		RemoteAddress: textOrNull(e.RemoteAddress), RequestID: textOrNull(e.RequestID), Detail: Verbatim(e.Detail),
	}
}

type auditQuery struct {
	Paging
	ApplicationID string `query:"application_id" format:"uuid"`
	Action        string `query:"action" maxLength:"64" doc:"The operationId of a route, rotate-master-key, or complete-erasure."`
	Denied        bool   `query:"denied" doc:"true = what was denied, in place of what was done."`
	Window
}

func (s *server) listAudit(ctx context.Context, c *call, in *auditQuery) (Page[AuditEntry], error) {
	if err := in.check(); err != nil { //nolint:contextcheck // the route table is read, no handler called
		return Page[AuditEntry]{}, err
	}
	part, err := s.page(c, in.Paging)
	if err != nil {
		return Page[AuditEntry]{}, err
	}
	f := models.AuditFilter{
		ApplicationID: in.ApplicationID, Action: in.Action, Denied: in.Denied, After: in.After, Before: in.Before,
	}
	entries, next, err := s.Store.AuditEntries(ctx, f, part)
	return newPage(s, c, mapped(entries, auditView), next), err
}

func (q *auditQuery) check() error {
	var f models.Faults
	if q.ApplicationID != "" && !models.IsID(q.ApplicationID) {
		f.Add("application_id", "must be the id of an application")
	}
	if q.Action != "" && !isAction(q.Action) {
		f.Add("action", "%q is not an action", models.Shorten(q.Action))
	}
	return f.Err()
}

func isAction(id string) bool {
	return id == models.ActionRotateMasterKey || id == models.ActionCompleteErasure ||
		slices.ContainsFunc(routes(), func(r route) bool { return r.id == id && !r.public })
}

// The types of what an entry is about.
const (
	subjectApplication  = "application"
	subjectKey          = "key"
	subjectEventType    = "event_type"
	subjectSubscription = "subscription"
	subjectEvent        = "event"
	subjectInvocation   = "invocation"
	subjectJob          = "job"
	subjectErasure      = "erasure"
	// subjectDeployment has no id.
	subjectDeployment = "deployment"
)

// audit begins the entry of a call that changes something. What the path names is its subject until the handler says
// otherwise; the store writes it with the change that is made under the context.
func (s *server) audit(ctx context.Context, c *call) context.Context {
	if !c.route.audited() {
		return ctx
	}
	c.entry = s.newEntry(ctx, c)
	return models.WithAudit(ctx, c.entry)
}

// newEntry is about what the path names.
func (s *server) newEntry(ctx context.Context, c *call) *models.AuditEntry {
	entry := &models.AuditEntry{
		ID: models.NewID(), Actor: c.principal.KeyID, Role: c.principal.Role, ApplicationID: c.applicationID(),
		Action: c.route.id, RemoteAddress: remoteAddress(c.request.RemoteAddr), RequestID: requestID(ctx),
		CreatedAt: s.Now().UTC(),
	}
	if c.principal.KeyID == "" {
		entry.Actor = models.ActorOperator
	}
	entry.SubjectType, entry.SubjectID = c.subject()
	return entry
}

// subject is what the path names; "" = nothing that there is already.
func (c *call) subject() (kind, id string) {
	switch {
	case c.key != nil:
		return subjectKey, c.key.ID
	case c.subscription != nil:
		return subjectSubscription, c.subscription.ID
	case c.event != nil:
		return subjectEvent, c.event.ID
	case c.invocation != nil:
		return subjectInvocation, c.invocation.ID
	case c.job != nil:
		return subjectJob, c.job.ID
	case c.erasure != nil:
		return subjectErasure, c.erasure.ID
	case c.application != nil:
		return subjectApplication, c.application.ID
	default:
		return "", ""
	}
}

// applicationID is the application that the call is about: that of what the path names, else that of the key; nil =
// the deployment.
func (c *call) applicationID() *string {
	switch {
	case c.application != nil:
		return &c.application.ID
	case c.key != nil:
		return c.key.ApplicationID
	case c.event != nil:
		return &c.event.ApplicationID
	case c.invocation != nil:
		return &c.invocation.ApplicationID
	case c.job != nil:
		return &c.job.ApplicationID
	case c.erasure != nil:
		return &c.erasure.ApplicationID
	default:
		return textOrNull(c.principal.ApplicationID)
	}
}

// concerns sets what the entry is about.
func (c *call) concerns(kind, id string) { c.entry.SubjectType, c.entry.SubjectID = kind, id }

// remoteAddress is the TCP peer's IP address: no header says who it is, since nobody vouches for one.
func remoteAddress(peer string) string {
	address, err := netip.ParseAddrPort(peer)
	if err != nil {
		return peer
	}
	return address.Addr().Unmap().String()
}
