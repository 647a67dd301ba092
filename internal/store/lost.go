package store

import (
	"context"
	"sync"
	"time"

	"gorm.io/gorm"
)

// A commit whose answer is lost may have happened. Where it made claims, they would be this process's own, which lives,
// and nobody would send or settle them: the invocations would be held until maxClaim. So the process remembers the
// tokens of its failed transactions, and its gate knows such a claim when it meets one.

// lostClaims are the tokens of claims whose transaction failed in this process. The zero value is ready.
type lostClaims struct {
	mu     sync.Mutex
	tokens map[string]time.Time
}

// tokensKey is under which a transaction's context has the tokens that it grants.
type tokensKey struct{}

// withTokens makes room for the tokens that a transaction grants.
func withTokens(ctx context.Context) (context.Context, *[]string) {
	tokens := new([]string)
	return context.WithValue(ctx, tokensKey{}, tokens), tokens
}

// noteToken notes a token that the transaction grants.
func noteToken(tx *gorm.DB, token string) {
	if tokens, ok := tx.Statement.Context.Value(tokensKey{}).(*[]string); ok {
		*tokens = append(*tokens, token)
	}
}

// add takes the tokens of a failed transaction, and forgets those that the gate lets expire anyway.
func (l *lostClaims) add(tokens []string, now time.Time) {
	if len(tokens) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for token, since := range l.tokens {
		if now.Sub(since) > maxClaim {
			delete(l.tokens, token)
		}
	}
	if l.tokens == nil {
		l.tokens = map[string]time.Time{}
	}
	for _, token := range tokens {
		l.tokens[token] = now
	}
}

func (l *lostClaims) has(token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, lost := l.tokens[token]
	return lost
}

// giveUp ends a lost claim: nothing was sent under it, so there is nothing to record.
func (r *round) giveUp(c *candidate) error {
	c.ClaimToken, c.ClaimRedelivery = nil, nil
	return r.tx.Exec("UPDATE invocations SET claim_token = NULL, claim_owner = NULL, claim_redelivery = NULL,"+
		" claimed_at = NULL WHERE id = ?", c.ID).Error
}
