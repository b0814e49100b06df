#!/bin/sh
# keylime_agent in one file: this script, and behind it a gzip'd tar with Deno
# and the agent's program. The first start unpacks them to where only its user
# can write; every start becomes that program, in the same process.
set -uf

SHA256=@SHA256@
ARCHIVE_SIZE=@ARCHIVE_SIZE@
# Of the files in it, in bytes.
SIZES='@SIZES@'

newline='
'

# Says $1 and $2, which is what a tool said, in one line, and ends.
fail() {
  printf 'keylime_agent: %s\n' "$1${2:+: $(printf '%s\n' "$2" | paste -s -d ';' -)}" >&2
  exit 1
}

# Whatever Deno reads from its environment could change what runs, send
# telemetry, or write the keys of TLS connections to a file.
clean_environment() {
  IFS=$newline
  for variable in $(env); do
    name=${variable%%=*}
    case $name in
    *[!A-Za-z0-9_]*) ;;
    DENO_* | NODE_* | NPM_CONFIG_* | npm_config_* | OTEL_* | SSLKEYLOGFILE | \
      TAR_OPTIONS | GZIP) unset "$name" ;;
    esac
  done
  unset IFS
}

# The directory for trees of this user.
choose_base() {
  if [ -n "${CACHE_DIRECTORY:-}" ]; then
    base=${CACHE_DIRECTORY%%:*} # systemd separates several by colons
  elif [ "$uid" -eq 0 ]; then
    base=/var/cache/keylime
  elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    base=$XDG_CACHE_HOME/keylime
  elif [ -n "${HOME:-}" ]; then
    base=$HOME/.cache/keylime
  else
    fail "There is nowhere to unpack to: set CACHE_DIRECTORY, XDG_CACHE_HOME or HOME"
  fi
  case $base in
  /*) ;;
  *) fail "\"$base\" is no absolute path: set CACHE_DIRECTORY to one" ;;
  esac
}

# Whoever can write to $1 could change what runs.
must_be_private() {
  if [ ! -L "$1" ] && [ -d "$1" ]; then
    case $(stat -c '%u %a' -- "$1") in
    *[2367] | *[2367]?) ;;
    "$uid "*) return ;;
    esac
  fi
  fail "\"$1\" must be a directory, and no link, that belongs to user id $uid and that nobody else can write to; remove it"
}

is_complete() {
  [ "$(stat -c %s -- "$1/keylime_agent" "$1/agent.js" "$1/program.cjs" 2>&1)" = "$SIZES" ]
}

archive() {
  tail -c "$ARCHIVE_SIZE" -- "$0"
}

# Makes a directory that gets its name when it is complete and on the disk: a
# start that is cut off, even by a power failure, leaves nothing that is used.
unpack() {
  new=
  trap 'rm -rf -- ${new:+"$new"}' EXIT
  for signal in HUP INT TERM; do
    # shellcheck disable=SC2064 # this signal, not the last one
    trap "end_by $signal" "$signal"
  done
  why=$(mktemp -d -- "$base/.agent-$$-XXXXXXXXXX" 2>&1) ||
    fail "Cannot unpack to \"$base\"" "$why"
  new=$why
  sum=$(archive | sha256sum)
  [ "${sum%% *}" = "$SHA256" ] ||
    fail "\"$0\" is damaged: the archive at its end is not what was built; install it again"
  why=$(archive | tar -x -z -o -C "$new" -f - 2>&1) ||
    fail "Cannot unpack to \"$base\"" "$why"
  # The whole file system, because files would have to be opened for it, and IMA
  # would measure them under a name that no policy can know.
  why=$(sync -f -- "$new" 2>&1) || fail "Cannot unpack to \"$base\"" "$why"
  install_tree
  trap - EXIT HUP INT TERM
}

# shellcheck disable=SC2317 # called by the traps
end_by() {
  rm -rf -- ${new:+"$new"}
  trap - EXIT "$1"
  kill -s "$1" "$$"
}

# Another start may have been quicker; its directory is as good.
install_tree() {
  if [ -d "$tree" ] && ! is_complete "$tree"; then
    rm -rf -- "$tree"
  fi
  why=$(mv -T -- "$new" "$tree" 2>&1) || is_complete "$tree" ||
    fail "Cannot rename \"$new\"" "$why"
  rm -rf -- "$new"
}

# Removes the trees of other builds, whose agents run on from deleted files, and
# what starts that were killed have left.
remove_others() {
  set +f
  for old in "$base"/agent-* "$base"/.agent-*; do
    if [ ! -L "$old" ] && [ -d "$old" ] && is_disused "${old##*/}"; then
      rm -rf -- "$old" 2>/dev/null
    fi
  done
  set -f
}

is_disused() {
  case $1 in
  "agent-$SHA256") return 1 ;;
  agent-*[!0-9a-f]*) return 1 ;;
  agent-*) [ ${#1} -eq 70 ] ;;
  .agent-*-*)
    pid=${1#.agent-}
    pid=${pid%%-*}
    case $pid in
    '' | *[!0-9]*) return 1 ;;
    *) ! kill -s 0 "$pid" 2>/dev/null ;;
    esac
    ;;
  *) return 1 ;;
  esac
}

path=${PATH:-/usr/bin:/bin}
PATH=/usr/sbin:/usr/bin:/sbin:/bin
clean_environment
mask=$(umask)
umask 077
uid=$(id -u)
choose_base
if [ ! -d "$base" ]; then
  why=$(mkdir -p -- "$base" 2>&1) ||
    fail "Cannot unpack to \"$base\" (CACHE_DIRECTORY chooses another place)" "$why"
fi
must_be_private "$base"
tree=$base/agent-$SHA256
if [ -e "$tree" ] || [ -L "$tree" ]; then
  must_be_private "$tree"
fi
if ! is_complete "$tree"; then
  unpack
  remove_others
fi
[ -x "$tree/keylime_agent" ] ||
  fail "\"$tree/keylime_agent\" may not be executed: is its file system mounted noexec? Set CACHE_DIRECTORY to a directory on another"
umask "$mask"
PATH=$path
# Without a cache of Deno's, no file that root reads here ever changes, and IMA
# measures what root reads. HOME could have an .npmrc, which Deno reads.
export DENO_DIR=/dev/null DENO_NO_UPDATE_CHECK=1 HOME="$tree"
# All permissions: with any less, Deno 2.9.6 lets no program read /dev, /proc
# and /sys. The sandbox is the unit's.
exec "$tree/keylime_agent" run --allow-all --no-prompt \
  --v8-flags=@V8_FLAGS@ \
  --no-config --no-lock --no-remote --no-npm --no-code-cache \
  "$tree/agent.js" "$@"
exit 1
