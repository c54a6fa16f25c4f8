# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
# What every script starts with.

set -euo pipefail
# No word is ever a file pattern, and no & in a replacement is special; what is made is for its
# maker alone; a character is a byte; times are UTC.
set -f
shopt -u patsub_replacement 2>/dev/null || true
umask 077
export LC_ALL=C TZ=UTC0

SCRIPT_FILE=$(readlink -f -- "$0")
LIB=${BASH_SOURCE[0]%/*}
# shellcheck source=args.sh
source "$LIB/args.sh"
# shellcheck source=places.sh
source "$LIB/places.sh"
# shellcheck source=json.sh
source "$LIB/json.sh"
# shellcheck source=table.sh
source "$LIB/table.sh"
# shellcheck source=checks.sh
source "$LIB/checks.sh"
# shellcheck source=sentinels.sh
source "$LIB/sentinels.sh"
# shellcheck source=replicas.sh
source "$LIB/replicas.sh"
# shellcheck source=redis.sh
source "$LIB/redis.sh"
