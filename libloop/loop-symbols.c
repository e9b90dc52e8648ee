/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-symbols-private.h"

#include "loop-fork-private.h"

#include <dlfcn.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * The dynamic linker knows exported functions only, and a program exports none. elfutils
 * reads the rest from symbol tables and debugging information, if it is installed: it is
 * loaded when something is to be named, for most processes never do.
 */
#ifdef HAVE_ELFUTILS_LIBDWFL_H
#include <elfutils/libdwfl.h>

typedef struct
{
  __typeof__ (dwfl_begin) *begin;
  __typeof__ (dwfl_end) *end;
  __typeof__ (dwfl_report_end) *report_end;
  __typeof__ (dwfl_linux_proc_report) *linux_proc_report;
  __typeof__ (dwfl_linux_proc_find_elf) *linux_proc_find_elf;
  __typeof__ (dwfl_build_id_find_debuginfo) *build_id_find_debuginfo;
  __typeof__ (dwfl_addrmodule) *addrmodule;
  __typeof__ (dwfl_module_addrname) *module_addrname;
  __typeof__ (dwfl_module_getsrc) *module_getsrc;
  __typeof__ (dwfl_lineinfo) *lineinfo;
} LoopElfutils;

/* What is known of an address. */
typedef struct
{
  char *name;
  char *place; /* file and line */
} LoopSymbol;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopElfutils elfutils;
static gboolean has_elfutils;
static GHashTable *known; /* address → LoopSymbol; to read the tables is dear, and the same few are asked for */

LOOP_FORK_WATCH (LOOP_FORK_SYMBOLS, .mutex = &mutex)

static gboolean
load_elfutils (void)
{
  static const struct
  {
    const char *name;
    gsize offset;
  } symbols[] = {
    { "dwfl_begin", G_STRUCT_OFFSET (LoopElfutils, begin) },
    { "dwfl_end", G_STRUCT_OFFSET (LoopElfutils, end) },
    { "dwfl_report_end", G_STRUCT_OFFSET (LoopElfutils, report_end) },
    { "dwfl_linux_proc_report", G_STRUCT_OFFSET (LoopElfutils, linux_proc_report) },
    { "dwfl_linux_proc_find_elf", G_STRUCT_OFFSET (LoopElfutils, linux_proc_find_elf) },
    { "dwfl_build_id_find_debuginfo", G_STRUCT_OFFSET (LoopElfutils, build_id_find_debuginfo) },
    { "dwfl_addrmodule", G_STRUCT_OFFSET (LoopElfutils, addrmodule) },
    { "dwfl_module_addrname", G_STRUCT_OFFSET (LoopElfutils, module_addrname) },
    { "dwfl_module_getsrc", G_STRUCT_OFFSET (LoopElfutils, module_getsrc) },
    { "dwfl_lineinfo", G_STRUCT_OFFSET (LoopElfutils, lineinfo) },
  };
  gpointer library = dlopen ("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

  if (library == NULL)
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (symbols); i++)
    {
      gpointer symbol = dlsym (library, symbols[i].name);

      if (symbol == NULL)
        return FALSE;
      memcpy ((char *) &elfutils + symbols[i].offset, &symbol, sizeof symbol);
    }

  return TRUE;
}

/* Files of debugging information are looked for on this machine only. */
static gpointer
read_symbol (gpointer data)
{
  const Dwarf_Addr address = (Dwarf_Addr) (gsize) data;
  const Dwfl_Callbacks callbacks = {
    .find_elf = elfutils.linux_proc_find_elf,
    .find_debuginfo = elfutils.build_id_find_debuginfo,
  };
  LoopSymbol *symbol = g_new0 (LoopSymbol, 1);
  Dwfl *dwfl = elfutils.begin (&callbacks);
  Dwfl_Module *module = NULL;

  if (dwfl == NULL)
    return symbol;

  if (elfutils.linux_proc_report (dwfl, getpid ()) == 0 && elfutils.report_end (dwfl, NULL, NULL) == 0)
    module = elfutils.addrmodule (dwfl, address);

  if (module != NULL)
    {
      Dwfl_Line *line = elfutils.module_getsrc (module, address);
      int number = 0;
      const char *file = line != NULL ? elfutils.lineinfo (line, NULL, &number, NULL, NULL, NULL) : NULL;

      if (file != NULL)
        {
          g_autofree char *base = g_path_get_basename (file);

          symbol->place = g_strdup_printf ("%s:%d", base, number);
        }
      symbol->name = g_strdup (elfutils.module_addrname (module, address));
    }

  /* Nothing stays open: children would inherit it. */
  elfutils.end (dwfl);

  return symbol;
}

