package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn/internal/app"
	temporaldev "github.com/posthorn/posthorn/temporal-dev"
	"github.com/posthorn/posthorn/workflows"
)

const cloudKey = "the-api-key-of-the-namespace"

// cloud stands before a Temporal server as Temporal Cloud does: TLS alone, nothing without the API key or the client
// certificate, and nobody may use the operator's service.
type cloud struct {
	*httptest.Server
	address string
	// served and denied count requests.
	served, denied atomic.Int64
}

// newCloud wants the API key, or, with clients, a certificate that they signed.
func newCloud(t *testing.T, server *temporaldev.Server, clients *x509.CertPool) *cloud {
	t.Helper()
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Address()})
	behind.FlushInterval = -1 // gRPC streams
	plain := &http.Transport{Protocols: new(http.Protocols)}
	plain.Protocols.SetUnencryptedHTTP2(true)
	behind.Transport = plain
	c := &cloud{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		allowed := r.TLS != nil && (clients != nil || r.Header.Get("Authorization") == "Bearer "+cloudKey)
		if !allowed || strings.HasPrefix(r.URL.Path, "/temporal.api.operatorservice.") {
			c.denied.Add(1)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "7") // PERMISSION_DENIED
			w.Header().Set("Grpc-Message", "Request unauthorized.")
			return
		}
		c.served.Add(1)
		behind.ServeHTTP(w, r)
	}))
	c.EnableHTTP2 = true
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if clients != nil {
		c.TLS.ClientCAs, c.TLS.ClientAuth = clients, tls.RequireAndVerifyClientCert
	}
	c.StartTLS()
	t.Cleanup(func() { c.CloseClientConnections(); c.Close(); plain.CloseIdleConnections() })
	c.address = c.Listener.Addr().String()
	t.Setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", pemFile(t, "CERTIFICATE", c.Certificate().Raw))
	return c
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.ReplaceAll(kind, " ", "-")+".pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// clientCertificate sets the SDK's variables to a certificate that signs itself, and returns who trusts it.
func clientCertificate(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	t.Setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", pemFile(t, "CERTIFICATE", der))
	t.Setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", pemFile(t, "PRIVATE KEY", private))
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}

// deliversThrough runs an API and a worker that reach Temporal through c alone, and sees an event delivered and retried.
func deliversThrough(t *testing.T, c *cloud) {
	t.Helper()
	cfg := external(t, sqliteFile(t), c.address)
	cfg.WorkerListen = "127.0.0.1:0"
	added, err := app.RegisterSearchAttributes(t.Context(), cfg)
	require.NoError(t, err)
	require.Empty(t, added, "the namespace has them")
	worker := start(t, cfg, app.Roles{Worker: true})
	w := start(t, cfg, app.Roles{API: true})
	receiver := newSink(t, status(503, 200)...)
	application := w.application("standard", `{"retry":{"kind":"fixed","interval":"100ms"}}`)
	w.subscription(application, receiver.URL, nil)
	_, ids := w.published(application, `{"type":"a.b","payload":{}}`)
	w.becomes(ids[0], "succeeded")
	worker.url = worker.app.ProbesURL()
	require.Equal(t, "ok", worker.call("GET", "/readyz", nil, 200)["checks"].(map[string]any)["temporal"])
	require.Positive(t, c.served.Load())
	require.Positive(t, c.denied.Load(), "the operator's service was asked for first")
}

// Not parallel: the SDK's settings are the environment's.
func TestTemporalCloudByAPIKey(t *testing.T) {
	server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(func() { stopTemporal(t, server) })
	c := newCloud(t, server, nil)
	t.Setenv("TEMPORAL_API_KEY", cloudKey)
	deliversThrough(t, c)

	t.Setenv("TEMPORAL_API_KEY", "another-key")
	_, err := app.RegisterSearchAttributes(t.Context(), external(t, sqliteFile(t), c.address))
	require.ErrorContains(t, err, "Request unauthorized")
	require.NotContains(t, err.Error(), "another-key")
}

func TestTemporalCloudByClientCertificate(t *testing.T) {
	server := temporalAt(t, t.TempDir(), "127.0.0.1:0")
	t.Cleanup(func() { stopTemporal(t, server) })
	deliversThrough(t, newCloud(t, server, clientCertificate(t)))
}

func TestTemporalCloudLacksSearchAttributes(t *testing.T) {
	server, err := temporaldev.Start(t.Context(), temporaldev.Options{
		Dir: t.TempDir(), Address: "127.0.0.1:0", UIAddress: "off", Logger: quietLog(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { stopTemporal(t, server) })
	c := newCloud(t, server, nil)
	t.Setenv("TEMPORAL_API_KEY", cloudKey)
	cfg := external(t, sqliteFile(t), c.address)
	require.Eventually(t, func() bool { // net/http's proxy loses the trailers of a quick refusal now and then
		_, err = app.RegisterSearchAttributes(t.Context(), cfg)
		return err != nil && !strings.Contains(err.Error(), "without sending trailers")
	}, patience, time.Millisecond)
	require.ErrorContains(t, err, "tcld namespace search-attributes add")
	for name := range workflows.SearchAttributes() {
		require.ErrorContains(t, err, name)
	}
}

func TestTheDocumentsNameEverySearchAttribute(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	_, cloud, found := strings.Cut(string(page), "\n## Temporal Cloud\n")
	require.True(t, found)
	cloud, _, _ = strings.Cut(cloud, "\n## ")
	_, list, found := strings.Cut(cloud, "create `Posthorn")
	require.True(t, found)
	keywords, keywordLists, found := strings.Cut("`Posthorn"+list, " as Keyword, ")
	require.True(t, found)
	keywordLists, _, found = strings.Cut(keywordLists, " as KeywordList ")
	require.True(t, found)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for name, kind := range workflows.SearchAttributes() {
		require.Contains(t, map[enumspb.IndexedValueType]string{
			enumspb.INDEXED_VALUE_TYPE_KEYWORD: keywords, enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST: keywordLists,
		}[kind], "`"+name+"`")
		require.Contains(t, string(readme), name)
	}
}
