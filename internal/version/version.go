// Package version tells which build this is.
package version

import "runtime/debug"

// linked is set by the Makefile: -ldflags "-X …/internal/version.linked=v1.2.3".
var linked string

// String is the linked version, else what the Go tool knows of the build.
func String() string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
