/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-check.h"

#include "loopctl/json.h"
#include "loopctl/table.h"
#include "loopctl/text.h"
#include "loopctl/value.h"

#include <float.h>
#include <math.h>

static CtlOutput *
new_output (gboolean is_terminal, int width)
{
  CtlOutput *output = ctl_output_new (CTL_FORMAT_TEXT, CTL_COLOR_NEVER);

  output->is_terminal = is_terminal;
  output->width = width;

  return output;
}

static void
assert_table (const char *const *columns, const char *rows, gboolean is_terminal, int width, const char *expected)
{
  g_autoptr (CtlOutput) output = new_output (is_terminal, width);
  g_autoptr (CtlTable) table = ctl_table_new (columns);
  g_autoptr (GVariant) parsed = g_variant_parse (G_VARIANT_TYPE ("aa{sv}"), rows, NULL, NULL, NULL);

  ck_assert_ptr_nonnull (parsed);
  ctl_table_add_all (table, parsed);
  ctl_table_print (table, output);
  ck_assert_str_eq (output->text->str, expected);
}

static const char *const columns[] = { "id", "in", "name", NULL };

START_TEST (test_table)
{
  assert_table (columns, "[{'id': <uint64 7>, 'in': <1.5>, 'name': <'a'>}, {'id': <uint64 123>, 'name': <'bc'>}]", TRUE,
                80,
                " id     in  name\n"
                "  7  1.500  a\n"
                "123      -  bc\n");
}
END_TEST

START_TEST (test_tsv)
{
  assert_table (columns, "[{'id': <uint64 7>, 'in': <0.1>, 'name': <'a\\tb\\\\\\n'>}, {'id': <uint64 123>}]", FALSE, 10,
                "id\tin\tname\n"
                "7\t0.1\ta\\tb\\\\\\n\n"
                "123\t\t\n");
  assert_table (columns, "[]", FALSE, 10, "id\tin\tname\n");
}
END_TEST

START_TEST (test_table_is_cut_to_the_width)
{
  assert_table (columns, "[{'id': <uint64 7>, 'in': <1.0>, 'name': <'a long name, too long'>}]", TRUE, 20,
                "id     in  name\n"
                " 7  1.000  a long n…\n");
  assert_table (columns, "[{'id': <uint64 1234567890123>, 'in': <1.0>, 'name': <'name'>}]", TRUE, 12,
                "           …\n"
                "12345678901…\n"
                "for lack of\nroom without\nthe columns\nin, name\n");
}
END_TEST

START_TEST (test_columns_without_room_are_left_out)
{
  const char *const many[] = { "id", "name", "state", "created", "age", NULL };
  const char *rows = "[{'id': <uint64 1>, 'name': <'a name that is long'>, 'state': <'waiting'>, "
                     "'created': <'somewhere in a file'>, 'age': <1.5>}]";

  assert_table (many, rows, TRUE, 40,
                "id  name           state    created\n"
                " 1  a name that …  waiting  somewhere i…\n"
                "for lack of room without the columns age\n");
  assert_table (many, rows, TRUE, 36,
                "id  name         state    created\n"
                " 1  a name tha…  waiting  somewhere…\n"
                "for lack of room without the columns\nage\n");
  assert_table (many, rows, TRUE, 30,
                "id  name               state\n"
                " 1  a name that is l…  waiting\n"
                "for lack of room without the\ncolumns created, age\n");
}
END_TEST

START_TEST (test_table_of_wide_characters)
{
  assert_table ((const char *const[]) { "name", "id", NULL },
                "[{'name': <'漢字'>, 'id': <uint64 1>}, {'name': <'abcdef'>, 'id': <uint64 2>}]", TRUE, 80,
                "name    id\n"
                "漢字     1\n"
                "abcdef   2\n");
}
END_TEST

START_TEST (test_table_of_unknown_columns)
{
  assert_table ((const char *const[]) { "id", NULL }, "[{'new': <true>, 'id': <uint64 1>, 'b\\u001bad': <1>}]", FALSE,
                80,
                "id\tnew\n"
                "1\ttrue\n");
}
END_TEST

