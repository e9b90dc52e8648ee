/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess-options-private.h"

#include "loop-options-private.h"

/**
 * LoopSubprocessOptions:
 *
 * How a process is started: the keyword arguments of asyncio's `subprocess_exec` and of
 * Python's `subprocess.Popen`.
 *
 * Options may be used any number of times; a call looks at them before it returns.
 */
G_DEFINE_FINAL_TYPE (LoopSubprocessOptions, loop_subprocess_options, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_STDIN,
  PROP_STDOUT,
  PROP_STDERR,
  PROP_EXECUTABLE,
  PROP_CWD,
  PROP_ENV,
  PROP_CLOSE_FDS,
  PROP_RESTORE_SIGNALS,
  PROP_START_NEW_SESSION,
  PROP_PROCESS_GROUP,
  PROP_UMASK,
  PROP_UID,
  PROP_GID,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void
loop_subprocess_options_finalize (GObject *object)
{
  LoopSubprocessOptions *self = LOOP_SUBPROCESS_OPTIONS (object);

  g_free (self->executable);
  g_free (self->cwd);
  g_strfreev (self->env);
  g_array_unref (self->pass_fds);
  g_clear_pointer (&self->extra_groups, g_array_unref);

  G_OBJECT_CLASS (loop_subprocess_options_parent_class)->finalize (object);
}

static void
loop_subprocess_options_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopSubprocessOptions *self = LOOP_SUBPROCESS_OPTIONS (object);

  switch (property_id)
    {
    case PROP_STDIN:
      g_value_set_int (value, self->fds[0]);
      break;
    case PROP_STDOUT:
      g_value_set_int (value, self->fds[1]);
      break;
    case PROP_STDERR:
      g_value_set_int (value, self->fds[2]);
      break;
    case PROP_EXECUTABLE:
      g_value_set_string (value, self->executable);
      break;
    case PROP_CWD:
      g_value_set_string (value, self->cwd);
      break;
    case PROP_ENV:
      g_value_set_boxed (value, self->env);
      break;
    case PROP_CLOSE_FDS:
      g_value_set_boolean (value, self->close_fds);
      break;
    case PROP_RESTORE_SIGNALS:
      g_value_set_boolean (value, self->restore_signals);
      break;
    case PROP_START_NEW_SESSION:
      g_value_set_boolean (value, self->start_new_session);
      break;
    case PROP_PROCESS_GROUP:
      g_value_set_int (value, self->process_group);
      break;
    case PROP_UMASK:
      g_value_set_int (value, self->mask);
      break;
    case PROP_UID:
      g_value_set_int64 (value, self->uid);
      break;
    case PROP_GID:
      g_value_set_int64 (value, self->gid);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_subprocess_options_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  LoopSubprocessOptions *self = LOOP_SUBPROCESS_OPTIONS (object);

  switch (property_id)
    {
    case PROP_STDIN:
      loop_subprocess_options_set_stdin (self, g_value_get_int (value));
      break;
    case PROP_STDOUT:
      loop_subprocess_options_set_stdout (self, g_value_get_int (value));
      break;
    case PROP_STDERR:
      loop_subprocess_options_set_stderr (self, g_value_get_int (value));
      break;
    case PROP_EXECUTABLE:
      loop_subprocess_options_set_executable (self, g_value_get_string (value));
      break;
    case PROP_CWD:
      loop_subprocess_options_set_cwd (self, g_value_get_string (value));
      break;
    case PROP_ENV:
      loop_subprocess_options_set_env (self, g_value_get_boxed (value));
      break;
    case PROP_CLOSE_FDS:
      loop_subprocess_options_set_close_fds (self, g_value_get_boolean (value));
      break;
    case PROP_RESTORE_SIGNALS:
      loop_subprocess_options_set_restore_signals (self, g_value_get_boolean (value));
      break;
    case PROP_START_NEW_SESSION:
      loop_subprocess_options_set_start_new_session (self, g_value_get_boolean (value));
      break;
    case PROP_PROCESS_GROUP:
      loop_subprocess_options_set_process_group (self, g_value_get_int (value));
      break;
    case PROP_UMASK:
      loop_subprocess_options_set_umask (self, g_value_get_int (value));
      break;
    case PROP_UID:
      loop_subprocess_options_set_uid (self, g_value_get_int64 (value));
      break;
    case PROP_GID:
      loop_subprocess_options_set_gid (self, g_value_get_int64 (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_subprocess_options_class_init (LoopSubprocessOptionsClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = loop_subprocess_options_finalize;
  object_class->get_property = loop_subprocess_options_get_property;
  object_class->set_property = loop_subprocess_options_set_property;

  /**
   * LoopSubprocessOptions:stdin: (getter get_stdin) (setter set_stdin)
   *
   * What the process reads: %LOOP_SUBPROCESS_PIPE for a pipe to it, the default;
   * %LOOP_SUBPROCESS_DEVNULL; %LOOP_SUBPROCESS_INHERIT for what this process has; or a file
   * descriptor, which stays the caller's.
   */
  properties[PROP_STDIN] =
      g_param_spec_int ("stdin", NULL, NULL, LOOP_SUBPROCESS_INHERIT, G_MAXINT, LOOP_SUBPROCESS_PIPE, flags);

  /**
   * LoopSubprocessOptions:stdout: (getter get_stdout) (setter set_stdout)
   *
   * Where the process writes to: see [property@SubprocessOptions:stdin].
   */
  properties[PROP_STDOUT] =
      g_param_spec_int ("stdout", NULL, NULL, LOOP_SUBPROCESS_INHERIT, G_MAXINT, LOOP_SUBPROCESS_PIPE, flags);

  /**
   * LoopSubprocessOptions:stderr: (getter get_stderr) (setter set_stderr)
   *
   * Where the process writes its errors to: see [property@SubprocessOptions:stdin], or
   * %LOOP_SUBPROCESS_STDOUT for where its output goes.
   */
  properties[PROP_STDERR] =
      g_param_spec_int ("stderr", NULL, NULL, LOOP_SUBPROCESS_INHERIT, G_MAXINT, LOOP_SUBPROCESS_PIPE, flags);

  /**
   * LoopSubprocessOptions:executable: (getter get_executable) (setter set_executable)
   *
   * The program to run, if it is not what the first argument says.
   */
  properties[PROP_EXECUTABLE] = g_param_spec_string ("executable", NULL, NULL, NULL, flags);

  /**
   * LoopSubprocessOptions:cwd: (getter get_cwd) (setter set_cwd)
   *
   * The directory in which the process starts; %NULL for that of this process.
   */
  properties[PROP_CWD] = g_param_spec_string ("cwd", NULL, NULL, NULL, flags);

  /**
   * LoopSubprocessOptions:env: (getter get_env) (setter set_env)
   *
   * The environment of the process, as `NAME=value`; %NULL for that of this process. The
   * program is looked for in its `PATH`.
   */
  properties[PROP_ENV] = g_param_spec_boxed ("env", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * LoopSubprocessOptions:close-fds: (getter get_close_fds) (setter set_close_fds)
   *
   * Whether the process has no other descriptors than its first three and those of
   * [method@SubprocessOptions.set_pass_fds]. Otherwise it has all that are not closed upon
   * `exec`.
   */
  properties[PROP_CLOSE_FDS] = g_param_spec_boolean ("close-fds", NULL, NULL, TRUE, flags);

  /**
   * LoopSubprocessOptions:restore-signals: (getter get_restore_signals) (setter set_restore_signals)
   *
   * Whether `SIGPIPE` and `SIGXFSZ` are as usual in the process if they are ignored in
   * this one.
   */
  properties[PROP_RESTORE_SIGNALS] = g_param_spec_boolean ("restore-signals", NULL, NULL, TRUE, flags);

  /**
   * LoopSubprocessOptions:start-new-session: (getter get_start_new_session) (setter set_start_new_session)
   *
   * Whether the process is the leader of a session of its own.
   */
  properties[PROP_START_NEW_SESSION] = g_param_spec_boolean ("start-new-session", NULL, NULL, FALSE, flags);

  /**
   * LoopSubprocessOptions:process-group: (getter get_process_group) (setter set_process_group)
   *
   * The process group that the process is moved to: 0 for one of its own, -1 for that of
   * this process.
   */
  properties[PROP_PROCESS_GROUP] = g_param_spec_int ("process-group", NULL, NULL, -1, G_MAXINT, -1, flags);

  /**
   * LoopSubprocessOptions:umask: (getter get_umask) (setter set_umask)
   *
   * The file mode creation mask of the process; -1 for that of this process.
   */
  properties[PROP_UMASK] = g_param_spec_int ("umask", NULL, NULL, -1, 0777, -1, flags);

  /**
   * LoopSubprocessOptions:uid: (getter get_uid) (setter set_uid)
   *
   * The user that the process runs as; -1 for that of this process.
   */
  properties[PROP_UID] = g_param_spec_int64 ("uid", NULL, NULL, -1, G_MAXUINT32 - 1, -1, flags);

  /**
   * LoopSubprocessOptions:gid: (getter get_gid) (setter set_gid)
   *
   * The group that the process runs as; -1 for that of this process.
   */
  properties[PROP_GID] = g_param_spec_int64 ("gid", NULL, NULL, -1, G_MAXUINT32 - 1, -1, flags);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_subprocess_options_init (LoopSubprocessOptions *self)
{
  self->fds[0] = self->fds[1] = self->fds[2] = LOOP_SUBPROCESS_PIPE;
  self->close_fds = self->restore_signals = TRUE;
  self->process_group = self->mask = -1;
  self->uid = self->gid = -1;
  self->pass_fds = g_array_new (FALSE, FALSE, sizeof (int));
}

static void
set_int64 (LoopSubprocessOptions *self, gint64 *field, gint64 value, guint property_id)
{
  if (*field == value)
    return;

  *field = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property_id]);
}

static void
set_string (LoopSubprocessOptions *self, char **field, const char *value, guint property_id)
{
  char *copy;

  if (g_strcmp0 (*field, value) == 0)
    return;

  copy = g_strdup (value);
  g_free (*field);
  *field = copy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[property_id]);
}

/**
 * loop_subprocess_options_new:
 *
 * Makes options with their default values.
 *
 * Returns: (transfer full): the options
 */
LoopSubprocessOptions *
loop_subprocess_options_new (void)
{
  return g_object_new (LOOP_TYPE_SUBPROCESS_OPTIONS, NULL);
}

/**
 * loop_subprocess_options_get_stdin:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:stdin].
 *
 * Returns: the value
 */
int
loop_subprocess_options_get_stdin (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->fds[0];
}

/**
 * loop_subprocess_options_set_stdin:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:stdin].
 */
void
loop_subprocess_options_set_stdin (LoopSubprocessOptions *self, int value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= LOOP_SUBPROCESS_INHERIT);
  g_return_if_fail (value != LOOP_SUBPROCESS_STDOUT);

  loop_options_set_int (self, &self->fds[0], value, properties[PROP_STDIN]);
}

/**
 * loop_subprocess_options_get_stdout:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:stdout].
 *
 * Returns: the value
 */
int
loop_subprocess_options_get_stdout (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->fds[1];
}

/**
 * loop_subprocess_options_set_stdout:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:stdout].
 */
void
loop_subprocess_options_set_stdout (LoopSubprocessOptions *self, int value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= LOOP_SUBPROCESS_INHERIT);
  g_return_if_fail (value != LOOP_SUBPROCESS_STDOUT);

  loop_options_set_int (self, &self->fds[1], value, properties[PROP_STDOUT]);
}

/**
 * loop_subprocess_options_get_stderr:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:stderr].
 *
 * Returns: the value
 */
int
loop_subprocess_options_get_stderr (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->fds[2];
}

/**
 * loop_subprocess_options_set_stderr:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:stderr].
 */
void
loop_subprocess_options_set_stderr (LoopSubprocessOptions *self, int value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= LOOP_SUBPROCESS_INHERIT);

  loop_options_set_int (self, &self->fds[2], value, properties[PROP_STDERR]);
}

/**
 * loop_subprocess_options_get_executable:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:executable].
 *
 * Returns: (transfer none) (nullable) (type filename): the value
 */
const char *
loop_subprocess_options_get_executable (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), NULL);

  return self->executable;
}

