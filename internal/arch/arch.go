// Package arch keeps the import rules of the project. The rules are two tables
// in rules.go; the test checks every Go file of the module against them,
// whatever its build tags.
//
// Both tables are closed: a library without a home and a top-level folder
// without a place are violations, so that nothing new slips in unseen.
package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// file is what a Go file imports.
type file struct {
	name    string // slash-separated, from the module's root
	pkg     string // its folder; "." is the root
	test    bool
	imports []string
}

// load reads the imports of every Go file below the root of a module. Folders
// that the go tool itself passes over are passed over.
func load(module fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && ignored(d.Name()):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := read(module, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func ignored(folder string) bool {
	return folder == "testdata" || folder == "node_modules" || strings.HasPrefix(folder, ".") || strings.HasPrefix(folder, "_")
}

func read(module fs.FS, name string) (file, error) {
	f := file{name: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
	content, err := fs.ReadFile(module, name)
	if err != nil {
		return f, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, content, parser.ImportsOnly)
	if err != nil {
		return f, err
	}
	for _, spec := range tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

// check returns what breaks the rules, one line each.
func check(files []file) []string {
	var broken []string
	for _, f := range files {
		if !slices.ContainsFunc(places, func(p string) bool { return p == f.pkg || p != "." && under(f.pkg, p) }) {
			broken = append(broken, fmt.Sprintf("%s: Go code has no place in this folder", f.name))
		}
		for _, imported := range f.imports {
			if why := forbidden(f, imported); why != "" {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", f.name, imported, why))
			}
		}
	}
	return broken
}

// forbidden says why f must not import a package, or "".
func forbidden(f file, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, modulePath+"/")
	switch {
	case isOurs && ours == f.pkg:
		return "" // a test from outside its package
	case isOurs:
		if why := layered(f, ours); why != "" {
			return why
		}
		return homeless(f, ours, false)
	case !strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
		return "" // the standard library
	}
	if f.test && slices.ContainsFunc(testLibraries, func(l string) bool { return under(imported, l) }) {
		return ""
	}
	for _, l := range layers {
		if l.standardOnly && in(f.pkg, l.packages) {
			return l.why
		}
	}
	return homeless(f, imported, true)
}

// layered applies the table of layers to an import of a package of ours.
func layered(f file, ours string) string {
	for _, l := range layers {
		if !in(f.pkg, l.packages) || f.test && in(ours, l.testsAlso) {
			continue
		}
		if in(ours, l.never) || l.only != nil && !in(ours, l.only) {
			return l.why
		}
	}
	return ""
}

// homeless applies the table of homes. A library must be in it.
func homeless(f file, imported string, library bool) string {
	for _, h := range homes {
		if !under(imported, h.of) {
			continue
		}
		if in(f.pkg, h.in) || f.test && in(f.pkg, h.testsIn) {
			return ""
		}
		return "its home is " + strings.Join(h.in, ", ")
	}
	if library {
		return "this library is not in the table of homes"
	}
	return ""
}

// in reports whether a package matches a pattern: the package itself and what
// lies below it, "=x" for x alone, "x/*" for what lies below x, "*" for all.
func in(pkg string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if exact, found := strings.CutPrefix(p, "="); found {
			return pkg == exact
		}
		if below, found := strings.CutSuffix(p, "/*"); found {
			return strings.HasPrefix(pkg, below+"/")
		}
		return p == "*" || under(pkg, p)
	})
}

func under(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }
