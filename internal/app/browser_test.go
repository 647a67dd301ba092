package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a headless Chromium of a test, and what a person does with it.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it
	url string
	mu  sync.Mutex
	// faults are what the browser complained of: errors of scripts, and what the content policy refused.
	faults []string
}

// chromium finds the browser. scripts/chromium.sh, which make test runs, installs it.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const missing = "there is no Chromium; scripts/chromium.sh installs it"
	if os.Getenv("CI") == "true" {
		require.FailNow(t, missing)
	}
	t.Skip(missing)
	return ""
}

// newBrowser opens one on the world's dashboard.
func newBrowser(t *testing.T, w *world) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.UserDataDir(t.TempDir()))
	allocated, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process, whose files are about to be removed
		cancel()
	})
	b := &browser{t: t, ctx: ctx, url: w.url}
	require.NoError(t, chromedp.Listen(ctx, b.listen))
	b.screen(desktop, "light")
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, fmt.Sprintf("%+v", e.ExceptionDetails))
	case *log.EventEntryAdded:
		// That a page answers 4xx is in the tests' plan.
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "Failed to load resource") {
			b.faults = append(b.faults, e.Entry.Text)
		}
	}
}

// clean requires that the browser had nothing to complain of.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(b.t, b.faults)
}

// browserPatience bounds one step, on a machine that is busy.
const browserPatience = 60 * time.Second

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// eval is the value of an expression in the page, with the arguments in it as literals.
func eval[T any](b *browser, expression string, args ...any) (T, error) {
	quoted := make([]any, len(args))
	for i, arg := range args {
		text, err := json.Marshal(arg)
		require.NoError(b.t, err)
		quoted[i] = string(text)
	}
	if len(args) > 0 {
		expression = fmt.Sprintf(expression, quoted...)
	}
	ctx, cancel := context.WithTimeout(b.ctx, browserPatience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// value is eval of what cannot fail.
func value[T any](b *browser, expression string, args ...any) T {
	b.t.Helper()
	v, err := eval[T](b, expression, args...)
	require.NoError(b.t, err)
	return v
}

// sees waits until the page shows the text.
func (b *browser) sees(text string) {
	b.t.Helper()
	var last string
	if !assert.Eventually(b.t, func() bool {
		var err error
		last, err = eval[string](b, "document.body ? document.body.innerText : ''")
		return err == nil && strings.Contains(last, text)
	}, browserPatience, 50*time.Millisecond) {
		require.FailNow(b.t, "the page does not show "+text, last)
	}
}

// gone waits until the page does not show the text any more.
func (b *browser) gone(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		shown, err := eval[string](b, "document.querySelector('main').innerText")
		return err == nil && !strings.Contains(shown, text)
	}, browserPatience, 50*time.Millisecond, "the page goes on showing %q", text)
}

// seesNot requires that the page does not show the text.
func (b *browser) seesNot(text string) {
	b.t.Helper()
	require.NotContains(b.t, b.text("body"), text)
}

// text is that of the first element of a selector.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return value[string](b, "document.querySelector(%s).innerText", selector)
}

const findControl = `(() => {
	const seen = e => e.getClientRects().length > 0;
	const all = [...document.querySelectorAll('a, button, summary, label')].filter(seen);
	const e = all.find(e => e.innerText.trim() === %[1]s) || all.find(e => e.innerText.trim().startsWith(%[1]s));
	if (!e || document.readyState !== 'complete') return [];
	e.scrollIntoView({block: 'center', behavior: 'instant'});
	const r = e.getClientRects()[0];
	return [r.x + Math.min(r.width / 2, 40), r.y + r.height / 2];
})()`

// click presses what is called so, with the mouse, once it is there.
func (b *browser) click(name string) {
	b.t.Helper()
	var at []float64
	require.Eventually(b.t, func() bool {
		var err error
		at, err = eval[[]float64](b, findControl, name)
		return err == nil && len(at) == 2
	}, browserPatience, 50*time.Millisecond, "there is nothing to click called %q", name)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// narrow clicks what narrows a list, and waits until it is what is chosen: a click on a page that is about to go is lost.
func (b *browser) narrow(choice string) {
	b.t.Helper()
	b.click(choice)
	require.Eventually(b.t, func() bool {
		chosen, err := eval[string](b, `(document.querySelector('main [aria-current="true"]') || {innerText: ''}).innerText`)
		return err == nil && chosen == choice
	}, browserPatience, 50*time.Millisecond, "%q is not what the list is narrowed to", choice)
}

// selectField selects what is in a field, so that the first key replaces it.
const selectField = `(e => { if (!e || document.readyState !== 'complete') return false; e.focus(); e.select(); return true; })(
	document.getElementById(%s))`

// enter types into the field with the label's id, replacing what is there.
func (b *browser) enter(id, text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		found, err := eval[bool](b, selectField, id)
		return err == nil && found
	}, browserPatience, 50*time.Millisecond, "there is no field %q", id)
	b.do(chromedp.SendKeys("#"+id, text))
}

const chooseOption = `(e => { if (!e || document.readyState !== 'complete') return false; e.value = %[2]s;
	e.dispatchEvent(new Event('input', {bubbles: true})); return e.value === %[2]s; })(document.getElementById(%[1]s))`

// choose picks an option by its value.
func (b *browser) choose(id, option string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		chosen, err := eval[bool](b, chooseOption, id, option)
		return err == nil && chosen
	}, browserPatience, 50*time.Millisecond, "there is no choice %q of %q", option, id)
}

func (b *browser) signIn(key string) {
	b.t.Helper()
	b.open("/")
	b.enter("key", key)
	b.click("Sign in")
}

// A size of a screen.
type screenSize struct {
	name          string
	width, height int64
	mobile        bool
}

var (
	desktop = screenSize{name: "desktop", width: 1180, height: 800}            //nolint:gochecknoglobals // a constant in all but kind
	phone   = screenSize{name: "phone", width: 390, height: 844, mobile: true} //nolint:gochecknoglobals // a constant in all but kind
)

// screen sets the size and whether its user likes it dark.
func (b *browser) screen(size screenSize, scheme string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: size.width, Height: size.height, DeviceScaleFactor: 1, Mobile: size.mobile,
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

const runAxe = `axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v =>
	v.id + ': ' + v.nodes.map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | ')))`

// accessible requires that axe-core finds nothing on the page, and that it is not wider than the screen.
func (b *browser) accessible(what string) {
	b.t.Helper()
	axe, err := os.ReadFile(filepath.Join("..", "..", "dashboard", "testdata", "axe.min.js"))
	require.NoError(b.t, err)
	value[bool](b, string(axe)+";true")
	assert.Empty(b.t, value[[]string](b, runAxe), what)
	over := value[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth")
	assert.LessOrEqual(b.t, over, 0, "%s is wider than the screen", what)
}

// shoot writes a picture of the page into the folder that POSTHORN_SCREENSHOTS names; without it, nothing.
func (b *browser) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("POSTHORN_SCREENSHOTS")
	if folder == "" {
		return
	}
	image, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name+".png"), image, 0o644))
}
