package api

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/posthorn/posthorn/models"
)

// maxElements bounds a list that has no bound of its own.
const maxElements = 1000

func (d *decoder) list(text []byte, v reflect.Value, place string, tag reflect.StructTag) {
	if text[0] != '[' {
		d.fault(place, "must be a list")
		return
	}
	most, err := strconv.Atoi(tag.Get("maxItems"))
	if err != nil {
		most = maxElements
	}
	items, ok := elements(text, most)
	if !ok {
		d.fault(place, "must not list more than %d", most)
		return
	}
	d.checkLeastItems(len(items), place, tag)
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", place, i), "")
	}
	v.Set(list)
}

func (d *decoder) checkLeastItems(n int, place string, tag reflect.StructTag) {
	least, _ := strconv.Atoi(tag.Get("minItems"))
	switch {
	case n >= least:
	case n == 0:
		d.fault(place, "must not be empty")
	default:
		d.fault(place, "must list at least %d", least)
	}
}

func (d *decoder) string(text []byte, place string) (string, bool) {
	s, ok := unquote(text)
	switch {
	case !ok:
		d.fault(place, "must be a string")
	case strings.ContainsRune(s, 0): // no database column of text can hold it
		d.fault(place, "must not contain NUL")
	default:
		return s, true
	}
	return "", false
}

func (d *decoder) text(text []byte, place string, target encoding.TextUnmarshaler) {
	s, ok := d.string(text, place)
	if !ok {
		return
	}
	if err := target.UnmarshalText([]byte(s)); err != nil {
		d.fault(place, "%s", models.Shorten(err.Error()))
	}
}

func (d *decoder) time(text []byte, place string, target *time.Time) {
	s, _ := unquote(text)
	at, err := models.ParseTime(s)
	if err != nil {
		d.fault(place, "must be an RFC 3339 time such as 2026-11-21T19:17:00Z")
	}
	*target = given(at.UTC())
}

func (d *decoder) checkString(s, place string, tag reflect.StructTag) {
	length := utf8.RuneCountInString(s)
	least, _ := strconv.Atoi(tag.Get("minLength"))
	most, err := strconv.Atoi(tag.Get("maxLength"))
	words := strings.Split(tag.Get("enum"), ",")
	switch {
	case length < least:
		d.fault(place, "must not be empty")
	case err == nil && length > most:
		d.fault(place, "must not be longer than %d characters", most)
	case tag.Get("enum") != "" && !slices.Contains(words, s):
		d.fault(place, "must be one of %s", strings.Join(words, ", "))
	}
}

func (d *decoder) integer(text []byte, v reflect.Value, place string, tag reflect.StructTag) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		d.fault(place, "must be a whole number of at most 64 bits")
		return
	}
	v.SetInt(n)
	d.checkNumber(float64(n), place, tag)
}

func (d *decoder) float(text []byte, v reflect.Value, place string, tag reflect.StructTag) {
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		d.fault(place, "must be a number")
		return
	}
	v.SetFloat(n)
	d.checkNumber(n, place, tag)
}

// checkNumber takes whole numbers too: a float64 tells any of them from a bound that is not beyond 2^53.
func (d *decoder) checkNumber(n float64, place string, tag reflect.StructTag) {
	least, hasLeast := bound(tag, "minimum")
	most, hasMost := bound(tag, "maximum")
	switch {
	case (!hasLeast || n >= least) && (!hasMost || n <= most):
	case hasLeast && hasMost:
		d.fault(place, "must be %s to %s", tag.Get("minimum"), tag.Get("maximum"))
	case hasLeast:
		d.fault(place, "must be at least %s", tag.Get("minimum"))
	default:
		d.fault(place, "must be at most %s", tag.Get("maximum"))
	}
}

func bound(tag reflect.StructTag, name string) (value float64, given bool) {
	value, err := strconv.ParseFloat(tag.Get(name), 64)
	return value, err == nil
}
