/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "line-editor.h"

#include "completion.h"
#include "history.h"
#include "text.h"

#include <errno.h>
#include <glib-unix.h>
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wchar.h>

#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
#define PASTE_END L"\033[201~"

struct _CtlLineEditor
{
  EditLine *el;
  CtlHistory *history;
  CtlSession *session;
  const char *prompt;
  gboolean is_editing;
  gboolean has_cursor; /* the terminal can do more than print */
  mbstate_t shift;
  guint resize_source;
  guint continued_source;
};

/* Counts returns from Ctrl-Z. Any thread may get the signal: so it is the event that wakes ours. */
static int continued_fd = -1;

static void
note_continued (int signum)
{
  const guint64 one = 1;
  int saved_errno = errno;
  gssize n G_GNUC_UNUSED = write (continued_fd, &one, sizeof one);

  errno = saved_errno;
}

static CtlLineEditor *
get_self (EditLine *el)
{
  CtlLineEditor *self;

  el_get (el, EL_CLIENTDATA, &self);

  return self;
}

static char *
get_prompt (EditLine *el)
{
  return (char *) get_self (el)->prompt;
}

static gboolean
set_readable (int fd, GIOCondition condition, gpointer user_data)
{
  *(gboolean *) user_data = TRUE;

  return G_SOURCE_CONTINUE;
}

/* Lets the main context run until there is a byte. Returns: FALSE if Ctrl-C came first */
static gboolean
wait_for_input (CtlLineEditor *self)
{
  gboolean is_readable = FALSE;
  guint source = g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, set_readable, &is_readable);

  while (!is_readable && !g_cancellable_is_cancelled (self->session->interrupt))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);

  return !g_cancellable_is_cancelled (self->session->interrupt);
}

