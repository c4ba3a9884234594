// Reads tars as engines do, and tells what it found. For each tar on stdin (eight bytes of length,
// big-endian, then the tar) it writes one line of JSON.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"sort"
	"strings"
)

// Holes can make a file of any size: so many bytes of it are read.
const most = 1 << 20

type entry struct {
	Name     string      `json:"name"` // all texts are hexadecimal: they may be any bytes
	Link     string      `json:"link"`
	Type     string      `json:"type"`
	Size     int64       `json:"size"`
	Mode     int64       `json:"mode"`
	Uid      int         `json:"uid"`
	Gid      int         `json:"gid"`
	Seconds  int64       `json:"seconds"`
	Nanos    int         `json:"nanos"`
	Uname    string      `json:"uname"`
	Gname    string      `json:"gname"`
	Devmajor int64       `json:"devmajor"`
	Devminor int64       `json:"devminor"`
	Xattrs   [][2]string `json:"xattrs"`
	Content  string      `json:"content"` // SHA-256 of the first bytes
	Error    string      `json:"error"`   // met while the content was read
}

type answer struct {
	Entries []entry `json:"entries"`
	Error   string  `json:"error"`
}

func text(s string) string { return hex.EncodeToString([]byte(s)) }

func read(raw []byte) answer {
	found := answer{Entries: []entry{}}
	reader := tar.NewReader(bytes.NewBuffer(raw))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			found.Error = err.Error()
			return found
		}
		e := entry{
			Name: text(header.Name), Link: text(header.Linkname), Type: text(string(header.Typeflag)),
			Size: header.Size, Mode: header.Mode, Uid: header.Uid, Gid: header.Gid,
			Seconds: header.ModTime.Unix(), Nanos: header.ModTime.Nanosecond(),
			Uname: text(header.Uname), Gname: text(header.Gname),
			Devmajor: header.Devmajor, Devminor: header.Devminor, Xattrs: [][2]string{},
		}
		const prefix = "SCHILY.xattr."
		for key, value := range header.PAXRecords {
			if strings.HasPrefix(key, prefix) && value != "" {
				e.Xattrs = append(e.Xattrs, [2]string{text(key[len(prefix):]), text(value)})
			}
		}
		sort.Slice(e.Xattrs, func(i, j int) bool { return e.Xattrs[i][0] < e.Xattrs[j][0] })
		digest := sha256.New()
		if _, err := io.Copy(digest, io.LimitReader(reader, most)); err != nil {
			e.Error = err.Error()
		}
		e.Content = hex.EncodeToString(digest.Sum(nil))
		found.Entries = append(found.Entries, e)
		if e.Error != "" {
			return found
		}
	}
}

func main() {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for {
		var size uint64
		if binary.Read(in, binary.BigEndian, &size) != nil {
			return
		}
		raw := make([]byte, size)
		if _, err := io.ReadFull(in, raw); err != nil {
			return
		}
		if encoder.Encode(read(raw)) != nil || out.Flush() != nil {
			return
		}
	}
}
