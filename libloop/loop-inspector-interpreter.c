/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-interpreter-private.h"

#include "loop-clock-private.h"
#include "loop-fork-private.h"
#include "loop-inspector-views-private.h"

#include <pthread.h>
#include <string.h>

/*
 * What an interpreter knows of its loops. Somebody in there may have its lock for as long as
 * he likes, so it is not the inspector's thread that waits for that, but another: one for
 * the process, made when it is first needed, and never joined.
 */

/* How long the interpreter may take to let go of its lock, and then to answer. */
#define LOCK_NS (1 * LOOP_NSEC_PER_SEC)
#define ANSWER_NS (4 * LOOP_NSEC_PER_SEC)

/* How long the pages of a list are of one answer. */
#define CACHE_NS (5 * LOOP_NSEC_PER_SEC)

typedef struct
{
  guint64 loop_id;
  const char *text; /* static */
  const char *name; /* of whom is asked */
  gint64 asked;
  GVariant *answer;
  GError *error;
  gboolean has_lock;
  gboolean is_answered;
  gboolean is_given_up; /* and then freed by who answers */
} Question;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static const LoopInterpreter *interpreter;
static Question *asked;    /* waits for the thread, or is being answered */
static gboolean is_called; /* the interpreter is, by the thread */
static gboolean has_thread;

/* In the child of a fork there is no thread. What was asked is the parent's. */
static void
forget_thread (void)
{
  changed = (pthread_cond_t) PTHREAD_COND_INITIALIZER;
  asked = NULL;
  is_called = FALSE;
  has_thread = FALSE;
}

LOOP_FORK_WATCH (LOOP_FORK_INTERPRETER, .mutex = &mutex, .go_on_in_child = forget_thread)

static void
question_free (Question *self)
{
  g_clear_pointer (&self->answer, g_variant_unref);
  g_clear_error (&self->error);
  g_free (self);
}

/* With the lock, which it lets go of meanwhile. */
static void
answer_question (Question *question, const LoopInterpreter *from)
{
  int state;

  pthread_mutex_unlock (&mutex);
  state = from->enter ();
  pthread_mutex_lock (&mutex);
  question->has_lock = TRUE;
  pthread_cond_broadcast (&changed);
  pthread_mutex_unlock (&mutex);

  question->answer = from->answer (question->loop_id, question->text, NULL, &question->error);
  if (question->answer != NULL)
    g_variant_ref_sink (question->answer);
  from->leave (state);
  pthread_mutex_lock (&mutex);
}

static gpointer
answer_questions (gpointer unused)
{
  pthread_mutex_lock (&mutex);
  for (;;)
    {
      Question *question = asked;

      if (question == NULL || question->is_answered)
        {
          pthread_cond_wait (&changed, &mutex);
          continue;
        }

      is_called = interpreter != NULL;
      if (is_called)
        answer_question (question, interpreter);
      is_called = FALSE;
      question->is_answered = TRUE;
      if (question->is_given_up)
        {
          asked = NULL;
          question_free (question);
        }
      pthread_cond_broadcast (&changed);
    }

  return NULL;
}

static gboolean
start_thread (GError **error)
{
  GThread *thread = has_thread ? NULL : g_thread_try_new ("loop-interpreter", answer_questions, NULL, error);

  if (thread != NULL)
    {
      has_thread = TRUE;
      g_thread_unref (thread);
    }

  return has_thread;
}

static void
set_late (const Question *question, GError **error)
{
  double seconds = loop_clock_to_seconds (loop_clock_now () - question->asked);

  if (question->has_lock)
    g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_BUSY, "%s did not answer within %.0f s",
                 question->name, seconds);
  else
    g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_BUSY,
                 "%s has not let go of its lock for %.0f s: it is in a function of C that keeps it", question->name,
                 seconds);
}

/* With the lock, until there is an answer or it is late. */
static void
wait_for_answer (Question *question)
{
  while (!question->is_answered)
    {
      gint64 deadline = question->asked + (question->has_lock ? ANSWER_NS : LOCK_NS);
      struct timespec time = { deadline / LOOP_NSEC_PER_SEC, deadline % LOOP_NSEC_PER_SEC };

      if (loop_clock_now () >= deadline)
        return;
      pthread_cond_clockwait (&changed, &mutex, CLOCK_MONOTONIC, &time);
    }
}

