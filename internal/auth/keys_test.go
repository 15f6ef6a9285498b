package auth_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/auth"
)

func TestKeysAreMadePrivateAndOnce(t *testing.T) {
	data := filepath.Join(t.TempDir(), "not", "there", "yet")
	open(t, data)
	modes := map[string]fs.FileMode{"keys": 0o700, "keys/token.key": 0o600, "keys/admin.key": 0o600}
	for name, want := range modes {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(data, "keys"))
	if err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}

	first, err := auth.AdminKey(data)
	if err != nil || len(first) != 64 {
		t.Fatalf("%d digits, %v", len(first), err)
	}
	open(t, data)
	if again, err := auth.AdminKey(data); err != nil || again != first {
		t.Errorf("the second start has another key: %v", err)
	}
	if err := auth.Check(data); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheAdminKeyIsTheAdminKey(t *testing.T) {
	data := t.TempDir()
	keys, _ := open(t, data)
	key, err := auth.AdminKey(data)
	if err != nil || !keys.IsAdmin(key) {
		t.Fatalf("the key itself is refused: %v", err)
	}
	for _, wrong := range []string{"", key[:63], key + "0", strings.ToUpper(key) + " ", key + "\n"} {
		if keys.IsAdmin(wrong) {
			t.Errorf("a wrong key of %d characters was taken", len(wrong))
		}
	}
}

func TestKeysThatOthersCanReadAreRefused(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{
		"keys": 0o750, "keys/token.key": 0o640, "keys/admin.key": 0o604,
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			open(t, data)
			if err := os.Chmod(filepath.Join(data, name), mode); err != nil {
				t.Fatal(err)
			}
			keysRefused(t, data, "chmod go-rwx")
		})
	}
}

func TestDamagedKeysAreRefusedAndKept(t *testing.T) {
	for _, name := range []string{"token.key", "admin.key"} {
		for what, content := range map[string]string{
			"empty": "", "junk": "junk", "huge": strings.Repeat("a", 1<<16),
			"another kind": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				data := t.TempDir()
				open(t, data)
				path := filepath.Join(data, "keys", name)
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				keysRefused(t, data, name)
				if kept, err := os.ReadFile(path); err != nil || string(kept) != content {
					t.Errorf("the damaged key was changed: %v", err)
				}
			})
		}
	}
}

func TestCheckAndAdminKeyMakeNothing(t *testing.T) {
	data := t.TempDir()
	if err := auth.Check(data); !errors.Is(err, auth.ErrKeys) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing keys pass: %v", err)
	}
	if _, err := auth.AdminKey(data); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func keysRefused(t *testing.T, data, why string) {
	t.Helper()
	_, openErr := auth.Open(data, time.Now)
	for _, err := range []error{openErr, auth.Check(data)} {
		if !errors.Is(err, auth.ErrKeys) || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v; want ErrKeys with %q", err, why)
		}
	}
}