/**
 * loop_subprocess_options_set_executable:
 * @self: the options
 * @value: (nullable) (type filename): the value
 *
 * Sets [property@SubprocessOptions:executable].
 */
void
loop_subprocess_options_set_executable (LoopSubprocessOptions *self, const char *value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  set_string (self, &self->executable, value, PROP_EXECUTABLE);
}

/**
 * loop_subprocess_options_get_cwd:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:cwd].
 *
 * Returns: (transfer none) (nullable) (type filename): the value
 */
const char *
loop_subprocess_options_get_cwd (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), NULL);

  return self->cwd;
}

/**
 * loop_subprocess_options_set_cwd:
 * @self: the options
 * @value: (nullable) (type filename): the value
 *
 * Sets [property@SubprocessOptions:cwd].
 */
void
loop_subprocess_options_set_cwd (LoopSubprocessOptions *self, const char *value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  set_string (self, &self->cwd, value, PROP_CWD);
}

/**
 * loop_subprocess_options_get_env:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:env].
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1) (element-type filename): the value
 */
const char *const *
loop_subprocess_options_get_env (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), NULL);

  return (const char *const *) self->env;
}

/**
 * loop_subprocess_options_set_env:
 * @self: the options
 * @value: (nullable) (array zero-terminated=1) (element-type filename): the value
 *
 * Sets [property@SubprocessOptions:env].
 */
