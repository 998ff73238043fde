#!/bin/sh
# Starts the gateway in production: checks the settings (docs/settings.md), replaces nginx.conf's @NAMES@ by them, and
# becomes nginx, so that signals reach it. Uses only sh, awk and sed, as BusyBox has them.
#   nginx.sh [nginx.conf [resolv.conf]]
set -aeu # all settings are exported, for awk

conf=${1:-/etc/nginx/blog.conf}
resolv_conf=${2:-/etc/resolv.conf}

# refuse NAME RULE
refuse() {
  echo "Invalid setting $1: $2" >&2
  exit 78 # EX_CONFIG of sysexits.h
}

# check NAME VALUE PATTERN RULE: refuses a value that does not match the whole pattern, so that no setting can inject a
# directive. Uses awk, because grep would match each line alone.
check() {
  [ -n "$2" ] || refuse "$1" 'must be given'
  VALUE=$2 PATTERN="^($3)\$" awk 'BEGIN { exit ENVIRON["VALUE"] !~ ENVIRON["PATTERN"] }' || refuse "$1" "$4"
}

number='[1-9][0-9]?[0-9]?[0-9]?'
port="($number|[1-5][0-9][0-9][0-9][0-9]|6[0-4][0-9][0-9][0-9]|65[0-4][0-9][0-9]|655[0-2][0-9]|6553[0-5])"
octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
ipv4="$octet[.]$octet[.]$octet[.]$octet"
ipv6='[0-9a-fA-F:]*:[0-9a-fA-F:.]*'
name='[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?'

# address NAME VALUE: a part's address, with a name that nginx can resolve. It asks a name server directly, so neither
# the search list of resolv.conf, which completes Kubernetes' short names, nor /etc/hosts, with localhost, applies.
address() {
  check "$1" "$2" "http://($name|\\[$ipv6\\]):$port" 'must be http://host:port'
  host=${2#http://}
  host=${host%:*}
  case $host in
    localhost) host=127.0.0.1 ;;
    *[.:]*) ;;
    *) host=$host$(awk '$1 == "search" && $2 != "." { domain = "." $2 } END { print domain }' "$resolv_conf") ;;
  esac
  echo "http://$host:${2##*:}"
}

HOST=${HOST:-0.0.0.0}
check HOST "$HOST" "$ipv4|\\[$ipv6\\]" 'must be an IPv4 address or an IPv6 address in brackets'
PORT=${PORT:-3000}
check PORT "$PORT" "$port" 'must be a number from 1 to 65535'

POSTS_URL=$(address POSTS_URL "${POSTS_URL-}")
COMMENTS_URL=$(address COMMENTS_URL "${COMMENTS_URL-}")
QUERY_URL=$(address QUERY_URL "${QUERY_URL-}")
MODERATION_URL=$(address MODERATION_URL "${MODERATION_URL-}")
EVENT_BUS_URL=$(address EVENT_BUS_URL "${EVENT_BUS_URL-}")
AUTH_URL=${AUTH_URL:-}
[ -z "$AUTH_URL" ] || AUTH_URL=$(address AUTH_URL "$AUTH_URL")
RATE_WRITES=${RATE_WRITES:-50}
RATE_READS=${RATE_READS:-500}
check RATE_WRITES "$RATE_WRITES" "$number" 'must be a number of requests per second, from 1 to 9999'
check RATE_READS "$RATE_READS" "$number" 'must be a number of requests per second, from 1 to 9999'
BURST_WRITES=$((RATE_WRITES * 2))
BURST_READS=$((RATE_READS * 2))
STREAMS=${STREAMS:-100}
check STREAMS "$STREAMS" "$number" 'must be a number of streams, from 1 to 9999'
proxy="($ipv4(/([12]?[0-9]|3[0-2]))?|$ipv6(/([1-9]?[0-9]|1[01][0-9]|12[0-8]))?)"
[ -z "${TRUSTED_PROXIES-}" ] ||
  check TRUSTED_PROXIES "$TRUSTED_PROXIES" "$proxy(,$proxy)*" 'must be addresses or networks (CIDR), separated by commas'
TRUSTED_PROXIES=$(echo "${TRUSTED_PROXIES-}" | sed 's/\([^,][^,]*\),*/set_real_ip_from \1; /g')

# Link-local name servers have a zone, which nginx cannot parse; the other ones are used.
RESOLVER=${RESOLVER:-$(awk '$1 == "nameserver" && $2 !~ /%/ { printf "%s" ($2 ~ /:/ ? "[%s]" : "%s"), comma, $2; comma = "," }' "$resolv_conf")}
server="($ipv4|\\[$ipv6\\])(:$port)?"
check RESOLVER "$RESOLVER" "$server(,$server)*" 'must be addresses of name servers, separated by commas'
RESOLVER=$(echo "$RESOLVER" | tr , ' ')
# The page reads it in the gateway's own state.
LOGS_URL=${LOGS_URL:-}
LOGS=
if [ -n "$LOGS_URL" ]; then
  check LOGS_URL "$LOGS_URL" "https?://($name|\\[$ipv6\\])(:$port)?(/[A-Za-z0-9._~/-]*)?" 'must be an http:// or https:// address'
  LOGS=",\"logs\":\"$LOGS_URL\""
fi
VERSION=${VERSION:-unknown}
check VERSION "$VERSION" '[A-Za-z0-9._+-]+' 'must be letters, digits and . _ + -'
PAGE_DIR=${PAGE_DIR:-/var/lib/blog}
check PAGE_DIR "$PAGE_DIR" '/[A-Za-z0-9 ._/+~@-]*' 'must be the absolute path of a folder'

folder=${TMPDIR:-/tmp}/gateway
mkdir -p "$folder/temp"
awk 'ENVIRON["AUTH_URL"] != "" || ! /# with AUTH_URL$/ {
  for (line = ""; match($0, /@[A-Z_]+@/); $0 = substr($0, RSTART + RLENGTH))
    line = line substr($0, 1, RSTART - 1) ENVIRON[substr($0, RSTART + 1, RLENGTH - 2)]
  print line $0
}' "$conf" >"$folder/nginx.conf"

# Raises the limit of open files to the maximum: on some systems the default is 1,024.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || :
# nginx keeps its files in that folder too. Until it has read its configuration it logs to stderr.
exec nginx -p "$folder/" -e stderr -c "$folder/nginx.conf" -g 'daemon off;'
