package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Error is a setting that cannot be used.
type Error struct {
	// Path names the setting as files write it: "journal.segment_bytes".
	Path string
	// Problem says what is wrong, for the person who wrote it.
	Problem string
}

func (e *Error) Error() string { return e.Path + ": " + e.Problem }

// Load gives the effective configuration. What is said later wins: the shipped
// values, the file (YAML, TOML or JSON by its extension; "" for none), the
// environment (MERCHANTIM_JOURNAL_SEGMENT_BYTES for journal.segment_bytes),
// then flags, which maps paths to values. Every faulty setting is in the error,
// as an *Error; a path that does not exist is a fault in a file or flag. Other
// variables of the environment are not looked at: a cluster manager makes some
// that begin with the same word.
func Load(file string, flags map[string]any) (Config, error) {
	v, err := read(file)
	if err != nil {
		return Config{}, err
	}
	c := Default()
	all := fields(&c)
	known := make(map[string]bool, len(all))
	for _, f := range all {
		known[f.path] = true
		// BindEnv for each path, not AutomaticEnv, which misses paths that
		// the file does not have and lets MERCHANTIM_LINK hide a section.
		if err := v.BindEnv(f.path, f.env()); err != nil {
			return Config{}, fmt.Errorf("config: %w", err)
		}
	}
	faults := unknown(slices.Concat(v.AllKeys(), slices.Collect(maps.Keys(flags))), known)
	for path, value := range flags {
		v.Set(path, value)
	}
	for _, f := range all {
		if !v.IsSet(f.path) {
			continue
		}
		if err := f.set(v.Get(f.path)); err != nil {
			faults = append(faults, &Error{Path: f.path, Problem: err.Error()})
		}
	}
	if len(faults) == 0 {
		faults = c.faults()
	}
	if len(faults) > 0 {
		return Config{}, fmt.Errorf("config: %w", errors.Join(faults...))
	}
	return c, nil
}

func read(file string) (*viper.Viper, error) {
	v := viper.New()
	if file == "" {
		return v, nil
	}
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil {
		return nil, fmt.Errorf("config: reading %s: %w", file, err)
	}
	return v, nil
}

func unknown(paths []string, known map[string]bool) []error {
	var faults []error
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if !known[strings.ToLower(path)] {
			faults = append(faults, &Error{Path: path, Problem: "there is no such setting"})
		}
	}
	return faults
}