void
loop_subprocess_options_set_env (LoopSubprocessOptions *self, const char *const *value)
{
  char **copy;

  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  copy = g_strdupv ((char **) value);
  g_strfreev (self->env);
  self->env = copy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ENV]);
}

/**
 * loop_subprocess_options_get_close_fds:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:close-fds].
 *
 * Returns: the value
 */
gboolean
loop_subprocess_options_get_close_fds (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), FALSE);

  return self->close_fds;
}

/**
 * loop_subprocess_options_set_close_fds:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:close-fds].
 */
void
loop_subprocess_options_set_close_fds (LoopSubprocessOptions *self, gboolean value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  loop_options_set_int (self, &self->close_fds, value != FALSE, properties[PROP_CLOSE_FDS]);
}

/**
 * loop_subprocess_options_get_restore_signals:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:restore-signals].
 *
 * Returns: the value
 */
gboolean
loop_subprocess_options_get_restore_signals (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), FALSE);

  return self->restore_signals;
}

/**
 * loop_subprocess_options_set_restore_signals:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:restore-signals].
 */
void
loop_subprocess_options_set_restore_signals (LoopSubprocessOptions *self, gboolean value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  loop_options_set_int (self, &self->restore_signals, value != FALSE, properties[PROP_RESTORE_SIGNALS]);
}

