package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// requirement is one row of docs/requirements.md.
type requirement struct {
	id       string
	strength string
	text     string
}

// testable is false for what is listed only so that it is not forgotten.
func (r requirement) testable() bool { return r.strength != "N" }

// idPattern is an id; row is a table row that begins with something like one.
var (
	idPattern = regexp.MustCompile(`^[A-Z]{3}-[1-9][0-9]*$`)
	row       = regexp.MustCompile(`^\|\s*([A-Z]+-[^|]*?)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|$`)
)

// readRequirements reads the tables of the document, in its order.
func readRequirements(document string) ([]requirement, error) {
	var list []requirement
	for i, line := range strings.Split(document, "\n") {
		cells := row.FindStringSubmatch(strings.TrimSpace(line))
		if cells == nil {
			continue
		}
		r := requirement{id: cells[1], strength: cells[2], text: cells[3]}
		known := slices.ContainsFunc(list, func(other requirement) bool { return other.id == r.id })
		switch {
		case !idPattern.MatchString(r.id):
			return nil, fmt.Errorf("line %d: %q is not an id", i+1, r.id)
		case len(r.strength) != 1 || !strings.Contains("XICN", r.strength):
			return nil, fmt.Errorf("line %d: the strength of %s is X, I, C or N", i+1, r.id)
		case r.text == "":
			return nil, fmt.Errorf("line %d: %s says nothing", i+1, r.id)
		case known:
			return nil, fmt.Errorf("line %d: %s is listed twice", i+1, r.id)
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no requirement in the document")
	}
	return list, nil
}

// narrow keeps the requirements that only names, by id or prefix; "" keeps all.
func narrow(all []requirement, only string) ([]requirement, error) {
	if only == "" {
		return all, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(r requirement) bool { return named(r.id, name) }) {
			return nil, fmt.Errorf("-only: there is no requirement %q", name)
		}
	}
	var kept []requirement
	for _, r := range all {
		if slices.ContainsFunc(wanted, func(name string) bool { return named(r.id, name) }) {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

func named(id, name string) bool {
	prefix, _, _ := strings.Cut(id, "-")
	name = strings.ToUpper(strings.TrimSpace(name))
	return name == id || name == prefix
}

// idsOf are the ids that a test's name begins with: TestVIV4_VIV5_Samples and TestVIV4_5_Samples both name two. A
// number alone goes with the letters before it.
func idsOf(test string) []string {
	rest, ok := strings.CutPrefix(test, "Test")
	if !ok {
		return nil
	}
	var ids []string
	prefix := ""
	for part := range strings.SplitSeq(rest, "_") {
		letters := strings.TrimRight(part, "0123456789")
		number := part[len(letters):]
		if letters != "" {
			prefix = letters
		}
		id := prefix + "-" + number
		if !idPattern.MatchString(id) {
			return ids
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
