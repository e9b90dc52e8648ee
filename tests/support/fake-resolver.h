/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "config.h"

#include <glib.h>

G_BEGIN_DECLS

/*
 * A program that uses this has a getaddrinfo() of its own, which knows the names added here beside
 * those that the machine knows.
 */

/* @addresses: numeric, divided by blanks, in the order in which they are found */
void fake_resolver_add (const char *name, const char *addresses);

/* Lookups of @name take until fake_resolver_release(). */
void fake_resolver_add_slow (const char *name, const char *addresses);
/* Lookups of @name fail, with an EAI_* code. */
void fake_resolver_add_failing (const char *name, int status);
/* Waits until so many lookups of slow names are under way, or were. */
void fake_resolver_wait (guint n_slow);
void fake_resolver_release (void);
/* How many lookups have been made that were not of a number. */
guint fake_resolver_get_n_lookups (void);

G_END_DECLS
