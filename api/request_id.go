package api

import (
	"context"
	"net/http"
)

// identified gives each answer of a listener its X-Request-Id, whoever answers: the API, the dashboard's pages, or the
// probes of a process that has neither.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestIDOf(r)
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}
