package doctor

import "testing"

func TestTheInnermostAndLatestMountCounts(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:30 / /mnt/my\040disk rw - xfs /dev/vdb rw
25 22 0:31 / /data rw - ext4 /dev/vdc rw
26 22 0:32 / /data rw - tmpfs tmpfs rw
a line that is not one
`
	for dir, want := range map[string]string{
		"/": "ext4", "/procession": "ext4", "/proc": "proc", "/mnt/my disk/a": "xfs", "/data/merchantim": "tmpfs",
	} {
		if got, err := kindOf(dir, table); err != nil || got != want {
			t.Errorf("%s is on %q, %v; want %q", dir, got, err, want)
		}
	}
	if _, err := kindOf("/data", "nothing\n"); err == nil {
		t.Error("a mount was found in an empty table")
	}
	if f := filesystem(t.TempDir()); f.Detail == "" {
		t.Errorf("%+v", f)
	}
}
