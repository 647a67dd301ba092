package profiles

import (
	"fmt"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// checkPolicy looks at the knobs that a subscription may change as well.
func (f *form) checkPolicy(faults *models.Faults) {
	if f.Success.IsZero() {
		faults.Add("success", `must be "2xx", a status code from 200 to 599 or a list of them`)
	}
	if f.Timeout.Std() < MinTimeout || f.Timeout.Std() > MaxTimeout {
		faults.Add("timeout", "must be 100ms to 60s")
	}
	faults.Merge("retry", f.Retry.Validate())
	if f.RetryAfter.Std() > models.MaxRetryDelay {
		faults.Add("retry_after", "must be 0 (ignored) to 168h")
	}
	oneOf(faults, "on_410", f.On410, models.On410Failure, models.On410Gone)
	checkOrdering(faults, f.Ordering)
	if !(f.RateLimit == 0 || f.RateLimit >= 0.001 && f.RateLimit <= maxRateLimit) {
		faults.Add("rate_limit", "must be 0 (no limit) or 0.001 to %d requests per second", maxRateLimit)
	}
	checkRange(faults, "max_in_flight", f.MaxInFlight, 0, maxInFlight)
}

func checkOrdering(faults *models.Faults, o models.Ordering) {
	oneOf(faults, "ordering.kind", o.Kind, models.OrderingNone, models.OrderingFIFO, models.OrderingLatestWins)
	if o.Kind == models.OrderingFIFO {
		oneOf(faults, "ordering.key", o.Key, "", models.OrderBySubscription, models.OrderByEntity)
	} else if o.Key != "" {
		faults.Add("ordering.key", "does not belong to kind %s", o.Kind)
	}
	if o.Kind == models.OrderingLatestWins {
		oneOf(faults, "ordering.scope", o.Scope, "", models.OrderByType, models.OrderByEntity)
	} else if o.Scope != "" {
		faults.Add("ordering.scope", "does not belong to kind %s", o.Kind)
	}
}

// explicit spells out the defaults of an ordering, so that nobody else has to know them.
func explicit(o models.Ordering) models.Ordering {
	if o.Kind == models.OrderingFIFO && o.Key == "" {
		o.Key = models.OrderBySubscription
	}
	if o.Kind == models.OrderingLatestWins && o.Scope == "" {
		o.Scope = models.OrderByType
	}
	return o
}

func (f *form) checkSubscriptions(faults *models.Faults) {
	limits := f.TypesPerSubscription
	checkRange(faults, "types_per_subscription.min", limits.Min, 0, MaxPatterns)
	checkRange(faults, "types_per_subscription.max", limits.Max, 0, MaxPatterns)
	if limits.Max != 0 && limits.Max < limits.Min {
		faults.Add("types_per_subscription.max", "must be 0 (no limit) or at least min")
	}
	oneOf(faults, "verification.kind", f.Verification.Kind, VerificationNone, VerificationHandshake)
	if handshake := f.Verification.Kind == VerificationHandshake; handshake != (f.Verification.Member != "") {
		faults.Add("verification.member", "names the member that holds the key, with kind handshake only")
	}
	checkLength(faults, "verification.member", f.Verification.Member, 0, 128)
	checkRange(faults, "url.max_length", f.URL.MaxLength, 0, maxURLLength)
	checkRange(faults, "subscription_limit", f.SubscriptionLimit, 1, maxSubscriptions)
	oneOf(faults, "managed_by", f.ManagedBy, models.RoleOperator, models.RoleAdmin)
	f.checkEntity(faults)
}

func (f *form) checkEntity(faults *models.Faults) {
	if len(f.Entity.Sources) > 10 {
		faults.Add("entity.sources", "must not list more than 10 sources")
	}
	for i, source := range f.Entity.Sources {
		member, inPayload := strings.CutPrefix(source, payloadSource)
		if source != entitySource && (!inPayload || member == "") || len(source) > 256 {
			faults.Add(fmt.Sprintf("entity.sources[%d]", i), "must be entity_id or payload.<member>")
		}
	}
}

func oneOf[T ~string](faults *models.Faults, place string, value T, allowed ...T) {
	words := make([]string, 0, len(allowed))
	for _, word := range allowed {
		if value == word {
			return
		}
		if word != "" {
			words = append(words, string(word))
		}
	}
	faults.Add(place, "must be one of %s", strings.Join(words, ", "))
}

func checkRange(faults *models.Faults, place string, value, low, high int) {
	if value < low || value > high {
		faults.Add(place, "must be %d to %d", low, high)
	}
}

func checkLength(faults *models.Faults, place, value string, low, high int) {
	switch n := len(value); {
	case n < low:
		faults.Add(place, "must not be empty")
	case n > high:
		faults.Add(place, "must not be longer than %d bytes", high)
	}
}

func profileName(s string) bool {
	if s == "" || len(s) > 63 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
