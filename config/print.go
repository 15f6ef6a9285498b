package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Print writes c as YAML that Load reads back to the same Config.
func (c Config) Print(w io.Writer) error {
	var out strings.Builder
	section := ""
	for _, f := range fields(&c) {
		name, indent := f.path, ""
		if group, leaf, nested := strings.Cut(f.path, "."); nested {
			if group != section {
				section = group
				out.WriteString(group + ":\n")
			}
			name, indent = leaf, "  "
		}
		out.WriteString(indent + name + ": " + f.text() + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// text is the value as YAML. A Go-quoted text is one that YAML reads alike.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case string:
		return strconv.Quote(v)
	case []string:
		quoted := make([]string, len(v))
		for i := range v {
			quoted[i] = strconv.Quote(v[i])
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case time.Duration:
		return strings.ReplaceAll(v.String(), "µ", "u")
	default:
		return fmt.Sprint(v)
	}
}
