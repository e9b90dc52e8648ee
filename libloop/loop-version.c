/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <libloop/loop-version.h>

/**
 * loop_get_major_version:
 *
 * Gets the major version of the library that the program runs with, which may be
 * newer than the headers it was compiled with.
 *
 * Returns: the major version
 */
guint
loop_get_major_version (void)
{
  return LOOP_MAJOR_VERSION;
}

/**
 * loop_get_minor_version:
 *
 * Gets the minor version of the library that the program runs with.
 *
 * Returns: the minor version
 */
guint
loop_get_minor_version (void)
{
  return LOOP_MINOR_VERSION;
}

/**
 * loop_get_micro_version:
 *
 * Gets the micro version of the library that the program runs with.
 *
 * Returns: the micro version
 */
guint
loop_get_micro_version (void)
{
  return LOOP_MICRO_VERSION;
}

/**
 * loop_check_version:
 * @required_major: required major version
 * @required_minor: required minor version
 * @required_micro: required micro version
 *
 * Checks that the library that the program runs with is at least of the given version
 * and of the same major version.
 *
 * Generally a program passes `LOOP_MAJOR_VERSION`, `LOOP_MINOR_VERSION` and
 * `LOOP_MICRO_VERSION`, the version that it was compiled with.
 *
 * Returns: (transfer none) (nullable): %NULL if the library is compatible, or a string
 *   that describes the mismatch
 */
const char *
loop_check_version (guint required_major, guint required_minor, guint required_micro)
{
  /* Signed and wide: comparing an unsigned number with a version of 0 would draw a warning. */
  const gint64 major = required_major;
  const gint64 minor = required_minor;
  const gint64 micro = required_micro;

  if (major > LOOP_MAJOR_VERSION)
    return "libloop version too old (major mismatch)";
  if (major < LOOP_MAJOR_VERSION)
    return "libloop version too new (major mismatch)";
  if (LOOP_CHECK_VERSION (major, minor, micro))
    return NULL;

  return minor > LOOP_MINOR_VERSION ? "libloop version too old (minor mismatch)"
                                    : "libloop version too old (micro mismatch)";
}
