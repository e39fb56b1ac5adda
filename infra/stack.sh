#!/usr/bin/env bash
# Orthanc with auto-routing, PostgreSQL, the Prefect server on PostgreSQL and SecondRead, without containers.
# Ctrl-C or SIGTERM ends them all. Ports and places come from the variables below.
set -euo pipefail
cd "$(dirname "$0")/.."

SECONDREAD="${SECONDREAD:-secondread}"
STACK="$(mkdir -p "${STACK:-.stack}" && cd "${STACK:-.stack}" && pwd)"
POSTGRES_PORT="${POSTGRES_PORT:-5433}"
PREFECT_PORT="${PREFECT_PORT:-4200}"
METRICS_PORT="${METRICS_PORT:-9108}"
VIEWER_PORT="${VIEWER_PORT:-8080}"
VIEWER_SITE="${VIEWER_SITE:-$PWD/.viewer}"
PACKAGE="${PACKAGE:-chest-nodule}"
export ORTHANC_TARGET_PORT="${LISTENER_PORT:-11112}"
export ORTHANC_DICOM_PORT="${ORTHANC_DICOM_PORT:-4242}"
export ORTHANC_HTTP_PORT="${ORTHANC_HTTP_PORT:-8042}"
export ORTHANC_STABLE_AGE="${ORTHANC_STABLE_AGE:-3}"
export ORTHANC_STORAGE="$STACK/orthanc"
export TCP_NODELAY=1

