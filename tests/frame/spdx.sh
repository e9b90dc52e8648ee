#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every file that can hold a comment says its licence, within the first lines.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

cd "$LOOP_SRCDIR" || exit 99
if ! git ls-files --error-unmatch configure.ac >/dev/null 2>&1 &&
   ! git ls-files --others --exclude-standard 2>/dev/null | grep -qx configure.ac; then
  skip_all "not a git checkout"
fi

all_say_it ()
{
  local file missing=0
  while IFS= read -r -d '' file; do
    case $file in
    COPYING|NEWS|*.json|*.png|*.svg|*.pem|*/fixtures/*) continue ;;
    esac
    [ -s "$file" ] || continue
    head -n 5 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' ||
      { echo "$file"; missing=1; }
  done < <(git ls-files -z --cached --others --exclude-standard)
  return "$missing"
}

check "every source has an SPDX line" all_say_it
finish
