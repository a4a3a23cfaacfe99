package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"
	_ "k8s.io/component-base/logs/json/register"
	kubeapiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const (
	// Where nothing says otherwise, what kube-apiserver is started with by kubeadm.
	issuer = "https://kubernetes.default.svc.cluster.local"
	poll   = 50 * time.Millisecond
)

// startEtcd serves one etcd member on a unix socket in dir and returns the socket's path once it answers.
func startEtcd(ctx context.Context, dir string) (string, error) {
	socket := filepath.Join(dir, "etcd.sock")
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.UnsafeNoFsync = true
	config.LogLevel = "error"
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socket}}
	config.ListenPeerUrls = nil
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return socket, nil
	case err := <-etcd.Err():
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// apiServer is a kube-apiserver whose port is bound and whose certificate is made, but which does not serve yet.
type apiServer struct {
	options options.CompletedOptions
	ready   ready
}

// newAPIServer prepares an API server on a port that the kernel picks, with RBAC, bound service account tokens, and one
// administrator by bearer token.
func newAPIServer(dir, etcdSocket string) (*apiServer, error) {
	token, err := writeAdminToken(filepath.Join(dir, "tokens.csv"))
	if err != nil {
		return nil, err
	}
	signingKey := filepath.Join(dir, "service-accounts.key")
	if err := writeSigningKey(signingKey); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	o := options.NewServerRunOptions()
	// Bound here and handed over, so no other process can take the port in between.
	o.SecureServing.Listener = listener
	o.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse([]string{
		"--advertise-address=127.0.0.1",
		"--bind-address=127.0.0.1",
		"--cert-dir=" + dir,
		"--etcd-servers=unix://" + etcdSocket,
		"--authorization-mode=RBAC",
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"),
		"--service-account-issuer=" + issuer,
		"--service-account-signing-key-file=" + signingKey,
		"--service-account-key-file=" + signingKey,
		// Else a token for the API server gets a year, whatever was asked for.
		"--service-account-extend-token-expiration=false",
		"--service-cluster-ip-range=10.96.0.0/16",
		// The `kubernetes` Endpoints may not be loopback, and nothing here goes through them.
		"--endpoint-reconciler-type=none",
	}); err != nil {
		return nil, err
	}
	if err := o.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := o.Complete(context.Background())
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return nil, utilerrors.NewAggregate(errs)
	}
	return &apiServer{
		options: completed,
		ready: ready{
			Server: "https://" + listener.Addr().String(),
			CA:     completed.SecureServing.ServerCert.CertKey.CertFile,
			Token:  token,
		},
	}, nil
}

// serve returns only when the API server could not start or has ended.
func (s *apiServer) serve() error {
	return kubeapiserver.Run(context.Background(), s.options)
}

// waitReady returns when /readyz says ok and the default namespace is there.
func (s *apiServer) waitReady(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host:            s.ready.Server,
		BearerToken:     s.ready.Token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: s.ready.CA},
	})
	if err != nil {
		return err
	}
	paths := []string{"/readyz", "/api/v1/namespaces/default"}
	for {
		var last error
		for _, path := range paths {
			if last = client.Discovery().RESTClient().Get().AbsPath(path).Do(ctx).Error(); last != nil {
				break
			}
		}
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), last)
		case <-time.After(poll):
		}
	}
}

// writeAdminToken makes a random bearer token of a cluster administrator and writes the file that tells the API server.
func writeAdminToken(path string) (string, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	token := hex.EncodeToString(random)
	line := fmt.Sprintf("%s,admin,admin,%q\n", token, "system:masters")
	return token, os.WriteFile(path, []byte(line), 0o600)
}

// writeSigningKey makes the key that signs service account tokens.
func writeSigningKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	pem, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem, 0o600)
}
