/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-child-private.h"

#include "loop-error-private.h"
#include "loop-subprocess-options-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * How a program is started. The child has our memory until it runs the program, and we stand
 * still meanwhile, as with vfork(): nothing has to be copied, however large the process is.
 * So the child does nothing but system calls, and everything that it needs is made before.
 */

#define STACK_SIZE (64 * 1024)

/* Only what uninstrumented code does in our memory goes unnoticed there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER TRUE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER TRUE
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER FALSE
#endif

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

/* Those of the C library would have the other threads of our process do the same. */
#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#define SETRESGID SYS_setresgid32
#define SETGROUPS SYS_setgroups32
#else
#define SETRESUID SYS_setresuid
#define SETRESGID SYS_setresgid
#define SETGROUPS SYS_setgroups
#endif

typedef enum
{
  STEP_FDS,
  STEP_DIRECTORY,
  STEP_SESSION,
  STEP_PROCESS_GROUP,
  STEP_GROUPS,
  STEP_USER,
  STEP_EXEC,
} Step;

/* What the child says when it cannot start the program. */
typedef struct
{
  Step step;
  int saved_errno;
} Failure;

typedef struct
{
  const LoopSubprocessOptions *options;
  char *const *argv;
  char *const *envp;
  char **programs; /* to be tried, one after another */
  int fds[3];
  int error_fd;
  volatile gboolean has_our_memory; /* set by the child */
} Plan;

static void G_GNUC_NORETURN
child_fail (Plan *plan, Step step)
{
  Failure failure = { step, errno };
  gssize written G_GNUC_UNUSED = write (plan->error_fd, &failure, sizeof failure);

  _exit (127);
}

