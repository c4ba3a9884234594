// Reads documents as engines do: line by line "KIND BASE64", into structs of the standards' fields;
// answers each with what it read as JSON, or with "error".
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type Platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSVersion    string   `json:"os.version"`
	OSFeatures   []string `json:"os.features"`
	Variant      string   `json:"variant"`
}

type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	Annotations  map[string]string `json:"annotations"`
	Data         string            `json:"data"`
	Platform     *Platform         `json:"platform"`
	ArtifactType string            `json:"artifactType"`
}

type Common struct {
	SchemaVersion int64             `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Subject       *Descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

type Manifest struct {
	Common
	Config Descriptor   `json:"config"`
	Layers []Descriptor `json:"layers"`
	Blobs  []Descriptor `json:"blobs"`
}

type Index struct {
	Common
	Manifests []Descriptor `json:"manifests"`
}

type History struct {
	Created    string `json:"created"`
	CreatedBy  string `json:"created_by"`
	Author     string `json:"author"`
	Comment    string `json:"comment"`
	EmptyLayer bool   `json:"empty_layer"`
}

type Settings struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Volumes      map[string]struct{} `json:"Volumes"`
	WorkingDir   string              `json:"WorkingDir"`
	Labels       map[string]string   `json:"Labels"`
	StopSignal   string              `json:"StopSignal"`
	ArgsEscaped  bool                `json:"ArgsEscaped"`
}

type Config struct {
	Platform
	Created string   `json:"created"`
	Author  string   `json:"author"`
	Config  Settings `json:"config"`
	RootFS  struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []History `json:"history"`
}

type Entry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func read(kind string, raw []byte) (interface{}, error) {
	var into interface{}
	switch kind {
	case "manifest":
		into = &Manifest{}
	case "index":
		into = &Index{}
	case "config":
		into = &Config{}
	default:
		into = &[]Entry{}
	}
	return into, json.Unmarshal(raw, into)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		kind, text, _ := strings.Cut(lines.Text(), " ")
		raw, _ := base64.StdEncoding.DecodeString(text)
		value, err := read(kind, raw)
		if err != nil {
			fmt.Fprintln(out, "error")
			continue
		}
		answer, _ := json.Marshal(value)
		fmt.Fprintln(out, string(answer))
	}
}
