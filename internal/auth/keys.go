package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Names of the keys in a data folder.
const (
	folder    = "keys"
	tokenFile = "token.key"
	adminFile = "admin.key"
)

const adminBytes = 32

// Keys are a server's secrets. All methods may be called concurrently.
type Keys struct {
	signing ed25519.PrivateKey
	public  ed25519.PublicKey
	admin   [sha256.Size]byte
	parser  *jwt.Parser
	now     func() time.Time
}

// Open reads the keys of a data folder and makes those that are not there yet,
// in DATA/keys (mode 0700, files 0600). Only the process that holds the data
// folder may call it. A damaged key or one that others can read is ErrKeys.
func Open(data string, now func() time.Time) (*Keys, error) {
	dir := filepath.Join(data, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, err
	}
	for file, generate := range map[string]func() ([]byte, error){tokenFile: newTokenKey, adminFile: newAdminKey} {
		if err := ensure(filepath.Join(dir, file), generate); err != nil {
			return nil, err
		}
	}
	signing, err := readTokenKey(filepath.Join(dir, tokenFile))
	if err != nil {
		return nil, err
	}
	admin, err := AdminKey(data)
	if err != nil {
		return nil, err
	}
	return &Keys{
		signing: signing,
		public:  signing.Public().(ed25519.PublicKey), // its documented type
		admin:   sha256.Sum256([]byte(admin)),
		parser:  newParser(now),
		now:     now,
	}, nil
}

// IsAdmin reports whether key is the admin key, in a time that does not depend
// on how much of it is right.
func (k *Keys) IsAdmin(key string) bool {
	sum := sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(sum[:], k.admin[:]) == 1
}

// AdminKey reads the admin key of a data folder, 64 hex digits, for commands
// that talk to its server. It makes nothing.
func AdminKey(data string) (string, error) {
	content, err := readPrivate(filepath.Join(data, folder, adminFile))
	if err != nil {
		return "", err
	}
	key := string(content)
	if len(key) > 0 && key[len(key)-1] == '\n' {
		key = key[:len(key)-1]
	}
	if raw, err := hex.DecodeString(key); err != nil || len(raw) != adminBytes {
		return "", fmt.Errorf("%w: %s is damaged", ErrKeys, adminFile)
	}
	return key, nil
}

// Check returns ErrKeys if a key of the data folder is missing, damaged or
// readable by others. It makes nothing.
func Check(data string) error {
	dir := filepath.Join(data, folder)
	_, tokenErr := readTokenKey(filepath.Join(dir, tokenFile))
	_, adminErr := AdminKey(data)
	return errors.Join(private(dir), tokenErr, adminErr)
}

func readTokenKey(path string) (ed25519.PrivateKey, error) {
	content, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(content); block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signing, ok := key.(ed25519.PrivateKey); ok {
				return signing, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %s is damaged", ErrKeys, filepath.Base(path))
}

func newTokenKey() ([]byte, error) {
	_, signing, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signing)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func newAdminKey() ([]byte, error) {
	key := make([]byte, adminBytes)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	return append(hex.AppendEncode(nil, key), '\n'), nil
}

// ensure makes a key file if it is not there.
func ensure(path string, generate func() ([]byte, error)) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	content, err := generate()
	if err != nil {
		return fmt.Errorf("auth: making %s: %w", filepath.Base(path), err)
	}
	return create(path, content)
}
