// Package models holds Posthorn's domain: applications, subscriptions, events, invocations and attempts, the retry
// policies and the rules that bind them. It does no I/O and knows neither the database nor Temporal: every other
// package speaks in these types. Times are UTC; byte slices that a caller hands over are not copied.
package models
