package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// pairs are KEY=VALUE, in the order that they were given in.
type pairs []string

// String tells the flag package.
func (p *pairs) String() string { return strings.Join(*p, " ") }

// Set adds one.
func (p *pairs) Set(pair string) error {
	if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
		return errors.New("want KEY=VALUE")
	}
	*p = append(*p, pair)
	return nil
}

// suiteName is the value of -suite, which may stand behind it as a word of its own, or be left out.
type suiteName string

// String tells the flag package.
func (s *suiteName) String() string { return string(*s) }

// Set takes the name; "true" is what the flag package makes of none.
func (s *suiteName) Set(name string) error {
	switch name {
	case "true", suiteFull:
		*s = suiteFull
	case suiteQuick, suiteGrowth:
		*s = suiteName(name)
	default:
		return fmt.Errorf("want %s, %s or %s", suiteFull, suiteQuick, suiteGrowth)
	}
	return nil
}

// IsBoolFlag lets it stand alone.
func (s *suiteName) IsBoolFlag() bool { return true }

func parseAll(flags *flag.FlagSet, args []string) error {
	for i, arg := range args[:max(0, len(args)-1)] {
		if (arg == "-suite" || arg == "--suite") && !strings.HasPrefix(args[i+1], "-") {
			args = append(append(slices.Clone(args[:i]), "-suite="+args[i+1]), args[i+2:]...)
			break
		}
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return nil
}
