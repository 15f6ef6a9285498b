#!/usr/bin/env bash
# Starts and stops real Redis servers on the loopback interface, for tests and
# for a cluster on one machine. Data and pid files lie in the folder given.
#
#   redis.sh start DIR [--setting value]...    one server; prints its port
#   redis.sh cluster DIR [--setting value]...  three masters and a replica of each;
#                                              prints the six ports, masters first
#   redis.sh again DIR                         starts what has ended, on its old ports
#   redis.sh kill DIR PORT                     kill -9 of one
#   redis.sh stop DIR                          ends all of them
#
# Needs redis-server and redis-cli (Debian: redis-server).
set -euo pipefail

die() { echo "redis.sh: $*" >&2; exit 1; }
usage() { sed -n '5,10s/^# *//p' "$0" >&2; exit 2; }

[[ $# -ge 2 ]] || usage
for tool in redis-server redis-cli; do
	command -v "$tool" >/dev/null || die "$tool is missing; on Debian: apt-get install redis-server"
done
what=$1 dir=$2
shift 2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

cli() { local port=$1; shift; timeout 10 redis-cli -h 127.0.0.1 -p "$port" "$@"; }
busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
alive() { [[ -f $1 ]] && kill -0 "$(cat "$1")" 2>/dev/null; }

# launch PORT: starts the server of that port with its kept settings, and waits
# until it has read its data. It fails if the port turns out to be taken.
launch() {
	local home=$dir/$1 pid i settings
	mapfile -d '' -t settings <"$home/settings"
	redis-server --port "$1" --bind 127.0.0.1 --dir "$home" --daemonize no --save '' \
		--appendonly yes "${settings[@]}" >>"$home/log" 2>&1 </dev/null &
	pid=$!
	disown "$pid"
	echo "$pid" >"$home/pid"
	for ((i = 0; i < 300; i++)); do
		kill -0 "$pid" 2>/dev/null || return 1
		[[ $(cli "$1" ping 2>/dev/null) == PONG ]] &&
			[[ $(cli "$1" info server 2>/dev/null) == *"process_id:$pid"* ]] && return 0
		sleep 0.1
	done
	kill -9 "$pid"
	return 1
}

# fresh SETTING...: starts a new server on a free port, which it puts into $port.
# Cluster buses take the port 10000 above; both lie below those the system gives.
fresh() {
	local try
	for ((try = 0; try < 50; try++)); do
		port=$((12000 + RANDOM % 9000))
		if [[ -e $dir/$port ]] || busy "$port" || busy $((port + 10000)); then continue; fi
		mkdir "$dir/$port"
		if (($#)); then printf '%s\0' "$@"; fi >"$dir/$port/settings"
		launch "$port" && return 0
		rm -r "${dir:?}/$port"
	done
	die "no server comes up"
}

agreed() { # every node knows the whole cluster, and all slots are served
	local p
	for p in "$@"; do
		[[ $(cli "$p" cluster info 2>/dev/null) == *cluster_state:ok*cluster_known_nodes:6* ]] || return 1
	done
}

case $what in
start)
	fresh "$@"
	echo "$port"
	;;
cluster)
	ports=()
	for _ in 1 2 3 4 5 6; do
		fresh --cluster-enabled yes --cluster-node-timeout 2000 --cluster-replica-validity-factor 0 "$@"
		ports+=("$port")
	done
	cli "${ports[0]}" --cluster create "${ports[@]/#/127.0.0.1:}" --cluster-replicas 1 --cluster-yes >"$dir/create.log" 2>&1 ||
		die "$(tail -n 5 "$dir/create.log")"
	for ((i = 0; i < 100; i++)); do agreed "${ports[@]}" && break; sleep 0.1; done
	agreed "${ports[@]}" || die "the cluster does not come up"
	masters=() replicas=()
	for p in "${ports[@]}"; do
		if [[ $(cli "$p" role | head -n 1) == master ]]; then masters+=("$p"); else replicas+=("$p"); fi
	done
	for p in "${replicas[@]}"; do # a replica can take over once it has its copy
		for ((i = 0; i < 100; i++)); do [[ $(cli "$p" info replication) == *master_link_status:up* ]] && break; sleep 0.1; done
	done
	echo "${masters[@]}" "${replicas[@]}"
	;;
again)
	for home in "$dir"/*/; do
		alive "$home/pid" || launch "$(basename "$home")" || die "$home does not come up again"
	done
	;;
kill)
	pid=$(cat "$dir/$1/pid")
	kill -9 "$pid"
	while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	;;
stop)
	for home in "$dir"/*/; do
		if alive "$home/pid"; then kill "$(cat "$home/pid")"; fi
	done
	for home in "$dir"/*/; do
		for ((i = 0; i < 50; i++)); do alive "$home/pid" || break; sleep 0.1; done
		if alive "$home/pid"; then kill -9 "$(cat "$home/pid")"; fi
	done
	;;
*) usage ;;
esac