/* In a thread of its own: elfutils needs more stack than a fiber has. Returns: (nullable): %NULL if there is no thread */
static LoopSymbol *
read_symbol_in_thread (gpointer address)
{
  gpointer symbol = NULL;
  pthread_t thread;
  sigset_t all;
  sigset_t mask;
  int status;

  /* A handler of the program's is not to run there. */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &mask);
  status = pthread_create (&thread, NULL, read_symbol, address);
  pthread_sigmask (SIG_SETMASK, &mask, NULL);

  if (status == 0)
    pthread_join (thread, &symbol);

  return symbol;
}

/* Returns: (nullable): the function at or around an address; in *@place the file and line, or %NULL */
static char *
look_up (gpointer address, char **place)
{
  LoopSymbol *symbol = NULL;
  char *name = NULL;

  *place = NULL;

  pthread_mutex_lock (&mutex);
  if (known == NULL)
    {
      known = g_hash_table_new (NULL, NULL);
      has_elfutils = load_elfutils ();
    }

  if (has_elfutils)
    {
      symbol = g_hash_table_lookup (known, address);
      if (symbol == NULL)
        {
          symbol = read_symbol_in_thread (address);
          if (symbol != NULL)
            g_hash_table_insert (known, address, symbol);
        }
    }

  if (symbol != NULL)
    {
      name = g_strdup (symbol->name);
      *place = g_strdup (symbol->place);
    }
  pthread_mutex_unlock (&mutex);

  return name;
}
#else
static char *
look_up (gpointer address, char **place)
{
  *place = NULL;

  return NULL;
}
#endif

static char *
describe_offset (const Dl_info *info, gpointer address)
{
  g_autofree char *module = g_path_get_basename (info->dli_fname);

  return g_strdup_printf ("%s+0x%" G_GSIZE_MODIFIER "x", module, (gsize) ((char *) address - (char *) info->dli_fbase));
}

static char *
describe_function (gpointer function, gboolean is_looked_up)
{
  Dl_info info;
  g_autofree char *place = NULL;
  char *name;

  if (function == NULL || dladdr (function, &info) == 0 || info.dli_fname == NULL)
    return g_strdup ("?");

  /* The nearest symbol is that of another function when ours is static. */
  if (info.dli_sname != NULL && info.dli_saddr == function)
    return g_strdup (info.dli_sname);

  name = is_looked_up ? look_up (function, &place) : NULL;

  return name != NULL ? name : describe_offset (&info, function);
}

/* Names a function: its symbol, or else its module and offset, which addr2line(1) understands. */
char *
loop_describe_function (gpointer function)
{
  return describe_function (function, TRUE);
}

/* As far as that goes without files and locks of ours: for the handler of a fault, after which nothing else comes. */
char *
loop_describe_function_after_fault (gpointer function)
{
  return describe_function (function, FALSE);
}

/* Names a place in a function: its name, and the file and line, as far as they are known. */
char *
loop_describe_address (gpointer address)
{
  Dl_info info;
  g_autofree char *place = NULL;
  g_autofree char *name = NULL;
  g_autofree char *offset = NULL;

  if (dladdr (address, &info) == 0 || info.dli_fname == NULL)
    return g_strdup_printf ("%p", address);

  name = look_up (address, &place);
  if (place == NULL)
    offset = describe_offset (&info, address);

  return name != NULL ? g_strdup_printf ("%s (%s)", name, place != NULL ? place : offset) : g_steal_pointer (&offset);
}

/* Whether an address is in libloop itself. */
gboolean
loop_is_own_address (gpointer address)
{
  g_autofree char *place = NULL;
  g_autofree char *name = NULL;
  Dl_info own;
  Dl_info info;

  if (dladdr ((gpointer) loop_is_own_address, &own) == 0 || dladdr (address, &info) == 0 ||
      info.dli_fbase != own.dli_fbase)
    return FALSE;

  if (strstr (own.dli_fname, "libloop") != NULL)
    return TRUE;

  /* Linked into a program, it is told by names. */
  name = look_up (address, &place);

  return name != NULL && g_str_has_prefix (name, "loop_");
}
