#!/usr/bin/env bash
# A real Apache Kafka (KRaft, no ZooKeeper) on this machine, for tests and for
# trying out a cluster, without Docker. It listens on loopback only.
#
#   kafka.sh install             fetch the broker into .tools/kafka (once)
#   kafka.sh start DIR [N]       start N brokers (1) with their data in DIR, or start
#                                again those that are down; print host:port,host:port
#   kafka.sh brokers DIR         print their addresses
#   kafka.sh sasl DIR            print those of the listeners that want a password
#                                (user merchantim, password loopback; PLAIN, SCRAM-SHA-256/-512)
#   kafka.sh kill DIR ID         kill -9 one broker (1 to N)
#   kafka.sh stop DIR            stop all brokers of DIR
#
# Needs Java 17 or newer, and Maven for install: on Debian
# "apt-get install default-jre-headless maven", which install does if it may.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$here/pom.xml")
libs=${MERCHANTIM_TOOLS:-$here/../../../.tools}/kafka/$version
heap=${KAFKA_HEAP:--Xms128m -Xmx512m}

die() { echo "kafka.sh: $*" >&2; exit 1; }

need() { # command, Debian package
	command -v "$1" >/dev/null && return
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null ||
		die "$1 is missing; on Debian: apt-get install $2"
	echo "installing $2" >&2
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$2"; } >&2
}

install() {
	[[ -e $libs/complete ]] && return
	need java default-jre-headless
	need mvn maven
	echo "fetching Kafka $version into ${libs%/*} (once)" >&2
	mkdir -p "$libs"
	mvn -q -B -f "$here/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$libs" >&2
	touch "$libs/complete"
}

java_run() { # working directory, then arguments of java
	local dir=$1
	shift
	java -cp "$here:$libs/*" -Dlog4j2.configurationFile="$here/log4j2.properties" -Dkafka.logs.dir="$dir" "$@"
}

free_port() { # below the range that the kernel hands out by itself
	local p
	for _ in {1..200}; do
		p=$((20000 + RANDOM % 10000))
		[[ " $taken " == *" $p "* ]] && continue
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null && continue
		taken+=" $p"
		port=$p
		return
	done
	die "no free port"
}

configure() { # DIR N
	local dir=$1 n=$2 i id voters='' taken='' replicas=$(($2 < 3 ? $2 : 3))
	local -a plain sasl control
	for ((i = 1; i <= n; i++)); do
		free_port; plain[i]=$port
		free_port; sasl[i]=$port
		free_port; control[i]=$port
		voters+="${voters:+,}$i@127.0.0.1:$port"
	done
	for ((i = 1; i <= n; i++)); do
		mkdir -p "$dir/$i"
		cat >"$dir/$i/server.properties" <<-EOF
			process.roles=broker,controller
			node.id=$i
			controller.quorum.voters=$voters
			listeners=PLAINTEXT://127.0.0.1:${plain[i]},SASL_PLAINTEXT://127.0.0.1:${sasl[i]},CONTROLLER://127.0.0.1:${control[i]}
			listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
			controller.listener.names=CONTROLLER
			inter.broker.listener.name=PLAINTEXT
			sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
			listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_merchantim="loopback";
			listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
			listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
			log.dirs=$dir/$i/data
			auto.create.topics.enable=false
			num.partitions=1
			offsets.topic.replication.factor=$replicas
			offsets.topic.num.partitions=4
			transaction.state.log.replication.factor=$replicas
			transaction.state.log.min.isr=1
			share.coordinator.state.topic.replication.factor=$replicas
			share.coordinator.state.topic.min.isr=1
			group.initial.rebalance.delay.ms=0
			group.min.session.timeout.ms=1000
			broker.session.timeout.ms=3000
			broker.heartbeat.interval.ms=500
			log.cleaner.dedupe.buffer.size=8388608
			num.network.threads=2
			num.io.threads=4
		EOF
	done
	id=$(java_run "$dir" -Xmx128m kafka.tools.StorageTool random-uuid 2>/dev/null | tail -1)
	for ((i = 1; i <= n; i++)); do
		java_run "$dir" -Xmx128m kafka.tools.StorageTool format -t "$id" -c "$dir/$i/server.properties" \
			--add-scram 'SCRAM-SHA-256=[name=merchantim,password=loopback]' \
			--add-scram 'SCRAM-SHA-512=[name=merchantim,password=loopback]' >"$dir/$i/format.log" 2>&1 ||
			{ cat "$dir/$i/format.log" >&2; die "format failed"; }
	done
}

address() { # DIR/ID listener
	sed -n 's/^listeners=//p' "$1/server.properties" | tr ',' '\n' | sed -n "s#^$2://##p"
}

each() { # DIR listener: addresses, with commas
	local d all=''
	for d in "$1"/[0-9]*/; do all+="${all:+,}$(address "$d" "$2")"; done
	echo "$all"
}

alive() { # DIR/ID
	local pid
	pid=$(cat "$1/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null &&
		tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "${1%/}/server.properties"
}

ready() { # DIR/ID: its listener answers, and it is no longer fenced
	local a
	a=$(address "$1" PLAINTEXT)
	(exec 3<>"/dev/tcp/${a%:*}/${a#*:}") 2>/dev/null && grep -q 'Kafka Server started' "$1/server.log"
}

start() {
	local dir n=${2:-1} d
	install
	mkdir -p "$1"
	dir=$(cd "$1" && pwd)
	[[ -e $dir/1/server.properties ]] || configure "$dir" "$n"
	for d in "$dir"/[0-9]*; do
		alive "$d" && continue
		: >"$d/server.log"
		# shellcheck disable=SC2086 # several options
		(cd "$d" && exec setsid java $heap -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$here:$libs/*" \
			-Dlog4j2.configurationFile="$here/log4j2.properties" \
			kafka.Kafka "$d/server.properties" >>"$d/server.log" 2>&1 </dev/null) &
		echo $! >"$d/pid"
	done
	for d in "$dir"/[0-9]*; do
		for _ in {1..600}; do
			ready "$d" && break
			alive "$d" || sleep 0.2
			alive "$d" || { tail -20 "$d/server.log" >&2; die "broker ${d##*/} ended"; }
			sleep 0.1
		done
		ready "$d" || die "broker ${d##*/} does not come up; see $d/server.log"
	done
	each "$dir" PLAINTEXT
}

stop() {
	local dir d
	dir=$(cd "$1" 2>/dev/null && pwd) || return 0
	for d in "$dir"/[0-9]*; do
		alive "$d" && kill "$(cat "$d/pid")"
	done
	for d in "$dir"/[0-9]*; do
		for _ in {1..100}; do
			alive "$d" || break
			sleep 0.1
		done
		if alive "$d"; then kill -9 "$(cat "$d/pid")"; fi
	done
}

case ${1:-} in
install) install ;;
start) start "${2:?DIR}" "${3:-1}" ;;
brokers) each "$(cd "${2:?DIR}" && pwd)" PLAINTEXT ;;
sasl) each "$(cd "${2:?DIR}" && pwd)" SASL_PLAINTEXT ;;
kill)
	d=$(cd "${2:?DIR}/${3:?ID}" && pwd)
	alive "$d" && kill -9 "$(cat "$d/pid")"
	while alive "$d"; do sleep 0.05; done
	;;
stop) stop "${2:?DIR}" ;;
*) sed -n '2,/^set /p' "$0" | sed '/^set /d; s/^# \{0,1\}//' >&2; exit 2 ;;
esac
