package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets/style.css assets/htmx.min.js assets/icon.svg
var assetFiles embed.FS

// shared are the templates that every page is made with.
const shared = "templates/_*.html"

// parsePages makes each page's set of templates: the shared ones, and its own.
func parsePages() (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(functions()).ParseFS(templateFiles, shared)
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	pages := make(map[string]*template.Template, len(files))
	for _, file := range files {
		page, err := base.Clone()
		if err == nil {
			page, err = page.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return pages, nil
}

// render writes a page, or, where the browser asks for that alone, its live part. It is complete before the first byte
// is sent: half a page never looks like a whole one.
func (d *Dashboard) render(w http.ResponseWriter, r *http.Request, status int, name string, page *view) {
	part := "layout"
	if isPoll(r) && d.pages[name].Lookup("live") != nil {
		part = "live"
	}
	d.renderPart(w, r, status, name, part, page)
}

func (d *Dashboard) renderPart(w http.ResponseWriter, r *http.Request, status int, name, part string, page any) {
	var out bytes.Buffer
	if err := d.pages[name].ExecuteTemplate(&out, part, page); err != nil {
		d.Logger.LogAttrs(r.Context(), slog.LevelError, "page not rendered", slog.String("page", name),
			slog.String("error", err.Error()))
		http.Error(w, "Something went wrong here; the log has it.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // a browser that is gone needs no answer
}

// serveAsset serves the style sheet, htmx and the icon, out of this binary.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	_, _ = w.Write(content)
}
