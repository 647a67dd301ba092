package dashboard

import (
	"fmt"
	"math"
	"net/url"
	"time"
)

// The size of a chart in its own units; it is drawn as wide as its place.
const (
	chartWidth  = 720.0
	chartHeight = 200.0
	// chartFoot is what the labels of the time axis take.
	chartFoot = 34.0
)

// bar is a rectangle of a chart with its row of the table.
type bar struct {
	X, Width float64
	// OKY and OKHeight draw what succeeded, BadY and BadHeight what failed, above it.
	OKY, OKHeight, BadY, BadHeight float64
	// P50Y and P95Y are how high the latencies are; End is the bar's right side.
	P50Y, P95Y, End   float64
	From              string
	Succeeded, Failed int
	P50MS, P95MS      *int64
}

// label is a text of a chart's axis.
type label struct {
	X, Y float64
	Text string
	// Class is of those that there is no room for on a phone.
	Class string
}

// activityChart is deliveries and failures over time, and how long they took.
type activityChart struct {
	Bars              []bar
	Labels            []label
	Succeeded, Failed int
	Top               int
	// Slowest is the top of the latencies.
	Slowest string
	Empty   bool
}

// activity asks for a timeline and draws it.
func (v *visit) activity(app, subscription, hours string) (*activityChart, error) {
	query := url.Values{"hours": {hours}}
	if subscription != "" {
		query.Set("subscription_id", subscription)
	}
	var t timeline
	if err := v.ask("/v1/applications/"+url.PathEscape(app)+"/timeline", query, &t); err != nil {
		return nil, err
	}
	return drawActivity(&t), nil
}

func drawActivity(t *timeline) *activityChart {
	c := &activityChart{}
	var slowest int64
	for _, p := range t.Parts {
		c.Succeeded += p.Succeeded
		c.Failed += p.Failed
		c.Top = max(c.Top, p.Succeeded+p.Failed)
		if p.P95MS != nil {
			slowest = max(slowest, *p.P95MS)
		}
	}
	c.Empty = c.Top == 0
	step := chartWidth / float64(max(1, len(t.Parts)))
	for i, p := range t.Parts {
		b := bar{
			X: round(float64(i)*step + 1), Width: round(step - 2), From: p.From, Succeeded: p.Succeeded, Failed: p.Failed,
			P50MS: p.P50MS, P95MS: p.P95MS,
		}
		b.End = round(b.X + b.Width)
		b.P50Y, b.P95Y = latencyY(p.P50MS, slowest), latencyY(p.P95MS, slowest)
		b.stack(c.Top)
		c.Bars = append(c.Bars, b)
	}
	c.Labels = timeLabels(t, step)
	c.Slowest = took(slowest)
	return c
}

// stack draws failures on top of successes; what there is at all is seen.
func (b *bar) stack(top int) {
	unit := (chartHeight - chartFoot) / float64(max(1, top))
	b.OKHeight, b.BadHeight = round(float64(b.Succeeded)*unit), round(float64(b.Failed)*unit)
	if b.Failed > 0 {
		b.BadHeight = max(2, b.BadHeight)
	}
	if b.Succeeded > 0 {
		b.OKHeight = max(2, b.OKHeight)
	}
	b.OKY = chartHeight - chartFoot - b.OKHeight
	b.BadY = max(0, b.OKY-b.BadHeight)
}

// timeLabels names every sixth part.
func timeLabels(t *timeline, step float64) []label {
	layout := "15:04"
	if width, err := time.ParseDuration(t.Width); err == nil && width > 2*time.Hour {
		layout = "2 Jan"
	}
	var labels []label
	for i := 0; i < len(t.Parts); i += 6 {
		at, err := time.Parse(time.RFC3339, t.Parts[i].From)
		if err != nil {
			continue
		}
		labels = append(labels, label{X: round(float64(i)*step + 1), Y: chartHeight - 8, Text: at.UTC().Format(layout)})
	}
	return labels
}

// latencyY is the height of a latency; the slowest is near the top.
func latencyY(ms *int64, slowest int64) float64 {
	if ms == nil || slowest == 0 {
		return 0
	}
	return round((chartHeight - chartFoot) * (1 - 0.9*float64(*ms)/float64(slowest)))
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// retryStep is one retry of a policy.
type retryStep struct {
	Number          int
	After, Elapsed  string
	X, Y, W, Height float64
}

// retryChart is when a policy tries again.
type retryChart struct {
	Steps []retryStep
	// Attempts and Total are what it amounts to; "" = without end.
	Attempts int
	Total    string
	// More: there are further retries than are drawn.
	More   bool
	Labels []label
}

// maxSteps is how many retries are drawn.
const maxSteps = 24

// drawRetry draws the delays on a logarithmic scale: they reach from milliseconds to days.
func drawRetry(p *retryPreview) *retryChart {
	c := &retryChart{More: len(p.Delays) > maxSteps}
	if p.Attempts != nil {
		c.Attempts = *p.Attempts
		c.More = *p.Attempts-1 > maxSteps
	}
	if p.Total != nil {
		c.Total = span(*p.Total)
	}
	delays := parseDelays(p.Delays[:min(len(p.Delays), maxSteps)])
	var longest, elapsed time.Duration
	for _, d := range delays {
		longest = max(longest, d)
	}
	step := chartWidth / float64(max(8, len(delays)))
	for i, d := range delays {
		elapsed += d
		height := round(max(4, (chartHeight-chartFoot-30)*logScale(d)/logScale(longest)))
		s := retryStep{
			Number: i + 1, After: span(d.String()), Elapsed: span(elapsed.String()), X: round(float64(i)*step + 2),
			Y: chartHeight - chartFoot - height, W: round(step - 4), Height: height,
		}
		c.Steps = append(c.Steps, s)
	}
	c.Labels = retryLabels(c.Steps, step)
	return c
}

func parseDelays(texts []string) []time.Duration {
	delays := make([]time.Duration, 0, len(texts))
	for _, text := range texts {
		if d, err := time.ParseDuration(text); err == nil {
			delays = append(delays, d)
		}
	}
	return delays
}

// logScale is 0 at a millisecond.
func logScale(d time.Duration) float64 { return math.Log10(1 + float64(d)/float64(time.Millisecond)) }

// retryLabels writes delays over their bars, as many as there is room for.
func retryLabels(steps []retryStep, step float64) []label {
	every := int(math.Ceil(72 / step))
	var labels []label
	for i := 0; i < len(steps); i += every {
		s, class := steps[i], ""
		if i/every%2 == 1 {
			class = "desk"
		}
		labels = append(labels, label{X: s.X, Y: round(s.Y - 6), Text: s.After, Class: class},
			label{X: s.X, Y: chartHeight - 8, Text: fmt.Sprint(s.Number), Class: class})
	}
	return labels
}
