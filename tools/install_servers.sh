#!/usr/bin/env bash
# Install the servers that the tests talk to, and the browser that opens the pages, from the system's own packages, and
# those that it does not have as jars, by the coordinates of tools/jars, into the user's cache folder: only what is missing,
# and none of them is started. With everything there it changes nothing and downloads nothing. Where it can't install it
# says so and goes on: the tests that need the servers are then skipped by name, or fail when QIANTANG_TEST_SERVERS=required.
set -euo pipefail
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
cd "$(dirname "$0")/.."

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/qiantang-tests.conf
mark="written by qiantang's tools/install_servers.sh"
attempts=4
cache=${XDG_CACHE_HOME:-$HOME/.cache}/qiantang/jars

say() { printf 'servers: %s\n' "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || has postgres; }

# The same places that tests/servers looks in.
find_missing() {
  missing=()
  has redis-server || missing+=(redis-server)
  [ -e /usr/share/java/zookeeper.jar ] && [ -e /usr/share/java/slf4j-simple.jar ] || missing+=(libzookeeper-java)
  has java || missing+=(default-jre-headless)
  has_postgresql || missing+=(postgresql-15)
  has chromium || missing+=(chromium)
  [ -d /usr/share/fonts/opentype/noto ] || missing+=(fonts-noto-cjk)
  has mariadbd && has mariadb && has mariadb-install-db || missing+=(mariadb-server)
  [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && has epmd || missing+=(rabbitmq-server)
  find_missing_jars
  has mvn || [ ${#missing_jars[@]} -eq 0 ] || missing+=(maven)
}

# The version of the pom file, which is the server's, names the folder; its copy in there tells what the folder was filled by.
jar_folder() { printf '%s/%s-%s' "$cache" "$1" "$(sed -n '/<version>/{s:.*<version>\(.*\)</version>.*:\1:p;q}' "tools/jars/$1/pom.xml")"; }

find_missing_jars() {
  missing_jars=()
  local pom name
  for pom in tools/jars/*/pom.xml; do
    name=$(basename "$(dirname "$pom")")
    cmp -s "$pom" "$(jar_folder "$name")/pom.xml" || missing_jars+=("$name")
  done
}

by_hand() {
  say "$1: install these by hand, by their Debian names: ${missing[*]}"
  say "until then the tests that need them are skipped (or fail, with QIANTANG_TEST_SERVERS=required)"
  has mvn || exit 0  # no jars either
}

# Remove what this script wrote, and nothing that an administrator or an image did.
clean_up() {
  rm -rf "${log:-}" "${fresh:-}"
  for file in "$policy" "$cluster"; do
    if grep -qsF "$mark" "$file"; then rm -f "$file"; fi
  done
}

# Packages ask policy-rc.d whether they may start their service: no. PostgreSQL would also make a cluster.
forbid_starting() {
  if [ -e "$policy" ]; then
    grep -qF "$mark" "$policy" || say "$policy is there already and is left as it is"
  else
    printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
  fi
  mkdir -p "$(dirname "$cluster")"
  printf '# %s\ncreate_main_cluster = false\n' "$mark" >"$cluster"
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# One line per ten packages; the whole output stays in the log for a failure.
progress() {
  awk '/^Need to get/ { print "servers:   " $0; fflush() }
       /^Get:/ { if (++got % 10 == 0) { print "servers:   downloaded " got " files"; fflush() } }
       /^Unpacking/ { if (++open % 10 == 0) { print "servers:   unpacked " open " packages"; fflush() } }
       /^Setting up/ { if (++set % 10 == 0) { print "servers:   set up " set " packages"; fflush() } }'
}

again() {
  local try
  for ((try = 1; try <= attempts; try++)); do
    if "$@" 2>&1 | tee "$log" | progress; then return 0; fi
    (grep -E '^(E|W|Err|dpkg):|^\[ERROR\] (Failed|Plugin)' "$log" || cat "$log") | tail -n 6 | sed 's/^/    /'
    [ "$try" -lt "$attempts" ] && say "that failed, trying again ($((try + 1)) of $attempts)" && sleep $((try * 5))
  done
  return 1
}

install_packages() {
  forbid_starting
  say "reading the package lists"
  again apt update || say "that failed; going on with the lists that are here"
  say "installing ${missing[*]}"
  again apt install -y --no-install-recommends "${missing[@]}" || { say "could not install ${missing[*]}"; exit 1; }
  find_missing
  if [ ${#missing[@]} -gt 0 ]; then
    say "installed, and yet not found: ${missing[*]}"
    exit 1
  fi
}

# Filled beside its place and moved there when it is whole: a folder that is there can be relied on.
fetch_jars() {
  local name=$1 folder
  folder=$(jar_folder "$name")
  say "fetching $(basename "$folder")"
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/.$name-XXXXXX")
  again mvn -B -q --strict-checksums -f "tools/jars/$name/pom.xml" process-resources -DoutputDirectory="$fresh" \
    || { say "could not fetch $(basename "$folder")"; exit 1; }
  cp "tools/jars/$name/pom.xml" "$fresh/"
  chmod 755 "$fresh"
  rm -rf "$folder"
  mv -T "$fresh" "$folder"
}

find_missing
if [ ${#missing[@]} -eq 0 ] && [ ${#missing_jars[@]} -eq 0 ]; then
  say "all installed"
  exit 0
fi
log=$(mktemp)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ ${#missing[@]} -gt 0 ]; then
  if ! has apt-get; then
    by_hand "there is no apt-get here"
  elif [ "$(id -u)" -eq 0 ]; then
    install_packages
  elif has sudo; then
    say "asking sudo for root, to install ${missing[*]}"
    sudo -- env XDG_CACHE_HOME="${XDG_CACHE_HOME:-$HOME/.cache}" "$BASH" tools/install_servers.sh --packages
  else
    by_hand "this needs root and there is no sudo here"
  fi
fi
[ "${1:-}" != --packages ] || exit 0  # the jars are for the user who asked root for the packages
for name in "${missing_jars[@]}"; do fetch_jars "$name"; done
find_missing
if [ ${#missing[@]} -eq 0 ]; then say "done"; fi
