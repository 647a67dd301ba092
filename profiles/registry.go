package profiles

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

//go:embed *.yaml
var builtIn embed.FS

// Registry holds the profiles that this deployment knows. It never changes once made.
type Registry struct {
	byName map[string]*Profile
}

// New reads the built-in profiles, then the files *.yaml and *.yml in dir ("" = none), then adds the given ones. A
// name may be used once: an operator's file cannot change what a built-in name means. The error names the file, the
// line and the knob of each fault.
func New(dir string, custom ...*Profile) (*Registry, error) {
	r := &Registry{byName: map[string]*Profile{}}
	if err := r.addFiles(builtIn, "profiles"); err != nil {
		return nil, err
	}
	if dir != "" {
		if err := r.addFiles(os.DirFS(dir), dir); err != nil {
			return nil, err
		}
	}
	for _, p := range custom {
		if err := r.add(p.Name, p); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Registry) addFiles(files fs.FS, dir string) error {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("read profiles in %s: %w", dir, err)
	}
	for _, entry := range entries {
		extension := path.Ext(entry.Name())
		if entry.IsDir() || extension != ".yaml" && extension != ".yml" {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		p, err := parseFile(files, entry.Name(), file)
		if err != nil {
			return err
		}
		if err := r.add(file, p); err != nil {
			return err
		}
	}
	return nil
}

func parseFile(files fs.FS, name, shown string) (*Profile, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read profile %s: %w", shown, err)
	}
	return Parse(shown, data)
}

func (r *Registry) add(source string, p *Profile) error {
	if _, taken := r.byName[p.Name]; taken {
		return fmt.Errorf("%s: name %q is taken by another profile", source, p.Name)
	}
	r.byName[p.Name] = p
	return nil
}

// Names lists the profiles by name.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Get finds a profile.
func (r *Registry) Get(name string) (*Profile, bool) {
	p, ok := r.byName[name]
	return p, ok
}
