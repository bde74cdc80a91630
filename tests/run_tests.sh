#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run_tests.sh DIR [TEST...]: run the tests of a directory, as root, the way
# kselftest's runner does, and print nested KTAP.
# run_tests.sh --limits DIR: print each test's time limit in seconds and name.
#
# DIR is where the tests were installed (or a source directory whose tests need
# no building). Without names, all tests run that "make list" names, or, where
# there is no make, a file "list" in DIR.
#
# A test is an executable that is run in its own directory, prints KTAP, and
# exits 0 if all passed, 1 if something failed, 4 if all was skipped. Its limit
# in seconds is a comment "# timeout=SECONDS" in its first ten lines, a line
# "<name>=SECONDS" in DIR/settings, or the line "timeout=SECONDS" there.
#
# The last line counts the cases that the tests reported: "N passed, N failed,
# N skipped". The exit status is 0 only if nothing failed and something ran.
#
# TIMEOUT_FACTOR       multiplies all limits: for slow machines
# KMSG=1               names each test in the kernel's log when it starts
# OVPN_TEST_CONDITION  what the tests are run under, for them to see to; it is added
#                      to their names
set -eu

case ${1:-} in
--limits) want_limits=1; shift ;;
*) want_limits= ;;
esac
if [ $# -lt 1 ] || [ ! -d "$1" ]; then
	echo "usage: $0 [--limits] DIR [TEST...]" >&2
	exit 2
fi
dir=$(cd "$1" && pwd)
label=$(basename "$dir")
under=${OVPN_TEST_CONDITION:+ under $OVPN_TEST_CONDITION}
shift

tests_of_dir()
{
	if [ -e "$dir/list" ]; then
		cat "$dir/list"
	else
		make -s --no-print-directory -C "$dir" list
	fi
}

# A test's limit in seconds.
limit_of()
{
	limit=$(head -n 10 "$dir/$1" | tr -d '\0' | sed -n 's/^# timeout=\([0-9][0-9]*\)$/\1/p' | head -n 1)
	if [ -z "$limit" ] && [ -e "$dir/settings" ]; then
		limit=$(awk -F= -v name="$1" '$1 == name { print $2; exit }' "$dir/settings")
		[ -n "$limit" ] || limit=$(awk -F= '$1 == "timeout" { print $2; exit }' "$dir/settings")
	fi
	echo $((${limit:-120} * ${TIMEOUT_FACTOR:-1}))
}

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046
	set -- $(tests_of_dir)
fi

if [ -n "$want_limits" ]; then
	for t; do
		echo "$(limit_of "$t") $t"
	done
	exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "error: the tests make network namespaces and devices: run them as root" >&2
	exit 2
fi

work=$(mktemp -d)
runner=
stop()
{
	[ -z "$runner" ] || kill "$runner" 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' INT TERM HUP

passed=0
failed=0
skipped=0

# Processes of one test run, found by a word in their environment, wherever
# they moved to: daemons leave their process group and session.
leftover_processes()
{
	grep -l -s -z -x "RUN_TESTS_ID=$1" /proc/[0-9]*/environ | sed 's,/proc/\([0-9]*\)/.*,\1,' |
	while read -r pid; do
		# A zombie waits for its parent, not for us.
		case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) in
		Z* | X* | '') ;;
		*) echo "$pid" ;;
		esac
	done
}

objects()
{
	ip netns list | sed 's/ .*//; s/^/netns /'
	for object in /sys/class/net/*; do
		echo "link ${object##*/}"
	done
}

# What a test left behind, after a moment for things to die; nothing if it was
# tidy. Left over processes and namespaces are removed: they would disturb the
# next test.
leftovers()
{
	tries=0
	while :; do
		pids=$(leftover_processes "$1")
		objects | sort | comm -13 "$work/objects" - >"$work/new"
		[ -n "$pids" ] || [ -s "$work/new" ] || return 0
		tries=$((tries + 1))
		[ "$tries" -lt 15 ] || break
		sleep 0.2
	done
	for pid in $pids; do
		echo "left behind: process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		kill -KILL "$pid" 2>/dev/null || true
	done
	while read -r type object; do
		echo "left behind: $type $object"
		case $type in
		netns) ip netns del "$object" 2>/dev/null || true ;;
		link) ip link del "$object" 2>/dev/null || true ;;
		esac
	done <"$work/new"
}

# Count the cases in a test's output, and hold them against its plan and exit
# status: prints "passed failed skipped", then why the test as a whole failed.
judge()
{
	awk -v status="$2" -v limit="$3" '
	/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1; if (plan == 0) skip_all = 1 }
	/^Bail out!/ { bail = 1 }
	/^not ok( |$)/ { cases++; if (toupper($0) ~ /# *SKIP/) s++; else f++ }
	/^ok( |$)/ { cases++; if (toupper($0) ~ /# *SKIP/) s++; else p++ }
	END {
		if (status == 124)
			why = "TIMEOUT " limit " seconds"
		else if (status == 137)
			why = "killed, or TIMEOUT " limit " seconds and deaf to SIGTERM"
		else if (status == 4 && !f && !p) {
			if (!cases) s = 1
			print p + 0, f + 0, s + 0
			print "SKIP"
			exit
		} else if (status == 0 && f || bail)
			why = "exit=" status
		else if (status != 0)
			why = "exit=" status
		else if (cases && !planned)
			why = "no plan"
		else if (planned && plan != cases)
			why = "planned " plan " cases, ran " cases + 0
		else if (!cases)
			p = 1
		# A test that failed without a case to show for it is one.
		if (why != "" && !f) f = 1
		print p + 0, f + 0, s + 0
		if (why != "") print why
		else if (!p && s) print "SKIP"
	}' "$1"
}

run_one()
{
	number=$1 name=$2 limit=$(limit_of "$2")
	id=$$.$number
	output=$work/output

	: >"$output"
	objects | sort >"$work/objects"
	[ -z "${KMSG:-}" ] || echo "run_tests: $label/$name$under" >/dev/kmsg
	echo "# timeout set to $limit"
	# The output goes through a file: a process that the test left behind
	# must not keep the runner waiting for the end of a pipe.
	(
		cd "$dir"
		status=0
		RUN_TESTS_ID=$id timeout -k 20 "$limit" "./$name" >"$output" 2>&1 </dev/null || status=$?
		echo "$status" >"$work/status"
	) &
	runner=$!
	tail -n +1 -s 0.2 --pid="$runner" -f "$output" 2>/dev/null | sed -u 's/^/# /'
	wait "$runner" || true
	runner=
	[ -z "$(tail -c 1 "$output" | tr -d "\\n")" ] || echo
	status=$(cat "$work/status")

	leftovers "$id" >"$work/left"
	judge "$output" "$status" "$limit" >"$work/verdict"
	{
		read -r p f s
		read -r why || true
	} <"$work/verdict"
	if [ -s "$work/left" ]; then
		sed 's/^/# /' "$work/left"
		f=$((f + 1))
		why="${why:+$why, }left things behind"
	fi
	passed=$((passed + p))
	failed=$((failed + f))
	skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		echo "not ok $number $label/$name$under # $why"
	else
		echo "ok $number $label/$name$under${why:+ # $why}"
	fi
}

echo "TAP version 13"
echo "1..$#"
number=0
for t; do
	number=$((number + 1))
	if [ ! -x "$dir/$t" ]; then
		echo "not ok $number $label/$t # no such executable"
		failed=$((failed + 1))
		continue
	fi
	run_one "$number" "$t"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
