package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyWithin bounds the whole start. 2 to 4 s are usual; a busy machine needs more.
const readyWithin = 90 * time.Second

// ready is the one line that up prints on stdout once the API server answers.
type ready struct {
	// Server is the API server's URL.
	Server string `json:"server"`
	// CA is the path of the PEM file that verifies it.
	CA string `json:"ca"`
	// Token is a bearer token of the group system:masters.
	Token string `json:"token"`
}

// up runs a cluster whose state is in a new folder DIR, and deletes DIR when it ends. It ends when stdin closes, which
// the kernel does for a caller that was killed too, or on SIGINT or SIGTERM. Each line of stdin says `hold PID` or
// `release PID`: held processes are killed with the cluster, so that nothing outlives the tests that started it.
func up(args []string) int {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	dir := flags.String("dir", "", "where state, keys and certificates go; must be a new or empty folder")
	flags.Parse(args)
	if *dir == "" {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err := claim(*dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	// The caller may be gone before its pipes are written to for the last time.
	signal.Ignore(syscall.SIGPIPE)
	held := &leash{pids: map[int]struct{}{}}
	ended := make(chan struct{})
	go func() {
		held.follow(os.Stdin)
		close(ended)
	}()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)

	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	failed := make(chan error, 1)
	started := make(chan ready, 1)
	go run(ctx, *dir, started, failed)

	code := 0
	for running := true; running; {
		select {
		case r := <-started:
			if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
				fmt.Fprintln(os.Stderr, "stdout:", err)
				running, code = false, 1
			}
		case err := <-failed:
			fmt.Fprintln(os.Stderr, "testcluster failed:", err)
			running, code = false, 1
		case <-ended:
			running = false
		case <-signals:
			running = false
		}
	}
	// Nothing of the state is wanted again, so nothing is shut down in order.
	held.kill()
	// etcd may be writing while its files go, so the first attempt can find a folder not empty.
	for attempt := 0; os.RemoveAll(*dir) != nil && attempt < 100; attempt++ {
		time.Sleep(10 * time.Millisecond)
	}
	return code
}

// claim makes dir, or takes it when it is empty: what is in it will be deleted.
func claim(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}

// run starts etcd, then the API server on it, and reports when the API server is ready or why it is not.
func run(ctx context.Context, dir string, started chan<- ready, failed chan<- error) {
	socket, err := startEtcd(ctx, dir)
	if err != nil {
		failed <- fmt.Errorf("etcd: %w", err)
		return
	}
	server, err := newAPIServer(dir, socket)
	if err != nil {
		failed <- fmt.Errorf("kube-apiserver: %w", err)
		return
	}
	go func() {
		failed <- fmt.Errorf("kube-apiserver ended: %w", errors.Join(server.serve(), io.ErrUnexpectedEOF))
	}()
	if err := server.waitReady(ctx); err != nil {
		failed <- fmt.Errorf("kube-apiserver is not ready: %w", err)
		return
	}
	started <- server.ready
}

// leash is the set of processes that end with this one.
type leash struct {
	mu   sync.Mutex
	pids map[int]struct{}
}

// follow reads `hold PID` and `release PID` until the reader ends.
func (l *leash) follow(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		verb, number, _ := strings.Cut(lines.Text(), " ")
		pid, err := strconv.Atoi(number)
		if err != nil || pid <= 1 {
			fmt.Fprintf(os.Stderr, "not a process: %q\n", lines.Text())
			continue
		}
		l.mu.Lock()
		switch verb {
		case "hold":
			l.pids[pid] = struct{}{}
		case "release":
			delete(l.pids, pid)
		}
		l.mu.Unlock()
	}
}

func (l *leash) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for pid := range l.pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
