/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include <libloop/loop-version.h>

START_TEST (test_library_matches_headers)
{
  ck_assert_uint_eq (loop_get_major_version (), LOOP_MAJOR_VERSION);
  ck_assert_uint_eq (loop_get_minor_version (), LOOP_MINOR_VERSION);
  ck_assert_uint_eq (loop_get_micro_version (), LOOP_MICRO_VERSION);
  ck_assert_str_eq (LOOP_VERSION_S, PACKAGE_VERSION);
}
END_TEST

START_TEST (test_check_version)
{
  const guint major = LOOP_MAJOR_VERSION;
  const guint minor = LOOP_MINOR_VERSION;
  const guint micro = LOOP_MICRO_VERSION;

  ck_assert_ptr_null (loop_check_version (major, minor, micro));
  ck_assert_ptr_null (loop_check_version (major, 0, 0));
  ck_assert_str_eq (loop_check_version (major + 1, 0, 0), "libloop version too old (major mismatch)");
  ck_assert_str_eq (loop_check_version (major, minor + 1, 0), "libloop version too old (minor mismatch)");
  ck_assert_str_eq (loop_check_version (major, minor, micro + 1), "libloop version too old (micro mismatch)");
}
END_TEST

LOOP_TEST_MAIN ("version", test_library_matches_headers, test_check_version)