/* As libedit wants it: 1 for a character, 0 at the end, -1 on an error. */
static int
get_char (EditLine *el, wchar_t *c)
{
  CtlLineEditor *self = get_self (el);
  char byte;

  for (;;)
    {
      gssize n;
      gsize length;

      if (!wait_for_input (self))
        {
          errno = EINTR;
          return -1;
        }

      n = read (STDIN_FILENO, &byte, 1);
      if (n < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
      if (n <= 0)
        return (int) n;

      length = mbrtowc (c, &byte, 1, &self->shift);
      if (length == (gsize) -1)
        memset (&self->shift, 0, sizeof self->shift);
      else if (length != (gsize) -2)
        return 1;
    }
}

/* What is pasted is text: a Tab does not complete, and a newline runs nothing. */
static void
append_pasted (GString *text, wchar_t c)
{
  if (c == L'\n' || c == L'\r')
    g_string_append (text, "; ");
  else if (c == L'\t')
    g_string_append_c (text, ' ');
  else if (!g_unichar_iscntrl ((gunichar) c))
    g_string_append_unichar (text, (gunichar) c);
}

static unsigned char
paste (EditLine *el, int ch)
{
  g_autoptr (GString) text = g_string_new (NULL);
  wchar_t tail[G_N_ELEMENTS (PASTE_END)] = { 0 };
  gsize n = 0;
  wchar_t c;

  /* The last few characters are held back: they may be the end. */
  while (el_wgetc (el, &c) == 1)
    {
      tail[n++] = c;
      if (wcsncmp (tail, PASTE_END, n) == 0)
        {
          if (n == wcslen (PASTE_END))
            break;
          continue;
        }
      /* Not the end: but this character may start it. */
      for (gsize i = 0; i + 1 < n; i++)
        append_pasted (text, tail[i]);
      if (c != PASTE_END[0])
        append_pasted (text, c);
      n = c == PASTE_END[0] ? 1 : 0;
      tail[0] = c;
    }

  if (g_str_has_suffix (text->str, "; "))
    g_string_truncate (text, text->len - 2);
  if (text->len > 0 && el_insertstr (el, text->str) < 0)
    return CC_ERROR;

  return CC_REFRESH;
}

static void
list_candidates (CtlLineEditor *self, GPtrArray *candidates)
{
  CtlOutput *output = self->session->output;
  int width = 0;
  int column = 0;

  ctl_output_begin (output);
  for (guint pass = 0; pass < 2; pass++)
    {
      for (guint i = 0; i < candidates->len; i++)
        {
          const CtlCandidate *candidate = g_ptr_array_index (candidates, i);
          g_autofree char *text = g_strjoin (" ", candidate->text, candidate->hint, NULL);
          int text_width = MIN (ctl_text_get_width (text), output->width - 1);

          if (pass == 0)
            {
              width = MAX (width, text_width + 2);
              continue;
            }
          if (column > 0 && column + width > output->width)
            {
              ctl_output_printf (output, "\n");
              column = 0;
            }
          ctl_text_append_fitted (output->text, text, MAX (text_width, MIN (width, output->width - 1)), CTL_ALIGN_LEFT);
          column += width;
        }
    }

  ctl_write (STDOUT_FILENO, "\n");
  ctl_write (STDOUT_FILENO, output->text->str);
  ctl_write (STDOUT_FILENO, "\n");
  g_string_truncate (output->text, 0);
}

static unsigned char
complete (EditLine *el, int ch)
{
  CtlLineEditor *self = get_self (el);
  const LineInfo *line = el_line (el);
  g_autofree char *typed = g_strndup (line->buffer, (gsize) (line->cursor - line->buffer));
  g_autofree char *word = NULL;
  g_autoptr (GPtrArray) candidates = ctl_completion_get (self->session, typed, &word);
  g_autofree char *common = NULL;
  g_autofree char *addition = NULL;

  if (candidates->len == 0)
    return CC_ERROR;

  common = ctl_completion_get_common (candidates);
  if (candidates->len == 1)
    addition = g_strconcat (common + strlen (word), g_str_has_suffix (common, "=") ? "" : " ", NULL);
  else
    addition = g_strdup (common + strlen (word));

  if (*addition != '\0')
    return el_insertstr (el, addition) < 0 ? CC_ERROR : CC_REFRESH;

  list_candidates (self, candidates);

  return CC_REDISPLAY;
}

/* Whoever had the terminal meanwhile may have changed it. */
static gboolean
continued (int fd, GIOCondition condition, gpointer user_data)
{
  CtlLineEditor *self = user_data;
  guint64 count;

  if (read (fd, &count, sizeof count) > 0 && self->is_editing)
    {
      /* libedit prepares the terminal only if it believes that it is not. */
      el_set (self->el, EL_PREP_TERM, 0);
      el_set (self->el, EL_PREP_TERM, 1);
      el_set (self->el, EL_REFRESH);
    }

  return G_SOURCE_CONTINUE;
}

static gboolean
resized (gpointer user_data)
{
  CtlLineEditor *self = user_data;

  el_resize (self->el);

  return G_SOURCE_CONTINUE;
}

static void
bind_keys (CtlLineEditor *self)
{
  el_set (self->el, EL_EDITOR, "emacs");
  el_set (self->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set (self->el, EL_BIND, "^W", "ed-delete-prev-word", NULL);
  /* By el_wset: el_set would copy the names, and never free them. */
  el_wset (self->el, EL_ADDFN, L"loopctl-complete", L"Complete the word", complete);
  el_set (self->el, EL_BIND, "^I", "loopctl-complete", NULL);
  el_wset (self->el, EL_ADDFN, L"loopctl-paste", L"Insert what is pasted", paste);
  el_set (self->el, EL_BIND, "\\e[200~", "loopctl-paste", NULL);
}

CtlLineEditor *
ctl_line_editor_new (CtlSession *session)
{
  CtlLineEditor *self = g_new0 (CtlLineEditor, 1);
  const char *terminal = g_getenv ("TERM");
  struct sigaction action = { .sa_handler = note_continued, .sa_flags = SA_RESTART };

  self->session = session;
  self->prompt = "";
  self->has_cursor = terminal != NULL && *terminal != '\0' && !g_str_equal (terminal, "dumb");
  self->history = ctl_history_new ();
  self->el = el_init ("loopctl", stdin, stdout, stderr);

  el_set (self->el, EL_CLIENTDATA, self);
  el_set (self->el, EL_PROMPT, get_prompt);
  el_set (self->el, EL_HIST, history, ctl_history_get (self->history));
  el_set (self->el, EL_GETCFN, get_char);
  bind_keys (self);

  self->resize_source = g_unix_signal_add (SIGWINCH, resized, self);
  continued_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->continued_source = g_unix_fd_add (continued_fd, G_IO_IN, continued, self);
  sigaction (SIGCONT, &action, NULL);

  return self;
}

void
ctl_line_editor_free (CtlLineEditor *self)
{
  signal (SIGCONT, SIG_DFL);
  g_source_remove (self->resize_source);
  g_source_remove (self->continued_source);
  close (continued_fd);
  el_end (self->el);
  ctl_history_free (self->history);
  g_free (self);
}

/* Returns: the line; NULL at the end of the input, and when Ctrl-C threw the line away */
char *
ctl_line_editor_read (CtlLineEditor *self, const char *prompt)
{
  const char *typed;
  char *line;
  int n;

  self->prompt = prompt;
  self->is_editing = TRUE;
  if (self->has_cursor)
    ctl_write (STDOUT_FILENO, PASTE_ON);
  typed = el_gets (self->el, &n);
  if (self->has_cursor)
    ctl_write (STDOUT_FILENO, PASTE_OFF);
  self->is_editing = FALSE;
  self->prompt = "";

  if (typed == NULL || n <= 0)
    {
      /* The prompt stands where it was. */
      ctl_write (STDOUT_FILENO, "\n");
      el_reset (self->el);
      return NULL;
    }

  line = g_strchomp (g_strndup (typed, (gsize) n));
  ctl_history_add (self->history, line);

  return line;
}

/* How many lines the cursor is below the start of the prompt. */
static int
get_cursor_row (CtlLineEditor *self)
{
  const LineInfo *line = el_line (self->el);
  g_autofree char *before = g_strndup (line->buffer, (gsize) (line->cursor - line->buffer));
  g_autofree char *valid = g_utf8_make_valid (before, -1);

  return (ctl_text_get_width (self->prompt) + ctl_text_get_width (valid)) / MAX (self->session->output->width, 1);
}

/* Prints a line in the place of the prompt, which moves down with what has been typed. */
void
ctl_line_editor_print_above (CtlLineEditor *self, const char *text)
{
  g_autofree char *escaped = ctl_text_escape (text, CTL_ESCAPE_CONTROLS);
  g_autoptr (GString) out = g_string_new (NULL);

  if (self->is_editing && self->has_cursor)
    {
      int row = get_cursor_row (self);

      if (row > 0)
        g_string_append_printf (out, "\033[%dA", row);
      g_string_append (out, "\r\033[J");
    }
  else if (self->is_editing)
    {
      g_string_append_c (out, '\n');
    }

  g_string_append_printf (out, "%s\n", escaped);
  ctl_write (STDOUT_FILENO, out->str);
  if (self->is_editing)
    el_set (self->el, EL_REFRESH);
}