START_TEST (test_control_characters)
{
  const struct
  {
    const char *text;
    CtlEscape escape;
    const char *expected;
  } cases[] = {
    { "plain ä", CTL_ESCAPE_CONTROLS, "plain ä" },
    { "\033[2J", CTL_ESCAPE_CONTROLS, "\\x1b[2J" },
    { "a\tb\nc\rd", CTL_ESCAPE_CONTROLS, "a\\tb\\nc\\rd" },
    { "a\\b", CTL_ESCAPE_CONTROLS, "a\\b" },
    { "a\\b", CTL_ESCAPE_TSV, "a\\\\b" },
    { "\xc2\x9b", CTL_ESCAPE_CONTROLS, "\\x9b" },
    { "a\xe2\x80\xae"
      "b",
      CTL_ESCAPE_CONTROLS, "a\\u202eb" },
    { "\xff", CTL_ESCAPE_CONTROLS, "\xef\xbf\xbd" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *found = ctl_text_escape (cases[i].text, cases[i].escape);

      ck_assert_str_eq (found, cases[i].expected);
    }
}
END_TEST

START_TEST (test_wrapping)
{
  g_autoptr (GString) out = g_string_new (NULL);

  ctl_text_append_wrapped (out, "one two three fourteen", 8, 0);
  ck_assert_str_eq (out->str, "one two\nthree\nfourteen\n");
  g_string_assign (out, "- ");
  ctl_text_append_wrapped (out, "one two three fourteen", 9, 2);
  ck_assert_str_eq (out->str, "- one two\n  three\n  fourteen\n");
}
END_TEST

/* Takes @value. */
static char *
to_json (GVariant *value, gboolean pretty)
{
  g_autoptr (GVariant) owned = g_variant_take_ref (value);
  g_autoptr (GString) out = g_string_new (NULL);

  ctl_json_append (out, owned, pretty);
  ck_assert (g_str_has_suffix (out->str, "\n"));
  g_string_truncate (out, out->len - 1);

  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
assert_json (const char *value, const char *expected)
{
  g_autofree char *found = to_json (g_variant_new_parsed (value), FALSE);

  ck_assert_str_eq (found, expected);
}

START_TEST (test_json)
{
  assert_json ("{'z': <uint64 9223372036854775807>, 'b': <true>, 'a': <@as []>, 'c': <@a{sv} {}>}",
               "{\"z\":9223372036854775807,\"b\":true,\"a\":[],\"c\":{}}");
  assert_json ("[<byte 200>, <int16 -1>, <int64 -9223372036854775808>, <(1, 'a', objectpath '/a')>]",
               "[200,-1,-9223372036854775808,[1,\"a\",\"/a\"]]");
  assert_json ("{'\"\\u001f': <'a\"b\\\\c\\n\\t\\u001b\\u001f\\u009bä'>}",
               "{\"\\\"\\u001f\":\"a\\\"b\\\\c\\n\\t\\u001b\\u001f\\u009bä\"}");
}
END_TEST

START_TEST (test_json_pretty)
{
  const char *value = "[{'a': <1>, 'b': <[2, 3]>}, {}]";
  g_autofree char *brief = to_json (g_variant_new_parsed (value), FALSE);
  g_autofree char *pretty = to_json (g_variant_new_parsed (value), TRUE);
  g_auto (GStrv) words = g_regex_split_simple ("\\s+", pretty, 0, 0);
  g_autofree char *joined = g_strjoinv (NULL, words);

  ck_assert_ptr_null (strpbrk (brief, " \n"));
  ck_assert_str_eq (joined, brief);
  ck_assert_ptr_nonnull (strstr (pretty, "\n    \"a\""));
}
END_TEST

START_TEST (test_json_numbers)
{
  const double values[] = {
    0, 5, -0.1, 1e-5, 3e-9, -1e-10, 1e17, -3e17, 1e22, 1e300, G_MINDOUBLE, 5e-324, G_MAXDOUBLE,
  };

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      g_autofree char *found = to_json (g_variant_new_double (values[i]), FALSE);
      char *end;

      ck_assert (fabs (g_ascii_strtod (found, &end) - values[i]) <= fabs (values[i]) * DBL_EPSILON);
      ck_assert_str_eq (end, "");
    }
}
END_TEST

START_TEST (test_json_has_no_infinity)
{
  assert_json ("[nan, inf, -inf, 0.5]", "[null,null,null,0.5]");
  assert_json ("{'a': <nan>, 'b': <[{'c': <inf>}]>}", "{\"a\":null,\"b\":[{\"c\":null}]}");
}
END_TEST

START_TEST (test_seconds)
{
  const struct
  {
    double seconds;
    const char *expected;
  } cases[] = { { 0, "0 s" }, { 3.24, "3.2 s" }, { 0.1, "100.0 ms" }, { 0.0000415, "41.5 µs" }, { -0.5, "-500.0 ms" } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *found = ctl_value_from_seconds (cases[i].seconds);

      ck_assert_str_eq (found, cases[i].expected);
    }
}
END_TEST

LOOP_TEST_MAIN ("loopctl-output",
                test_table,
                test_tsv,
                test_table_is_cut_to_the_width,
                test_columns_without_room_are_left_out,
                test_table_of_wide_characters,
                test_table_of_unknown_columns,
                test_control_characters,
                test_wrapping,
                test_json,
                test_json_pretty,
                test_json_numbers,
                test_json_has_no_infinity,
                test_seconds)
