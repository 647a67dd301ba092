package main

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

// counts is how many requirements came out how.
type counts struct{ passed, failed, missing, untestable int }

// err says what is not proved; nil when all is.
func (c counts) err() error {
	if c.failed+c.missing == 0 {
		return nil
	}
	return errors.New("not all of them are proved")
}

func (c counts) String() string {
	return fmt.Sprintf("%d requirements: %d passed, %d failed, %d missing, %d not testable",
		c.passed+c.failed+c.missing+c.untestable, c.passed, c.failed, c.missing, c.untestable)
}

// writeTable prints a row for each requirement and counts them. Without results (nil) it says which have tests, and
// counts nothing.
func writeTable(out io.Writer, wanted []requirement, tests []test, results map[key]outcome) counts {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	tell(table, "ID\tSTRENGTH\tRESULT\tTESTS")
	var c counts
	for _, r := range wanted {
		own := slices.DeleteFunc(slices.Clone(tests), func(t test) bool { return !slices.Contains(t.ids, r.id) })
		word := wordFor(r, own, results, &c)
		tell(table, "%s\t%s\t%s\t%s", r.id, r.strength, word, namesOf(own))
	}
	_ = table.Flush() // an error of the terminal is nobody's business
	if results != nil {
		tell(out, "\n%s", c)
	}
	return c
}

// wordFor is the result of one requirement.
func wordFor(r requirement, own []test, results map[key]outcome, c *counts) string {
	switch {
	case results == nil && len(own) > 0:
		return "not run"
	case !r.testable() && len(own) == 0:
		c.untestable++
		return "not testable"
	}
	result := verdict(own, results)
	switch result {
	case passed:
		c.passed++
	case failed:
		c.failed++
	case missing:
		c.missing++
	}
	return string(result)
}

// verdict sums up the tests of one requirement: one that failed counts more than any that passed, and one that was
// skipped is as good as none.
func verdict(own []test, results map[key]outcome) outcome {
	sum := missing
	for _, t := range own {
		switch results[key{t.importPath, t.name}] {
		case failed:
			return failed
		case passed:
			sum = passed
		default:
		}
	}
	return sum
}

func namesOf(own []test) string {
	names := make([]string, 0, len(own))
	for _, t := range own {
		names = append(names, path.Base(t.importPath)+"."+t.name)
	}
	return strings.Join(names, ", ")
}
