package auth_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/merchantim/merchantim/internal/auth"
)

// noon is when these stories begin; a clock moves on from it.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func open(t testing.TB, data string) (*auth.Keys, *clock) {
	t.Helper()
	c := &clock{now: noon}
	keys, err := auth.Open(data, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return keys, c
}

func mint(t testing.TB, keys *auth.Keys, user string) string {
	t.Helper()
	token, err := keys.Mint(user, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestATokenSaysWhoUntilItExpires(t *testing.T) {
	keys, clock := open(t, t.TempDir())
	token := mint(t, keys, "alice")

	got, err := keys.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Claims{User: "alice", ID: got.ID, IssuedAt: noon.Local(), Expires: noon.Add(time.Hour).Local()}
	if diff := cmp.Diff(want, got); diff != "" || got.ID == "" {
		t.Error(diff, got.ID)
	}

	clock.now = noon.Add(time.Hour + time.Minute)
	refused(t, keys, token, "expired")
	clock.now = noon.Add(-time.Minute)
	refused(t, keys, token, "not valid yet")
}

func TestTokensOutliveTheProcessAndStayAtHome(t *testing.T) {
	data := t.TempDir()
	before, _ := open(t, data)
	after, _ := open(t, data)
	elsewhere, _ := open(t, t.TempDir())
	token := mint(t, before, "alice")
	if _, err := after.Verify(token); err != nil {
		t.Error(err)
	}
	refused(t, elsewhere, token, "not signed by this server")
}

// TestForgedTokens signs with the server's real key where the fault is
// elsewhere, so that only the fault can be what is refused.
func TestForgedTokens(t *testing.T) {
	data := t.TempDir()
	keys, _ := open(t, data)
	signing := signingKey(t, data)
	public := signing.Public().(ed25519.PublicKey)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	fresh := jwt.MapClaims{"iss": "merchantim", "aud": "merchantim", "sub": "alice", "jti": "1",
		"iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
	with := func(changes jwt.MapClaims) jwt.MapClaims {
		claims := jwt.MapClaims{}
		for _, m := range []jwt.MapClaims{fresh, changes} {
			for k, v := range m {
				if claims[k] = v; v == nil {
					delete(claims, k)
				}
			}
		}
		return claims
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if _, err := keys.Verify(sign(jwt.SigningMethodEdDSA, signing, fresh)); err != nil {
		t.Fatalf("the faultless token is refused: %v", err)
	}
	for name, story := range map[string]struct{ token, why string }{
		"alg none":           {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, fresh), "not signed"},
		"HS256, public key":  {sign(jwt.SigningMethodHS256, []byte(public), fresh), "not signed"},
		"HS256, public SPKI": {sign(jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), fresh), "not signed"},
		"another audience":   {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"aud": "shop"})), "another service"},
		"no audience":        {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"aud": nil})), "incomplete"},
		"another issuer":     {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"iss": "shop"})), "another service"},
		"no expiry":          {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"exp": nil})), "incomplete"},
		"expired":            {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"exp": noon.Add(-time.Hour).Unix()})), "expired"},
		"no user":            {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"sub": nil})), "incomplete"},
		"not a user":         {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"sub": "a b"})), "incomplete"},
		"no id":              {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"jti": nil})), "incomplete"},
		"no time of issue":   {sign(jwt.SigningMethodEdDSA, signing, with(jwt.MapClaims{"iat": nil})), "incomplete"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, keys, story.token, story.why) })
	}
}

func TestTamperedTokens(t *testing.T) {
	keys, _ := open(t, t.TempDir())
	token := mint(t, keys, "alice")
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	bob := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "alice", "bobby", 1)))
	refused(t, keys, parts[0]+"."+bob+"."+parts[2], "not signed")
	refused(t, keys, parts[0]+"."+parts[1]+".", "not signed")
	refused(t, keys, strings.Repeat("a", 1<<20), "too long")
	for _, junk := range []string{"", ".", "..", "...", "a.b.c", parts[0] + "." + parts[1]} {
		refused(t, keys, junk, "not a token")
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := []byte(token)
		i := rapid.IntRange(0, len(changed)-1).Draw(t, "place")
		changed[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		if claims, err := keys.Verify(string(changed)); !errors.Is(err, auth.ErrToken) {
			t.Fatalf("a token changed at %d was taken for %+v, %v", i, claims, err)
		}
	})
}

func TestUsersAndLivesThatAreRefused(t *testing.T) {
	keys, _ := open(t, t.TempDir())
	for _, user := range []string{"", "a b", "ä", "a/b", "a\n", "a@b", strings.Repeat("a", 65)} {
		if _, err := keys.Mint(user, time.Hour); !errors.Is(err, auth.ErrUser) {
			t.Errorf("%q: %v", user, err)
		}
	}
	for _, user := range []string{"a", "A.b_c-9", strings.Repeat("a", 64)} {
		if claims, err := keys.Verify(mint(t, keys, user)); err != nil || claims.User != user {
			t.Errorf("%q: %v, %v", user, claims, err)
		}
	}
	for _, ttl := range []time.Duration{0, -time.Hour, auth.MaxTTL + 1} {
		if _, err := keys.Mint("alice", ttl); err == nil {
			t.Errorf("a life of %v was given", ttl)
		}
	}
}

func FuzzVerify(f *testing.F) {
	keys, _ := open(f, f.TempDir())
	good := mint(f, keys, "alice")
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := keys.Verify(token)
		switch {
		case err == nil && token != good && strings.NewReplacer("\r", "", "\n", "").Replace(token) != good:
			t.Errorf("%q was taken for %+v", token, claims)
		case err != nil && len(token) > 8 && strings.Contains(err.Error(), token):
			t.Error("the error tells the token")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	keys, _ := open(b, b.TempDir())
	token := mint(b, keys, "alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}

func refused(t *testing.T, keys *auth.Keys, token, why string) {
	t.Helper()
	claims, err := keys.Verify(token)
	if !errors.Is(err, auth.ErrToken) || !strings.Contains(err.Error(), why) || claims != (auth.Claims{}) {
		t.Errorf("got %+v, %v; want it refused as %q", claims, err, why)
	}
	if len(token) > 8 && err != nil && strings.Contains(err.Error(), token) {
		t.Error("the error tells the token")
	}
}

func signingKey(t *testing.T, data string) ed25519.PrivateKey {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(data, "keys", "token.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}
