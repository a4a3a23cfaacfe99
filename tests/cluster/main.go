// Command testcluster is the control plane of Kubernetes in one binary: what the tests need of it, and no more.
package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
)

const usage = `usage: testcluster up --dir DIR    etcd and kube-apiserver in this process, until stdin closes
       testcluster kubectl ARGS   kubectl
`

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
		os.Args = append([]string{command}, os.Args[2:]...)
	}
	switch command {
	case "up":
		os.Exit(up(os.Args[1:]))
	case "kubectl":
		os.Exit(cli.Run(kubectl.NewDefaultKubectlCommand()))
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}
