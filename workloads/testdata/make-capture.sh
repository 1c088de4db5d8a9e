#!/bin/bash
# make-capture.sh: makes http.pcap and http.states, the capture that the tests of workloads/pcap replay.
#
# An HTTP server and its clients run in two network namespaces; the relay of this folder is the wire
# between them and delays, loses and reorders packets. tcpdump looks at the server's device, so the
# server is the host whose connections a replay rebuilds, and what the wire lost on the way to it is
# not in the file. At the end ss(8) writes the kernel's own account of the server's connections to
# http.states: the tests hold the replay against it.
#
# Needs root, /dev/net/tun, Go, and from Debian: nginx-light apache2-utils curl python3 tcpdump iproute2 procps.
# Takes under a minute (it must: TIME_WAIT and FIN_WAIT_2 last 60 s on Linux). Touches only the two
# namespaces and the temporary folder that it makes, and removes both. The addresses are those
# reserved for documentation (RFC 5737, RFC 3849).
#
#   usage: workloads/testdata/make-capture.sh [seed]
#
# Two runs of one seed lose the same packets by number, but the programs' timing is their own, so the
# files differ in detail; the tests promise nothing that depends on it.
set -euo pipefail

seed=${1:-1}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
cli=pcbcli$$ srv=pcbsrv$$
v4=192.0.2.2 v6='[2001:db8::2]'

cleanup() {
	local status=$?
	trap - EXIT
	set +e
	exec 2>/dev/null # what is killed here need not be announced
	for ns in $cli $srv; do
		ip netns pids $ns | xargs -r kill -KILL
		ip netns del $ns
	done
	[ -z "${relay:-}" ] || kill "$relay"
	wait
	rm -rf "$tmp"
	exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM

client() { ip netns exec $cli "$@" >/dev/null 2>&1; }
server() { ip netns exec $srv "$@"; }
# get is curl by a client that takes what comes: several of the transfers below are meant to fail.
get() { { client curl -s --max-time 20 "$@" || true; } 2>/dev/null; }
# pid prints the process of namespace $1 whose command line matches $2.
pid() { ip netns pids "$1" | xargs ps -o pid=,args= -p | awk -v re="$2" '$0 ~ re {print $1}'; }

# Two namespaces and the wire between them.
go build -o "$tmp/relay" "$here/relay"
for ns in $cli $srv; do
	ip netns add $ns
	ip -n $ns link set lo up
	ip -n $ns tuntap add tun0 mode tun
	ip -n $ns link set tun0 up
done
ip -n $cli addr add 192.0.2.1/24 dev tun0
ip -n $srv addr add 192.0.2.2/24 dev tun0
ip -n $cli addr add 2001:db8::1/64 dev tun0 nodad
ip -n $srv addr add 2001:db8::2/64 dev tun0 nodad
"$tmp/relay" -client $cli -server $srv -seed "$seed" -half 8099 & relay=$!

# Servers: nginx keeps connections alive, closes idle ones after 3 s and takes uploads; python's
# HTTP/1.0 server closes after every answer, and resets a client whose upload it did not read.
mkdir "$tmp/www"
head -c 1000 /dev/zero | tr '\0' x >"$tmp/www/1k"
head -c 12000 /dev/zero | tr '\0' x >"$tmp/www/12k"
head -c 400000 /dev/zero | tr '\0' x >"$tmp/www/big"
cat >"$tmp/nginx.conf" <<EOF
worker_processes 1;
user root;
daemon off;
pid $tmp/nginx.pid;
error_log $tmp/error.log;
events { worker_connections 256; }
http {
	access_log off;
	root $tmp/www;
	client_body_temp_path $tmp/body;
	client_header_timeout 3s;
	keepalive_timeout 3s;
	server {
		listen 80; listen [::]:80; listen 8099; listen [::]:8099;
		location /up { dav_methods PUT; root $tmp; }
		location /slow { alias $tmp/www/12k; limit_rate 3k; }
	}
}
EOF
mkdir "$tmp/up" "$tmp/body"
{
	server nginx -c "$tmp/nginx.conf" &
	server python3 -m http.server --bind :: --directory "$tmp/www" 8000 &
	server python3 -m http.server --bind :: --directory "$tmp/www" 8001 &
} >/dev/null 2>&1
sleep 1

# Opened before the capture begins: the replay finds these in mid-stream.
get http://$v4/slow & get "http://$v6/slow" &
sleep 1

server tcpdump -i tun0 -s 80 -w "$tmp/http.pcap" 2>/dev/null &
sleep 1

# Load: closed by the server, closed by the client, kept alive, in parallel, uploads.
client ab -q -n 16 -c 4 http://$v4:8000/1k
client ab -q -n 12 -c 4 "http://$v6:8000/1k"
client ab -q -k -n 24 -c 4 http://$v4/1k
client ab -q -k -n 12 -c 3 "http://$v6/1k"
for url in http://$v4 "http://$v6"; do
	get "$url/1k" "$url/1k" "$url/12k"
	get --globoff --parallel --parallel-immediate "$url"/1k?{1,2,3,4,5,6}
	get --globoff --parallel --parallel-immediate "$url"/12k?{1,2,3,4}
	for name in a b c; do head -c 40000 "$tmp/www/big" | get -T - "$url/up/$name"; done
done

# Client ports used twice: where the server closed first, the second SYN finds a TIME_WAIT.
for n in 0 1 2 3; do
	for _ in 1 2; do
		get --local-port 4000$n http://$v4:8000/1k
		get --local-port 4100$n "http://$v6:8000/1k"
	done
done

# Resets: a port nobody listens on, a client that leaves in mid-answer, an upload the server does not read.
get http://$v4:81/
get "http://$v6:81/"
get --max-time 0.3 --limit-rate 8k http://$v4/big
get --data-binary @"$tmp/www/12k" http://$v4:8000/

# Left half open: a handshake that never completes, and a SYN that nobody answers.
get --max-time 2 http://$v4:8099/1k
get --max-time 2 http://192.0.2.9/1k

# Left open. `curl telnet://` is a client that says nothing. On python's ports the idle ones stay
# established; a stopped client whose server loses patience leaves FIN_WAIT_2; clients that give up
# on a stopped server leave CLOSE_WAIT.
idle() { { client sleep 30 | get "telnet://$1"; } 2>/dev/null & }
idle $v4:8000; idle $v6:8000
idle $v4:80; idle $v6:80
sleep 1.5
pid $cli 'curl.*:80$' | xargs kill -STOP
sleep 3
pid $srv 'http[.]server' | xargs kill -STOP
for port in 8000 8001; do
	get --max-time 1 http://$v4:$port/1k
	get --max-time 1 "http://$v6:$port/1k"
done
idle $v4:80; idle $v6:80
sleep 1.5

# The wire goes deaf. Now nginx closes connections whose FIN nobody acknowledges (FIN_WAIT_1), and
# one python wakes up to close those whose clients have left (LAST_ACK).
kill -USR1 $relay
sleep 0.5
pid $srv 'http[.]server.*8000$' | xargs kill -CONT
sleep 4

server ss -tanH | awk '$1 != "LISTEN" {print $1, $4, $5}' | sed 's/\[::ffff:\([0-9.]*\)\]/\1/g' | sort >"$tmp/http.states"
pid $srv '^ *[0-9]+ tcpdump' | xargs kill -INT
sleep 0.5
cp "$tmp/http.pcap" "$tmp/http.states" "$here/"
ls -l "$here/http.pcap" "$here/http.states"
