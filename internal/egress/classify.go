package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// errProxyRefused is the proxy's answer other than 200 to CONNECT.
var errProxyRefused = errors.New("egress proxy refused the connection")

// classify turns the transport's error into what a tenant may see. Caller is
// the context that Do was given, attempt the one with the attempt's deadline.
func classify(caller, attempt context.Context, err error) *Failure {
	var (
		blocked *BlockedError
		failure *Failure
	)
	switch {
	case errors.As(err, &blocked):
		return blockedFailure(blocked)
	case errors.Is(caller.Err(), context.Canceled):
		return &Failure{Code: CodeInterrupted, Message: "the attempt was interrupted"}
	case attempt.Err() != nil:
		return &Failure{Code: CodeTimeout, Message: "no response in time"}
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, errProxyRefused):
		return &Failure{Code: CodeConnect, Message: "the egress proxy refused the connection"}
	case hasOp(err, "proxyconnect"):
		return &Failure{Code: CodeConnect, Message: "the egress proxy could not be reached"}
	case isTLS(err):
		return tlsFailure(attempt, err)
	case isLost(err):
		return &Failure{Code: CodeConnect, Message: "the connection was closed before a complete response"}
	}
	return responseFailure(err)
}

func blockedFailure(err error) *Failure {
	return &Failure{Code: CodeBlockedURL, Message: "the " + err.Error()}
}

// lookupFailure keeps the resolver's address and its words out of the message.
func lookupFailure(err error) *Failure {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Failure{Code: CodeDNS, Message: "the host name does not exist"}
	case isTimeout(err):
		return &Failure{Code: CodeDNS, Message: "the host name could not be looked up in time"}
	}
	return &Failure{Code: CodeDNS, Message: "the host name could not be looked up"}
}

func connectFailure(ctx context.Context, err error) error {
	var blocked *BlockedError
	switch {
	case errors.As(err, &blocked):
		return blocked
	case ctx.Err() != nil, isTimeout(err):
		return &Failure{Code: CodeTimeout, Message: "no connection in time"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Failure{Code: CodeConnect, Message: "the connection was refused"}
	}
	return &Failure{Code: CodeConnect, Message: "no connection could be made"}
}

func tlsFailure(ctx context.Context, err error) *Failure {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	message := "the TLS handshake failed"
	switch {
	case errors.As(err, &authority):
		message = "the certificate is not signed by a trusted authority"
	case errors.As(err, &name):
		message = "the certificate is not valid for this host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		message = "the certificate has expired or is not valid yet"
	case errors.As(err, &invalid):
		message = "the certificate is not valid"
	case ctx.Err() != nil, isTimeout(err):
		return &Failure{Code: CodeTimeout, Message: "the TLS handshake did not end in time"}
	}
	return &Failure{Code: CodeTLS, Message: message}
}

// isTLS serves handshakes that the transport makes itself, behind a proxy, and
// alerts after the handshake: TLS 1.3 refuses a missing client certificate there.
func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		hasOp(err, "remote error") || hasOp(err, "local error") ||
		strings.Contains(err.Error(), "TLS handshake timeout") || strings.HasPrefix(err.Error(), "tls: ")
}

func hasOp(err error, op string) bool {
	var e *net.OpError
	return errors.As(err, &e) && e.Op == op
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// isLost: the connection ended without a complete response head. net/http does
// not export its error for a pooled connection closed under a request.
func isLost(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) ||
		strings.Contains(err.Error(), "server closed idle connection")
}

func responseFailure(err error) *Failure {
	message := "the answer is not a valid HTTP response"
	if strings.Contains(err.Error(), "response headers exceeded") {
		message = "the response headers are larger than 64 KiB"
	}
	return &Failure{Code: CodeResponse, Message: message}
}