/**
 * loop_subprocess_options_get_start_new_session:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:start-new-session].
 *
 * Returns: the value
 */
gboolean
loop_subprocess_options_get_start_new_session (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), FALSE);

  return self->start_new_session;
}

/**
 * loop_subprocess_options_set_start_new_session:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:start-new-session].
 */
void
loop_subprocess_options_set_start_new_session (LoopSubprocessOptions *self, gboolean value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));

  loop_options_set_int (self, &self->start_new_session, value != FALSE, properties[PROP_START_NEW_SESSION]);
}

/**
 * loop_subprocess_options_get_process_group:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:process-group].
 *
 * Returns: the value
 */
int
loop_subprocess_options_get_process_group (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->process_group;
}

/**
 * loop_subprocess_options_set_process_group:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:process-group].
 */
void
loop_subprocess_options_set_process_group (LoopSubprocessOptions *self, int value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= -1);

  loop_options_set_int (self, &self->process_group, value, properties[PROP_PROCESS_GROUP]);
}

/**
 * loop_subprocess_options_get_umask:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:umask].
 *
 * Returns: the value
 */
int
loop_subprocess_options_get_umask (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->mask;
}

/**
 * loop_subprocess_options_set_umask:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:umask].
 */
void
loop_subprocess_options_set_umask (LoopSubprocessOptions *self, int value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= -1 && value <= 0777);

  loop_options_set_int (self, &self->mask, value, properties[PROP_UMASK]);
}

/**
 * loop_subprocess_options_get_uid:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:uid].
 *
 * Returns: the value
 */
gint64
loop_subprocess_options_get_uid (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->uid;
}

/**
 * loop_subprocess_options_set_uid:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:uid].
 */
void
loop_subprocess_options_set_uid (LoopSubprocessOptions *self, gint64 value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= -1 && value < G_MAXUINT32);

  set_int64 (self, &self->uid, value, PROP_UID);
}

/**
 * loop_subprocess_options_get_gid:
 * @self: the options
 *
 * Gets [property@SubprocessOptions:gid].
 *
 * Returns: the value
 */
gint64
loop_subprocess_options_get_gid (LoopSubprocessOptions *self)
{
  g_return_val_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self), 0);

  return self->gid;
}

/**
 * loop_subprocess_options_set_gid:
 * @self: the options
 * @value: the value
 *
 * Sets [property@SubprocessOptions:gid].
 */
void
loop_subprocess_options_set_gid (LoopSubprocessOptions *self, gint64 value)
{
  g_return_if_fail (LOOP_IS_SUBPROCESS_OPTIONS (self));
  g_return_if_fail (value >= -1 && value < G_MAXUINT32);

  set_int64 (self, &self->gid, value, PROP_GID);
}