/* No handler of ours is to run in our memory. What is ignored stays so, but for what interpreters ignore for themselves. */
static void
child_reset_signals (Plan *plan)
{
  struct sigaction action;
  sigset_t none;

  for (int signum = 1; signum < NSIG; signum++)
    {
      gboolean is_restored = plan->options->restore_signals && (signum == SIGPIPE || signum == SIGXFSZ);

      if (sigaction (signum, NULL, &action) < 0 || action.sa_handler == SIG_DFL ||
          (action.sa_handler == SIG_IGN && !is_restored))
        continue;

      memset (&action, 0, sizeof action);
      action.sa_handler = SIG_DFL;
      sigaction (signum, &action, NULL);
    }

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

static int
child_dup2 (int fd, int to)
{
  int status;

  do
    status = dup2 (fd, to);
  while (status < 0 && errno == EINTR);

  return status;
}

static void
child_set_fds (Plan *plan)
{
  int *fds = plan->fds;

  /* What lies where another is to be is moved away first. */
  if (plan->error_fd <= STDERR_FILENO)
    plan->error_fd = fcntl (plan->error_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  for (int i = 0; i < 3; i++)
    {
      if (fds[i] >= 0 && fds[i] <= STDERR_FILENO && fds[i] != i)
        fds[i] = fcntl (fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
      if (fds[i] == -1 && plan->options->fds[i] != LOOP_SUBPROCESS_INHERIT)
        child_fail (plan, STEP_FDS);
    }

  for (int i = 0; i < 3; i++)
    {
      int status = 0;

      if (fds[i] == i)
        status = fcntl (i, F_SETFD, 0);
      else if (fds[i] >= 0)
        status = child_dup2 (fds[i], i);
      else if (fds[i] == LOOP_CHILD_STDOUT)
        status = child_dup2 (STDOUT_FILENO, i);
      if (status < 0)
        child_fail (plan, STEP_FDS);
    }
}

/* Closes all other descriptors: upon exec, for until then there may be an error to be told of. */
static void
child_close_fds (Plan *plan)
{
  const GArray *pass_fds = plan->options->pass_fds;

  if (plan->options->close_fds && syscall (SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
    {
      struct rlimit limit = { 0 };

      getrlimit (RLIMIT_NOFILE, &limit);
      for (int fd = STDERR_FILENO + 1; fd < (int) MIN (limit.rlim_cur, G_MAXINT); fd++)
        fcntl (fd, F_SETFD, FD_CLOEXEC);
    }

  for (guint i = 0; i < pass_fds->len; i++)
    {
      if (fcntl (g_array_index (pass_fds, int, i), F_SETFD, 0) < 0)
        child_fail (plan, STEP_FDS);
    }
}

static void
child_set_credentials (Plan *plan)
{
  const LoopSubprocessOptions *options = plan->options;
  gint64 gid = options->gid;
  gint64 uid = options->uid;

  if (options->extra_groups != NULL &&
      syscall (SETGROUPS, (gsize) options->extra_groups->len, options->extra_groups->data) < 0)
    child_fail (plan, STEP_GROUPS);
  if (gid >= 0 && syscall (SETRESGID, (gid_t) gid, (gid_t) gid, (gid_t) gid) < 0)
    child_fail (plan, STEP_GROUPS);
  if (uid >= 0 && syscall (SETRESUID, (uid_t) uid, (uid_t) uid, (uid_t) uid) < 0)
    child_fail (plan, STEP_USER);
}

static void
child_exec (Plan *plan)
{
  int saved_errno = 0;

  for (char **program = plan->programs; *program != NULL; program++)
    {
      execve (*program, plan->argv, plan->envp);
      if (saved_errno == 0 && errno != ENOENT && errno != ENOTDIR)
        saved_errno = errno;
    }

  /* One that is there, and cannot be run, says more than those that are not. */
  if (saved_errno != 0)
    errno = saved_errno;
  child_fail (plan, STEP_EXEC);
}

static int
child_main (void *data)
{
  Plan *plan = data;
  const LoopSubprocessOptions *options = plan->options;

  plan->has_our_memory = TRUE;
  child_reset_signals (plan);
  child_set_fds (plan);
  if (options->cwd != NULL && chdir (options->cwd) < 0)
    child_fail (plan, STEP_DIRECTORY);
  if (options->mask >= 0)
    umask ((mode_t) options->mask);
  if (options->start_new_session && setsid () < 0)
    child_fail (plan, STEP_SESSION);
  if (options->process_group >= 0 && setpgid (0, options->process_group) < 0)
    child_fail (plan, STEP_PROCESS_GROUP);
  child_set_credentials (plan);
  child_close_fds (plan);
  child_exec (plan);

  return 127;
}

/* --- In the parent ---------------------------------------------------------------------------- */

static const char *
get_program (const Plan *plan)
{
  return plan->options->executable != NULL ? plan->options->executable : plan->argv[0];
}

static void
set_spawn_error (const Plan *plan, const Failure *failure, GError **error)
{
  const LoopSubprocessOptions *options = plan->options;
  g_autofree char *program = g_filename_display_name (get_program (plan));
  g_autofree char *what = NULL;

  switch (failure->step)
    {
    case STEP_FDS:
      what = g_strdup ("its descriptors");
      break;
    case STEP_DIRECTORY:
      what = g_filename_display_name (options->cwd);
      break;
    case STEP_SESSION:
      what = g_strdup ("a session of its own");
      break;
    case STEP_PROCESS_GROUP:
      what = g_strdup_printf ("process group %d", options->process_group);
      break;
    case STEP_GROUPS:
      what = g_strdup ("its groups");
      break;
    case STEP_USER:
      what = g_strdup_printf ("user %" G_GINT64_FORMAT, options->uid);
      break;
    case STEP_EXEC:
    default:
      break;
    }

  loop_set_error_from_errno (error, failure->saved_errno,
                             what != NULL ? "Could not run “%s”: %s" : "Could not run “%s”", program, what);
}

/* Where the program may be: as the process will see it, in the directory that it starts in. */
static char **
find_programs (const Plan *plan)
{
  g_autoptr (GStrvBuilder) programs = g_strv_builder_new ();
  const char *program = get_program (plan);
  const char *path = g_environ_getenv ((char **) plan->envp, "PATH");
  g_auto (GStrv) directories = NULL;

  if (*program == '\0' || strchr (program, '/') != NULL)
    {
      g_strv_builder_add (programs, program);
      return g_strv_builder_end (programs);
    }

  directories = g_strsplit (path != NULL ? path : "/bin:/usr/bin", ":", -1);
  for (char **directory = directories; *directory != NULL; directory++)
    {
      g_autofree char *candidate = g_build_filename (**directory != '\0' ? *directory : ".", program, NULL);

      g_strv_builder_add (programs, candidate);
    }

  return g_strv_builder_end (programs);
}

/* A process that has other rights than ours must not have our memory, not even for a moment. */
static gboolean
may_share_memory (const LoopSubprocessOptions *options)
{
  return !HAS_SANITIZER && options->uid < 0 && options->gid < 0 && options->extra_groups == NULL;
}

/* Returns: 0, or an errno */
static int
start_child (Plan *plan, pid_t *pid, int *pidfd)
{
  int flags = SIGCHLD | (may_share_memory (plan->options) ? CLONE_VM | CLONE_VFORK : 0);
  g_autofree char *stack = g_malloc (STACK_SIZE);
  char *stack_top = (char *) ((gsize) (stack + STACK_SIZE) & ~(gsize) 15);
  int saved_errno;
  sigset_t all;
  sigset_t before;

  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  *pid = clone (child_main, stack_top, flags | CLONE_PIDFD, plan, pidfd);
  if (*pid < 0 && errno == EINVAL)
    *pid = clone (child_main, stack_top, flags, plan);
  saved_errno = errno;
  pthread_sigmask (SIG_SETMASK, &before, NULL);

  return *pid < 0 ? saved_errno : 0;
}

/* Waits until the program runs. Returns: %FALSE if it cannot */
static gboolean
read_failure (Plan *plan, int fd, Failure *failure)
{
  struct pollfd event = { .fd = fd, .events = POLLIN };
  gssize n;

  /*
   * If the child had our memory, all that it may have to say is there. Whether there is an end
   * to read is not asked then, for another thread may have forked and have the other end.
   */
  if (!plan->has_our_memory)
    {
      while (poll (&event, 1, -1) < 0 && errno == EINTR)
        ;
    }

  do
    n = read (fd, failure, sizeof *failure);
  while (n < 0 && errno == EINTR);

  return n == sizeof *failure;
}

/*
 * Starts a process, of which @fds are the first three descriptors: or %LOOP_CHILD_INHERIT,
 * or %LOOP_CHILD_STDOUT. They stay the caller's.
 */
gboolean
loop_child_spawn (LoopChild *self,
                  const char *const *argv,
                  LoopSubprocessOptions *options,
                  const int fds[3],
                  GError **error)
{
  Plan plan = {
    .options = options,
    .argv = (char *const *) argv,
    .envp = options->env != NULL ? options->env : environ,
    .fds = { fds[0], fds[1], fds[2] },
  };
  g_auto (GStrv) programs = find_programs (&plan);
  Failure failure = { STEP_EXEC, 0 };
  int error_fds[2];
  int pidfd = -1;
  pid_t pid;

  *self = (LoopChild) { .fd = -1 };
  plan.programs = programs;

  if (pipe2 (error_fds, O_CLOEXEC | O_NONBLOCK) < 0)
    {
      failure.saved_errno = errno;
      set_spawn_error (&plan, &failure, error);
      return FALSE;
    }

  plan.error_fd = error_fds[1];
  failure.saved_errno = start_child (&plan, &pid, &pidfd);
  close (error_fds[1]);

  if (failure.saved_errno == 0 && read_failure (&plan, error_fds[0], &failure))
    {
      while (waitpid (pid, NULL, 0) < 0 && errno == EINTR)
        ;
      if (pidfd >= 0)
        close (pidfd);
    }
  close (error_fds[0]);

  if (failure.saved_errno != 0)
    {
      set_spawn_error (&plan, &failure, error);
      return FALSE;
    }

  return loop_child_watch (self, pid, pidfd, error);
}
