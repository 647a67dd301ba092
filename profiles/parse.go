package profiles

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/posthorn/posthorn/models"
)

// Parse reads a profile file. Its error has a line for each fault, which names the file, the line and the knob:
// `acme.yaml:12: retry.interval must be 10ms to 168h`.
func Parse(file string, data []byte) (*Profile, error) {
	root, err := parseYAML(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d := decoder{lines: map[string]int{}}
	f := defaults()
	d.decode(root, reflect.ValueOf(f).Elem(), "")
	p, err := f.finish(&d, nil)
	if err != nil {
		return nil, located(file, err, d.lines)
	}
	return p, nil
}

// finish checks what the decoder wrote and makes the profile; the error is a *models.Error. Unchanged is the index of
// a catalogue that was not touched, nil otherwise: schemas are compiled once.
func (f *form) finish(d *decoder, unchanged *index) (*Profile, error) {
	if err := d.faults.Err(); err != nil {
		return nil, err // a check of half-read knobs would only add noise
	}
	for i := range f.Catalogue {
		f.Catalogue[i].complete(f.Wire.Type)
	}
	var faults models.Faults
	f.check(&faults)
	if unchanged == nil {
		f.checkCatalogue(&faults)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if unchanged != nil {
		return f.profile(unchanged), nil
	}
	x, err := newIndex(typesOf(f.Catalogue), f.Wire.Type, "catalogue")
	if err != nil {
		return nil, err
	}
	return f.profile(x), nil
}

// located turns faults into one error per fault, with the line of the knob or of the nearest one around it.
func located(file string, err error, lines map[string]int) error {
	e, ok := errors.AsType[*models.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", file, err)
	}
	located := make([]error, len(e.Fields))
	for i, field := range e.Fields {
		located[i] = fmt.Errorf("%s:%d: %s %s", file, lineOf(field.Location, lines), field.Location, field.Message)
	}
	return errors.Join(located...)
}

func lineOf(place string, lines map[string]int) int {
	for place != "" {
		if line := lines[place]; line > 0 {
			return line
		}
		place = place[:max(strings.LastIndexAny(place, ".["), 0)]
	}
	return 1
}
