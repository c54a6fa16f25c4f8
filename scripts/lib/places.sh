# shellcheck shell=bash
# Where things are: this repository, RUN_DIR (relative to it), and the KEY=value files in it.

ROOT=${SCRIPT_FILE%/scripts/*}
RUN_DIR=${RUN_DIR:-run}
[[ $RUN_DIR == /* ]] || RUN_DIR=$ROOT/$RUN_DIR

# find_setting NAME FILE...: VALUE becomes NAME's value in the environment, else in the first of
# the files under RUN_DIR that has it. The files are read, never run.
find_setting() {
  local name=$1 file line
  shift
  VALUE=${!name-}
  [[ -z $VALUE ]] || return 0
  for file in "$@"; do
    [[ -e $RUN_DIR/$file ]] || continue
    [[ -r $RUN_DIR/$file ]] || fail "may not read $RUN_DIR/$file"
    while IFS= read -r line || [[ -n $line ]]; do
      [[ $line == "$name="* ]] && VALUE=${line#*=}
    done <"$RUN_DIR/$file"
    case $VALUE in
      \"*\" | \'*\') VALUE=${VALUE:1:-1} ;;
    esac
    [[ -z $VALUE ]] || return 0
  done
  return 1
}
