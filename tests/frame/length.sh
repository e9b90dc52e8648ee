#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No source has more than 800 lines: what has is more than one thing, and is split.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

cd "$LOOP_SRCDIR" || exit 99
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip_all "not a git checkout"
fi

# Prints those of a folder that are too long. Fails if there is one, or no source at all.
all_are_short ()
{
  local file lines n_files=0 n_long=0
  while IFS= read -r -d '' file; do
    [[ $file =~ \.(c|h|h\.in|S|py|pyi|js|vala|sh)$ && -f $file ]] || continue
    n_files=$((n_files + 1))
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || { echo "$file: $lines lines"; n_long=$((n_long + 1)); }
  done < <(git ls-files -z --cached --others --exclude-standard "$1")
  [ "$n_files" -gt 0 ] && [ "$n_long" -eq 0 ]
}

for folder in libloop loopctl bindings tests; do
  check "no source of $folder/ has more than 800 lines" all_are_short "$folder"
done
finish