say() { printf 'stack: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

need() { # program, Debian package
  command -v "$1" >/dev/null 2>&1 || die "$1 is missing; on Debian: apt-get install $2"
}
PATH="$PATH:/usr/sbin:$(printf '%s:' $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV))"
need Orthanc "orthanc orthanc-dicomweb orthanc-gdcm"
need initdb postgresql
need pg_isready postgresql-client
command -v "$SECONDREAD" >/dev/null 2>&1 || die "$SECONDREAD is missing; run make stack, or install the package"

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for pair in "PostgreSQL:$POSTGRES_PORT" "Prefect:$PREFECT_PORT" "SecondRead:$ORTHANC_TARGET_PORT" \
  "metrics:$METRICS_PORT" "Orthanc:$ORTHANC_DICOM_PORT" "Orthanc:$ORTHANC_HTTP_PORT" "viewer:$VIEWER_PORT"; do
  if in_use "${pair##*:}"; then
    die "port ${pair##*:} for ${pair%%:*} is taken; choose others by POSTGRES_PORT, PREFECT_PORT, METRICS_PORT," \
      "LISTENER_PORT, ORTHANC_DICOM_PORT, ORTHANC_HTTP_PORT, VIEWER_PORT"
  fi
done

names=() pids=()
stop() {
  trap - EXIT INT TERM
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -0 "${pids[i]}" 2>/dev/null || continue
    say "ending ${names[i]}"
    # SIGINT is PostgreSQL's fast shutdown; the others end in order on SIGTERM.
    if [ "${names[i]}" = PostgreSQL ]; then kill -INT "${pids[i]}"; else kill -TERM "${pids[i]}"; fi
    wait "${pids[i]}" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start() { # name, log, command...
  local name="$1" log="$STACK/$2"
  shift 2
  # A session of its own keeps Ctrl-C from reaching the services before this script ends them in order.
  setsid "$@" >"$log" 2>&1 &
  names+=("$name") pids+=("$!")
}
wait_for() { # name, log, seconds, command...
  local name="$1" log="$STACK/$2" seconds="$3"
  shift 3
  for ((i = 0; i < seconds * 5; i++)); do
    if "$@" >/dev/null 2>&1; then say "$name is up"; return; fi
    kill -0 "${pids[-1]}" 2>/dev/null || { tail -n 20 "$log" >&2; die "$name ended; its log is $log"; }
    sleep 0.2
  done
  tail -n 20 "$log" >&2
  die "$name did not start within $seconds s; its log is $log"
}

# PostgreSQL refuses root, which lends it the system's user and a folder that this user can reach.
as_postgres=() cluster="$STACK/postgres"
if [ "$(id -u)" -eq 0 ]; then
  id postgres >/dev/null 2>&1 || die "root cannot run PostgreSQL and there is no user postgres"
  as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  # Its place is kept beside the rest, so that one stack's journal never meets another one's inbox.
  place="$STACK/postgres.place"
  [ -s "$place" ] && [ -d "$(cat "$place")" ] || mktemp -d /var/tmp/secondread-stack-XXXXXXXX >"$place"
  cluster="$(cat "$place")"
  chown postgres:postgres "$cluster"
fi
initdb_here() { (cd / && ${as_postgres[@]+"${as_postgres[@]}"} initdb -D "$cluster" -A trust -U secondread -E UTF8); }
if [ ! -s "$cluster/PG_VERSION" ]; then
  initdb_here >"$STACK/initdb.log" 2>&1 || { cat "$STACK/initdb.log" >&2; die "initdb failed"; }
fi
start PostgreSQL postgres.log ${as_postgres[@]+"${as_postgres[@]}"} "$(command -v postgres)" -D "$cluster" \
  -p "$POSTGRES_PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
wait_for PostgreSQL postgres.log 30 pg_isready -q -h 127.0.0.1 -p "$POSTGRES_PORT"
for database in secondread prefect; do
  exists="$(psql -h 127.0.0.1 -p "$POSTGRES_PORT" -U secondread -d postgres -Atc \
    "select 1 from pg_database where datname = '$database'")"
  [ "$exists" = 1 ] || createdb -h 127.0.0.1 -p "$POSTGRES_PORT" -U secondread "$database"
done

mkdir -p "$ORTHANC_STORAGE"
start Orthanc orthanc.log "$(command -v Orthanc)" infra/orthanc/orthanc.json
wait_for Orthanc orthanc.log 60 grep -q "has started" "$STACK/orthanc.log"

if [ -f "$VIEWER_SITE/index.html" ]; then
  start viewer viewer.log "$SECONDREAD" viewer --port "$VIEWER_PORT" --site "$VIEWER_SITE" \
    --dicomweb "http://127.0.0.1:$ORTHANC_HTTP_PORT/dicom-web"
  wait_for viewer viewer.log 60 in_use "$VIEWER_PORT"
  viewer="http://127.0.0.1:$VIEWER_PORT"
else
  viewer="none: make viewer fetches it"
  say "there is no viewer in $VIEWER_SITE; make viewer fetches it"
fi

settings="$STACK/secondread.toml"
cat >"$settings" <<TOML
state_dir = "state"

[listener]
port = $ORTHANC_TARGET_PORT

[metrics]
port = $METRICS_PORT

[journal]
url = "postgresql+psycopg://secondread@127.0.0.1:$POSTGRES_PORT/secondread"

[prefect]
port = $PREFECT_PORT
database_url = "postgresql+asyncpg://secondread@127.0.0.1:$POSTGRES_PORT/prefect"

[nodes.pacs]
ae_title = "ORTHANC"
port = $ORTHANC_DICOM_PORT

[[routes]]
name = "chest"
package = "$PACKAGE"
destinations = ["pacs"]
when = [{ tag = "Modality", in = ["CR", "DX"] }]
TOML
export SECONDREAD_CONFIG="$settings"
"$SECONDREAD" config check >"$STACK/config.log" 2>&1 || { cat "$STACK/config.log" >&2; die "wrong settings"; }
start SecondRead secondread.log "$SECONDREAD" serve
wait_for SecondRead secondread.log 90 "$SECONDREAD" echo "SECONDREAD@127.0.0.1:$ORTHANC_TARGET_PORT"
wait_for Prefect secondread.log 90 in_use "$PREFECT_PORT"

cat >&2 <<ADDRESSES

  PACS (Orthanc)   http://127.0.0.1:$ORTHANC_HTTP_PORT   DICOM ORTHANC@127.0.0.1:$ORTHANC_DICOM_PORT
  viewer           $viewer
  Prefect          http://127.0.0.1:$PREFECT_PORT
  metrics          http://127.0.0.1:$METRICS_PORT/metrics
  listener         SECONDREAD@127.0.0.1:$ORTHANC_TARGET_PORT
  settings, logs   $STACK

  Send a study to the PACS: it routes it, and SR and key images come back to it:
    $SECONDREAD send DIR --to ORTHANC@127.0.0.1:$ORTHANC_DICOM_PORT
    SECONDREAD_CONFIG=$settings $SECONDREAD status

ADDRESSES
ended=0
wait -n "${pids[@]}" || ended=$?
for i in "${!pids[@]}"; do
  kill -0 "${pids[i]}" 2>/dev/null || say "${names[i]} ended by itself (status $ended); logs are in $STACK"
done
exit 1
