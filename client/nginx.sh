#!/bin/sh
# Starts the gateway in production: checks the settings (docs/settings.md), replaces nginx.conf's @NAMES@ by them, and
# becomes nginx, so that signals reach it. Uses only sh, awk and sed, as BusyBox has them.
#   nginx.sh [nginx.conf [resolv.conf]]
set -eu

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

host=${HOST:-0.0.0.0}
check HOST "$host" "$ipv4|\\[$ipv6\\]" 'must be an IPv4 address or an IPv6 address in brackets'
listen_port=${PORT:-3000}
check PORT "$listen_port" "$port" 'must be a number from 1 to 65535'

posts=$(address POSTS_URL "${POSTS_URL-}")
comments=$(address COMMENTS_URL "${COMMENTS_URL-}")
query=$(address QUERY_URL "${QUERY_URL-}")
moderation=$(address MODERATION_URL "${MODERATION_URL-}")
event_bus=$(address EVENT_BUS_URL "${EVENT_BUS_URL-}")

writes=${RATE_WRITES:-50}
reads=${RATE_READS:-500}
check RATE_WRITES "$writes" "$number" 'must be a number of requests per second, from 1 to 9999'
check RATE_READS "$reads" "$number" 'must be a number of requests per second, from 1 to 9999'
streams=${STREAMS:-100}
check STREAMS "$streams" "$number" 'must be a number of streams, from 1 to 9999'

trusted=
if [ -n "${TRUSTED_PROXIES-}" ]; then
  proxy="($ipv4(/([12]?[0-9]|3[0-2]))?|$ipv6(/([1-9]?[0-9]|1[01][0-9]|12[0-8]))?)"
  check TRUSTED_PROXIES "$TRUSTED_PROXIES" "$proxy(,$proxy)*" 'must be addresses or networks (CIDR), separated by commas'
  trusted=$(echo "$TRUSTED_PROXIES" | sed 's/\([^,]*\),*/set_real_ip_from \1; /g')
fi

# Link-local name servers have a zone, which nginx cannot parse; the other ones are used.
resolver=${RESOLVER:-$(awk '$1 == "nameserver" && $2 !~ /%/ { printf "%s" ($2 ~ /:/ ? "[%s]" : "%s"), comma, $2; comma = "," }' "$resolv_conf")}
server="($ipv4|\\[$ipv6\\])(:$port)?"
check RESOLVER "$resolver" "$server(,$server)*" 'must be addresses of name servers, separated by commas'

version=
if [ -n "${VERSION-}" ]; then
  check VERSION "$VERSION" '[A-Za-z0-9._+-]+' 'must be letters, digits and . _ + -'
  version=",\"version\":\"$VERSION\""
fi

page=${PAGE_DIR:-/var/lib/blog}
check PAGE_DIR "$page" '/[A-Za-z0-9 ._/+~@-]*' 'must be the absolute path of a folder'

folder=${TMPDIR:-/tmp}/gateway
mkdir -p "$folder/temp"
sed -e "s|@LISTEN@|$host:$listen_port|" \
  -e "s|@POSTS_URL@|$posts|" -e "s|@COMMENTS_URL@|$comments|" -e "s|@QUERY_URL@|$query|" \
  -e "s|@MODERATION_URL@|$moderation|" -e "s|@EVENT_BUS_URL@|$event_bus|" \
  -e "s|@RATE_WRITES@|$writes|" -e "s|@BURST_WRITES@|$((writes * 2))|" \
  -e "s|@RATE_READS@|$reads|" -e "s|@BURST_READS@|$((reads * 2))|" \
  -e "s|@STREAMS@|$streams|" -e "s|@TRUSTED_PROXIES@|$trusted|" -e "s|@RESOLVER@|$(echo "$resolver" | tr , ' ')|" \
  -e "s|@VERSION@|$version|" -e "s|@PAGE_DIR@|$page|" \
  "$conf" >"$folder/nginx.conf"

# Raises the limit of open files to the maximum: on some systems the default is 1,024.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || :

# nginx keeps its files in that folder too. Until it has read its configuration it logs to stderr.
exec nginx -p "$folder/" -e stderr -c "$folder/nginx.conf" -g 'daemon off;'
