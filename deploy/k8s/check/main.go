// k8s-check builds kustomizations and validates every object in them as an API server of its version would: unknown
// fields, wrong types, validation errors, and violations of the namespace's Pod Security Standard. It needs no
// cluster. build.sh builds it.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const usage = `usage: k8s-check [--json] DIRECTORY

Builds the kustomization in DIRECTORY and lists the objects that an API server would refuse, each with the reason.
--json: {"objects": [...], "problems": [...]}, objects with the defaults that the server would add.
Exit codes: 0 no problem, 1 problems found, 2 usage error or not a kustomization.
`

type verdict struct {
	Objects  []runtime.Object `json:"objects"`
	Problems []string         `json:"problems"`
}

func main() {
	asJSON, directory := arguments(os.Args[1:])
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		fmt.Fprintf(os.Stderr, "k8s-check: %s cannot be built: %v\n", directory, err)
		os.Exit(2)
	}
	found := judgeAll(built)
	if asJSON {
		err = json.NewEncoder(os.Stdout).Encode(found)
	} else {
		for _, problem := range found.Problems {
			fmt.Println(problem)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "k8s-check:", err)
		os.Exit(2)
	}
	if len(found.Problems) > 0 {
		os.Exit(1)
	}
}

func arguments(given []string) (asJSON bool, directory string) {
	for _, argument := range given {
		switch {
		case argument == "--help" || argument == "-h":
			fmt.Print(usage)
			os.Exit(0)
		case argument == "--json":
			asJSON = true
		case directory == "" && argument != "" && argument[0] != '-':
			directory = argument
		default:
			fmt.Fprintf(os.Stderr, "k8s-check: unknown argument %s\n%s", argument, usage)
			os.Exit(2)
		}
	}
	if directory == "" {
		fmt.Fprint(os.Stderr, "k8s-check: no directory\n", usage)
		os.Exit(2)
	}
	return asJSON, directory
}

func judgeAll(built resmap.ResMap) verdict {
	found := verdict{Objects: []runtime.Object{}, Problems: []string{}}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			found.Problems = append(found.Problems, err.Error())
			continue
		}
		object, problems := judge(text)
		if object != nil {
			found.Objects = append(found.Objects, object)
		}
		for _, problem := range problems {
			found.Problems = append(found.Problems, fmt.Sprintf("%s/%s: %s", resource.GetKind(), resource.GetName(), problem))
		}
	}
	return found
}
