# shellcheck shell=bash
# shellcheck disable=SC2034  # TEXT is read by the scripts
# Tables and times for people.

TABLE_COLUMNS=0
TABLE_CELLS=()

# table_row CELL...: add a row; the first is the heading, and says how many columns there are.
table_row() {
  ((TABLE_COLUMNS)) || TABLE_COLUMNS=$#
  TABLE_CELLS+=("$@")
}

# table_print: print the rows with aligned columns, and forget them.
table_print() {
  local i=0 column heads format='' widths=() wide=() cell
  for cell in "${TABLE_CELLS[@]}"; do
    heads=$cell
    # In UTF-8 a character is as many bytes as it likes, and printf counts bytes.
    if [[ $cell == *[!\ -~]* ]]; then heads=${cell//[$'\x80'-$'\xbf']/} wide+=("$i"); fi
    column=$((i++ % TABLE_COLUMNS))
    ((${#heads} <= ${widths[column]:-0})) || widths[column]=${#heads}
  done
  for i in ${wide[@]+"${wide[@]}"}; do
    (((i + 1) % TABLE_COLUMNS)) || continue
    cell=${TABLE_CELLS[i]} heads=${TABLE_CELLS[i]//[$'\x80'-$'\xbf']/}
    printf -v TABLE_CELLS[i] '%s%*s' "$cell" $((widths[i % TABLE_COLUMNS] - ${#heads})) ''
  done
  for ((column = 0; column < TABLE_COLUMNS - 1; column++)); do
    format+="%-${widths[column]}s  "
  done
  # shellcheck disable=SC2059  # the format is made here, of numbers
  printf "$format%s\n" "${TABLE_CELLS[@]}"
  TABLE_COLUMNS=0 TABLE_CELLS=()
}

# time_of EPOCH_S [ELSE]: TEXT becomes a UTC time; ELSE (or -) for what is not one, or 0.
time_of() {
  TEXT=${2:--}
  [[ ! $1 =~ ^[1-9][0-9]{0,11}(\.[0-9]+)?$ ]] || printf -v TEXT '%(%Y-%m-%dT%H:%M:%SZ)T' "${1%.*}"
}
