# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is read by the scripts
# How a script speaks: its errors, its help, its flags, the question before a deletion.
#
# Help is the script's own comments: `#|` is what the script is, `##` opens with a verb's usage
# and goes on, indented, with what it does.

SCRIPT=${SCRIPT_FILE##*/}
VERB=
EXIT_STATUS=0
declare -A FLAG=()
POSITIONAL=()

# complain TEXT: one line on stderr, whatever TEXT holds.
complain() {
  local text=${1//[[:cntrl:]]/ }
  printf '%s: %s\n' "$SCRIPT${VERB:+ $VERB}" "${text:0:600}" >&2
}

# refuse TEXT: the caller's mistake; nothing has changed.
refuse() {
  complain "$1"
  exit 2
}

# fail TEXT: the world's mistake.
fail() {
  complain "$1"
  exit 1
}

# quoted TEXT: TEXT as it can stand in one line of an error.
quoted() {
  local text=${1:0:80}
  printf '%s' "${text@Q}"
}

help_script() {
  local line has_verbs=
  while IFS= read -r line; do
    case $line in
      '#| '* | '#|') printf '%s\n' "${line:3}" ;;
      '## '[a-z]*) has_verbs=1 && printf '  %s %s\n' "$SCRIPT" "${line:3}" ;;
    esac
  done <"$SCRIPT_FILE"
  [[ -z $has_verbs ]] || printf '\nMore about a verb: %s VERB --help\n' "$SCRIPT"
}

help_verb() {
  local line is_inside=
  [[ -n $VERB ]] || help_script
  while IFS= read -r line; do
    case $line in
      "## $VERB" | "## $VERB "*) is_inside=1 && printf 'usage: %s %s\n' "$SCRIPT" "${line:3}" ;;
      '##  '*) [[ -z $is_inside ]] || printf '%s\n' "${line:3}" ;;
      *) is_inside= ;;
    esac
  done <"$SCRIPT_FILE"
}

# run_verb "VERB ..." "$@": call the function verb_NAME with the words after the verb.
run_verb() {
  local verbs=$1
  shift
  (($#)) || refuse "say what to do: ${verbs// /, } (or --help)"
  case $1 in
    -h | --help | help) help_script && exit ;;
  esac
  [[ $1 =~ ^[a-z-]+$ && " $verbs " == *" $1 "* ]] ||
    refuse "no such verb: $(quoted "$1"); there are ${verbs// /, }"
  VERB=$1
  shift
  "verb_${VERB//-/_}" "$@"
  await_replicas
  exit "$EXIT_STATUS"
}

# read_args "--flag --flag-with-value= ..." "NAME ..." "$@": fill FLAG and POSITIONAL, or refuse.
read_args() {
  local flags=" $1 " names word
  read -ra names <<<"$2"
  shift 2
  while (($#)); do
    word=$1
    shift
    case $word in
      -h | --help) help_verb && exit ;;
      --) POSITIONAL+=("$@") && break ;;
      --*=*) read_flag "$flags" "${word%%=*}" 1 "${word#*=}" ;;
      --*)
        # A word with two dashes is the next flag, not a value; --flag=--value says otherwise.
        if [[ $flags == *" $word= "* && $# -gt 0 && $1 != --* ]]; then
          read_flag "$flags" "$word" 1 "$1"
          shift
        else
          read_flag "$flags" "$word" ''
        fi
        ;;
      -?*) refuse "unknown flag $(quoted "$word")" ;;
      *) POSITIONAL+=("$word") ;;
    esac
  done
  ((${#POSITIONAL[@]} >= ${#names[@]})) || refuse "${names[${#POSITIONAL[@]}]} is missing (see --help)"
  ((${#POSITIONAL[@]} == ${#names[@]})) ||
    refuse "one argument too many: $(quoted "${POSITIONAL[${#names[@]}]}")"
}

# read_flag FLAGS --NAME HAS_VALUE [VALUE]
read_flag() {
  local flags=$1 name=$2 has_value=$3
  [[ $name =~ ^--[a-z-]+$ && ($flags == *" $name "* || $flags == *" $name= "*) ]] ||
    refuse "unknown flag $(quoted "$name")"
  [[ -z ${FLAG[${name#--}]+given} ]] || refuse "$name is given twice"
  if [[ $flags == *" $name "* ]]; then
    [[ -z $has_value ]] || refuse "$name takes no value"
    FLAG[${name#--}]=1
  else
    [[ -n $has_value ]] || refuse "$name needs a value"
    FLAG[${name#--}]=$4
  fi
}

# confirm QUESTION: go on only with --yes, or with a y that a person types or that is piped in. Whoever pipes
# no answer is not waited for.
confirm() {
  local answer='' question="$1 [y/N] "
  [[ -z ${FLAG[yes]-} ]] || return 0
  if [[ -t 0 ]]; then
    printf '%s' "$question" >&2
    read -r answer || true
  else
    { read -r -t 1 answer; } 2>/dev/null || [[ -n $answer ]] ||
      refuse "there is no terminal to ask on: add --yes if you mean it"
    printf '%s\n' "$question" >&2
  fi
  [[ $answer == [yY] || $answer == [yY][eE][sS] ]] || fail "nothing changed"
}