/* With the lock. */
static GVariant *
ask (guint64 loop_id, const char *text, GError **error)
{
  GVariant *answer;

  /* Whoever comes while an earlier question waits for the lock need not wait as well. */
  if (asked != NULL)
    {
      set_late (asked, error);
      return NULL;
    }

  if (!start_thread (error))
    return NULL;

  asked = g_new0 (Question, 1);
  asked->loop_id = loop_id;
  asked->text = text;
  asked->name = interpreter->name;
  asked->asked = loop_clock_now ();
  pthread_cond_broadcast (&changed);
  wait_for_answer (asked);

  if (!asked->is_answered)
    {
      set_late (asked, error);
      asked->is_given_up = TRUE;
      return NULL;
    }

  answer = g_steal_pointer (&asked->answer);
  if (asked->error != NULL)
    g_propagate_error (error, g_steal_pointer (&asked->error));
  g_clear_pointer (&asked, question_free);

  return answer;
}

static GVariant *
get_array (GVariant *answer, const char *key)
{
  return answer != NULL ? g_variant_lookup_value (answer, key, G_VARIANT_TYPE ("aa{sv}")) : NULL;
}

static GVariant *
ask_for_all (guint64 loop_id, const char *question, GError **error)
{
  GVariant *answer = NULL;

  pthread_mutex_lock (&mutex);
  if (interpreter != NULL)
    answer = ask (loop_id, question, error);
  pthread_mutex_unlock (&mutex);

  return answer;
}

GVariant *
loop_inspector_ask_interpreter (guint64 loop_id, const char *question, const char *key, GError **error)
{
  g_autoptr (GVariant) answer = ask_for_all (loop_id, question, error);

  return get_array (answer, key);
}

/* The inspector thread's own: what was last answered. */
static struct
{
  guint64 loop_id;
  gint64 time;
  GVariant *answer;
} cache;

void
loop_inspector_forget_interpreter (void)
{
  g_clear_pointer (&cache.answer, g_variant_unref);
}

/* Returns: (nullable): the rows that a view has in addition to those of libloop */
GVariant *
loop_inspector_list_of_interpreter (guint64 loop_id, const char *kind, gboolean is_first, GError **error)
{
  gint64 now = loop_clock_now ();

  if (is_first || cache.loop_id != loop_id || now - cache.time > CACHE_NS)
    {
      loop_inspector_forget_interpreter ();
      cache.answer = ask_for_all (loop_id, LOOP_INSPECTOR_TASKS_QUESTION, error);
      cache.loop_id = loop_id;
      cache.time = now;
    }

  return get_array (cache.answer, kind);
}

/* The caller runs on the loop, and so has the interpreter's lock, or can have it. */
gboolean
loop_inspector_cancel_of_interpreter (guint64 loop_id, guint64 id, const char *message)
{
  g_autoptr (GVariant) argument = g_variant_ref_sink (g_variant_new ("(ts)", id, message != NULL ? message : ""));
  g_autoptr (GVariant) answer = NULL;
  const LoopInterpreter *from;
  guint64 done = 0;
  int state;

  pthread_mutex_lock (&mutex);
  from = interpreter;
  pthread_mutex_unlock (&mutex);
  if (from == NULL)
    return FALSE;

  state = from->enter ();
  answer = from->answer (loop_id, "cancel", argument, NULL);
  from->leave (state);
  if (answer == NULL)
    return FALSE;

  g_variant_ref_sink (answer);

  return g_variant_lookup (answer, "done", "t", &done) && done != 0;
}

/**
 * loop_inspector_set_interpreter: (skip)
 * @interpreter: (nullable): an interpreter, which stays valid; or %NULL
 *
 * Sets whom inspectors of this process ask for what is the interpreter's: tasks, and where
 * its functions are. When this returns, no other interpreter is being asked: to be called
 * without the lock of the one that was set before.
 */
void
loop_inspector_set_interpreter (const LoopInterpreter *new_interpreter)
{
  pthread_mutex_lock (&mutex);
  interpreter = NULL;
  while (is_called)
    pthread_cond_wait (&changed, &mutex);
  interpreter = new_interpreter;
  pthread_mutex_unlock (&mutex);
}
