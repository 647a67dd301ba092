package temporaldev

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// webUI is the running web UI.
type webUI struct {
	url    string
	server *http.Server //nolint:forbidigo // the Temporal UI, not our API
	// cancel ends the requests in flight: the UI's pages keep long polls open.
	cancel context.CancelFunc
}

// uiDrain is how long a stop waits for the UI's last answers.
const uiDrain = time.Second

// serveUI serves the UI of the frontend at conn on the listener, which it owns
// from then on, until ctx ends or stop is called.
func serveUI(ctx context.Context, l net.Listener, conn *grpc.ClientConn, o Options) (*webUI, error) {
	errorLog := slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn)
	handler, err := uiHandler(conn, o)
	if err != nil {
		return nil, fmt.Errorf("temporal-dev: web UI: %w", err)
	}
	handler.Logger.SetOutput(errorLog.Writer())

	ctx, cancel := context.WithCancel(ctx)
	u := &webUI{
		url:    "http://" + l.Addr().String(),
		cancel: cancel,
		server: &http.Server{ //nolint:forbidigo // the Temporal UI, not our API
			Handler:           onlyLoopbackHost(handler),
			ErrorLog:          errorLog,
			ReadHeaderTimeout: 10 * time.Second,
			BaseContext:       func(net.Listener) context.Context { return ctx },
		},
	}
	go func() { _ = u.server.Serve(l) }() // ends with ErrServerClosed in stop
	return u, nil
}

func (u *webUI) stop(ctx context.Context) error {
	u.cancel()
	ctx, cancel := context.WithTimeout(ctx, uiDrain)
	defer cancel()
	if u.server.Shutdown(ctx) == nil {
		return nil
	}
	return u.server.Close()
}

// uiHandler puts the UI server's routes together as its server.NewServer does.
// That one binds the port itself and ends the process when it cannot, never
// closes its connection to the frontend, and has a route that asks GitHub for
// new releases.
func uiHandler(conn *grpc.ClientConn, o Options) (*echo.Echo, error) {
	settings := &config.Config{
		TemporalGRPCAddress: conn.Target(),
		DefaultNamespace:    o.Namespace,
		EnableUI:            true,
		DisableNewsFetch:    true,
		HideLogs:            true,
		CORS:                config.CORS{CookieInsecure: true}, // http, so the cookie cannot be "secure"
	}
	provider, err := config.NewConfigProviderWithRefresh(settings)
	if err != nil {
		return nil, err
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if assets, err = fs.Sub(assets, "local"); err != nil {
		return nil, err
	}

	e := echo.New()
	e.Use(
		middleware.Recover(), middleware.Gzip(), middleware.Secure(),
		csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)),
	)
	route.SetHealthRoute(e)
	setAPIRoutes(e, provider, conn)
	route.SetRenderRoute(e, "/")
	return e, route.SetUIRoutes(e, "", assets, provider)
}

// setAPIRoutes is route.SetAPIRoutes on a connection of ours.
func setAPIRoutes(e *echo.Echo, provider *config.ConfigProviderWithRefresh, conn *grpc.ClientConn) {
	callerType := []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}
	group := e.Group("/api/v1")
	group.GET("/settings", api.GetSettings(provider))
	group.GET("/ui-extensions", api.GetUIExtensions(provider, nil))
	group.GET("/releases", func(c echo.Context) error {
		return c.JSON(http.StatusOK, api.LatestReleasesResponse{Releases: map[string]string{}})
	})
	group.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn)))
	group.Any("/*", api.TemporalAPIHandler(provider, callerType, conn))
}

// onlyLoopbackHost refuses requests for another host name: a web page that has
// its name resolve to 127.0.0.1 would otherwise be same-origin with the UI and
// could read and cancel workflows through a visitor's browser.
func onlyLoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "The Temporal UI answers to localhost only.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
