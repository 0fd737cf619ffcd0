// verify_log checks the files of a log with Go's own packages for transparency logs, which know nothing of ours:
// each checkpoint's signature, that the tiles give its root, inclusion of some entries, and consistency between all sizes.
//
//	verify_log LOG_FOLDER VKEY_FILE CHECKPOINT_FILE...
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// folder reads tiles. The paths are those of C2SP tlog-tiles; tlog's own have the height in them.
type folder string

func indexPath(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

// read gives the partial file, or the full one that has replaced it.
func (f folder) read(level string, index int64, width int) ([]byte, error) {
	path := filepath.Join(string(f), "tile", level, indexPath(index))
	if width < 1<<tileHeight {
		data, err := os.ReadFile(path + ".p/" + strconv.Itoa(width))
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return os.ReadFile(path)
}

func (f folder) Height() int { return tileHeight }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(strconv.Itoa(tile.L), tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %v has %d bytes", tile, len(data))
		}
		all = append(all, data[:tile.W*tlog.HashSize])
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) entry(index, size int64) ([]byte, error) {
	width := min(size-index/256*256, 256)
	bundle, err := f.read("entries", index/256, int(width))
	if err != nil {
		return nil, err
	}
	for skip := index % 256; ; skip-- {
		if len(bundle) < 2 {
			return nil, fmt.Errorf("entry %d is not in its bundle", index)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+length {
			return nil, fmt.Errorf("entry %d is cut off", index)
		}
		if skip == 0 {
			return bundle[2 : 2+length], nil
		}
		bundle = bundle[2+length:]
	}
}

// openCheckpoint checks the signature. tlog.ParseTree is for logs of another name.
func openCheckpoint(path string, verifier note.Verifier) (tlog.Tree, error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(bytes, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("%s: not a checkpoint of %s", path, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("%s: no root", path)
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

func indices(size int64) []int64 {
	var chosen []int64
	for _, index := range []int64{0, 1, 2, 127, 128, 254, 255, 256, 257, 511, 512, 32767, 65279, 65280, 65535, 65536, size / 2, size - 2, size - 1} {
		if index >= 0 && index < size {
			chosen = append(chosen, index)
		}
	}
	return chosen
}

func checkInclusion(f folder, tree tlog.Tree) (int, error) {
	reader := tlog.TileHashReader(tree, f)
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return 0, err
	}
	if root != tree.Hash {
		return 0, fmt.Errorf("size %d: the tiles give another root", tree.N)
	}
	chosen := indices(tree.N)
	for _, index := range chosen {
		entry, err := f.entry(index, tree.N)
		if err != nil {
			return 0, err
		}
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry)); err != nil {
			return 0, fmt.Errorf("size %d, entry %d: %w", tree.N, index, err)
		}
	}
	return len(chosen), nil
}

func checkConsistency(f folder, older, newer tlog.Tree) error {
	proof, err := tlog.ProveTree(newer.N, older.N, tlog.TileHashReader(newer, f))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash)
}

func run(log folder, vkeyFile string, checkpoints []string) error {
	vkey, err := os.ReadFile(vkeyFile)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	var trees []tlog.Tree
	inclusions, consistencies := 0, 0
	for _, path := range checkpoints {
		tree, err := openCheckpoint(path, verifier)
		if err != nil {
			return err
		}
		count, err := checkInclusion(log, tree)
		if err != nil {
			return err
		}
		inclusions += count
		trees = append(trees, tree)
	}
	for _, older := range trees {
		for _, newer := range trees {
			if older.N > newer.N {
				continue
			}
			if err := checkConsistency(log, older, newer); err != nil {
				return fmt.Errorf("%d to %d: %w", older.N, newer.N, err)
			}
			consistencies++
		}
	}
	fmt.Printf("checkpoints %d inclusions %d consistencies %d\n", len(trees), inclusions, consistencies)
	return nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: verify_log LOG_FOLDER VKEY_FILE CHECKPOINT_FILE...")
		os.Exit(2)
	}
	if err := run(folder(os.Args[1]), os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "verify_log:", err)
		os.Exit(1)
	}
}
