# Runs the command "$1" in a login shell and ends when that shell does. E2B's daemon reports the end
# of a command only once nothing holds its output any more, and kills a single process. So the shell
# writes to pipes of ours, which two copiers pass on; and whatever carries the mark "$2" in its
# environment is killed at SIGTERM. What still runs at the end is listed on stderr, below the mark.
command=$1 mark=$2

marked() {
  grep -lzxF "CODEFLOW_COMMAND=$mark" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

pipes=$(mktemp -d) && mkfifo "$pipes/out" "$pipes/err" || exec /bin/bash -l -c "$command"
# Opened for both ways at first, so that no end waits for the other.
exec 3<>"$pipes/out" 4<>"$pipes/err" 5<"$pipes/out" 6<"$pipes/err" 7>"$pipes/out" 8>"$pipes/err"
exec 3>&- 4>&-
rm -r "$pipes"

cat <&5 2>/dev/null 5<&- 6<&- 7>&- 8>&- & out=$!
cat <&6 >&2 2>/dev/null 5<&- 6<&- 7>&- 8>&- & err=$!
CODEFLOW_COMMAND=$mark setsid /bin/bash -l -c "$command" </dev/null >&7 2>&8 5<&- 6<&- 7>&- 8>&- &
shell=$!
exec 7>&- 8>&-

stop() {
  # Each round finds what the processes of the one before started meanwhile.
  kill -KILL -- "-$shell"
  for _ in 1 2 3 4 5; do
    pids=$(marked)
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086 # one word for each process
    kill -KILL $pids
  done
  sleep 0.1
  kill "$out" "$err"
  exit 143
} 2>/dev/null
trap stop TERM

wait "$shell" 2>/dev/null
code=$?

# The last output is passed on; then the copiers of pipes that are still held are replaced by ones
# that discard: a process must not stand still, or end, because nobody reads what it writes.
{ sleep 0.5; kill "$out" "$err"; } </dev/null >/dev/null 2>&1 5<&- 6<&- &
timer=$!
wait "$out" 2>/dev/null || { setsid cat <&5 >/dev/null 2>&1 6<&- & }
wait "$err" 2>/dev/null || { setsid cat <&6 >/dev/null 2>&1 5<&- & }
kill "$timer" 2>/dev/null

# A freshly forked process still has its shell's command line.
[ -z "$(marked)" ] || sleep 0.1
left=$(marked)
if [ -n "$left" ]; then
  printf '\n%s\n' "$mark"
  for pid in $left; do
    printf '%s %s\n' "$pid" "$(tr '\000-\037' ' ' <"/proc/$pid/cmdline" | cut -c1-100)"
  done
fi >&2 2>/dev/null
exit "$code"
