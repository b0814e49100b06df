#!/bin/sh
# Stands in for Deno in a portable executable: does what its arguments say that
# follow those for Deno.
while [ "${1##*/}" != agent.js ]; do shift; done
tree=${1%/*}
shift
task=${1:-none}
[ $# -eq 0 ] || shift
case $task in
arguments) printf '<%s>\n' "$@" ;;
environment) /usr/bin/env -0 ;;
exit) exit "$1" ;;
files) (cd "$tree" && sha256sum -- *) ;;
pid) echo $$ ;;
tree) echo "$tree" ;;
umask) umask ;;
wait)
  trap 'exit 7' TERM
  echo waiting
  while :; do sleep 0.02; done
  ;;
esac
exit
