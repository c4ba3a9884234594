// Reads gzip streams as engines do: one member, and nothing behind it.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

type Answer struct {
	Digest string `json:"digest"`
	Left   int    `json:"left"`
	Error  string `json:"error"`
}

func read(packed []byte) (answer Answer) {
	rest := bytes.NewReader(packed)
	reader, err := gzip.NewReader(rest)
	if err == nil {
		reader.Multistream(false)
		hash := sha256.New()
		_, err = io.Copy(hash, reader)
		answer.Digest = fmt.Sprintf("%x", hash.Sum(nil))
	}
	if err != nil {
		answer.Error = err.Error()
	}
	answer.Left = rest.Len()
	return answer
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		var length uint64
		if binary.Read(in, binary.BigEndian, &length) != nil {
			return
		}
		packed := make([]byte, length)
		if _, err := io.ReadFull(in, packed); err != nil {
			panic(err)
		}
		out.Encode(read(packed))
	}
}
