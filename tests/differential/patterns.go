// Tells which of some paths a list of patterns means, as Docker does.
//
// A request is JSON after its length: {"patterns": [...], "paths": [...]}. The answer is a line of
// JSON: {"error": "...", "meant": [true, ...]}.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"

	"github.com/moby/patternmatcher"
)

type request struct {
	Patterns []string `json:"patterns"`
	Paths    []string `json:"paths"`
}

type answer struct {
	Error string `json:"error"`
	Meant []bool `json:"meant"`
}

func reply(asked request) answer {
	matcher, err := patternmatcher.New(asked.Patterns)
	if err != nil {
		return answer{Error: err.Error()}
	}
	found := answer{Meant: make([]bool, len(asked.Paths))}
	for i, path := range asked.Paths {
		found.Meant[i], err = matcher.MatchesOrParentMatches(path)
		if err != nil {
			return answer{Error: err.Error()}
		}
	}
	return found
}

func main() {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var length [8]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return
		}
		raw := make([]byte, binary.BigEndian.Uint64(length[:]))
		if _, err := io.ReadFull(in, raw); err != nil {
			panic(err)
		}
		var asked request
		if err := json.Unmarshal(raw, &asked); err != nil {
			panic(err)
		}
		if err := out.Encode(reply(asked)); err != nil {
			panic(err)
		}
	}
}
