#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# "make install", seen by who gets the result: names, pkg-config, and a program built with it.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

dir=$(mktemp -d "$LOOP_BUILDDIR/install-test.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
root=$dir/root

# The make that runs this test must not lend its job server.
unset MAKEFLAGS MFLAGS MAKELEVEL
if ! "$MAKE" -s -C "$LOOP_BUILDDIR" install DESTDIR="$root" >"$dir/log" 2>&1; then
  explain () { cat "$dir/log"; false; }
  check "make install" explain
  finish
fi
check "make install" true

pc=$(find "$root" -name libloop-1.pc)
libdir=$(dirname "$(find "$root" -name 'libloop-1.so.0')")
includedir=$(dirname "$(find "$root" -path '*/libloop-1/libloop/loop.h')")

soname () { readelf -d "$libdir/libloop-1.so" | grep -F 'Library soname: [libloop-1.so.0]'; }
no_rpath () { ! readelf -d "$libdir/libloop-1.so" | grep -E 'RPATH|RUNPATH'; }
no_private_header () { ! find "$root" -name '*-private.h' | grep .; }
no_build_path () { ! grep -rlF -e "$LOOP_BUILDDIR" "$pc" "$includedir"; }
all_headers ()
{
  same "$(tr ' ' '\n' <<<"$LOOP_PUBLIC_HEADERS" | sed 's|.*/||' | grep .)" "$(ls "$includedir")"
}

export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_DISABLE_UNINSTALLED=1
pkg_version () { [ "$($PKG_CONFIG --modversion libloop-1)" = "$LOOP_VERSION" ]; }

cat >"$dir/program.c" <<'END'
#include <libloop/loop.h>
int main (void)
{
  return loop_check_version (LOOP_MAJOR_VERSION, LOOP_MINOR_VERSION, LOOP_MICRO_VERSION) != NULL;
}
END
# The files lie under a DESTDIR that the .pc file knows nothing of.
mkdir "$dir/pc"
sed "s|^prefix=|&$root|" "$pc" >"$dir/pc/libloop-1.pc"
program ()
{
  # shellcheck disable=SC2046
  "${CC%% *}" -o "$dir/program" "$dir/program.c" \
    $(PKG_CONFIG_PATH=$dir/pc $PKG_CONFIG --cflags --libs libloop-1) &&
    LD_LIBRARY_PATH=$libdir "$dir/program"
}

check "soname is libloop-1.so.0" soname
check "no rpath" no_rpath
check "the headers of the list, all of them and no others" all_headers
check "no private header" no_private_header
check "pkg-config knows the version" pkg_version
check "no build path in what is installed" no_build_path
check "a C program builds and runs with the installed .pc" program
if [ -n "$LOOP_TYPELIB" ]; then
  check "Loop-1.0.gir" test -s "$(find "$root" -path '*/gir-1.0/Loop-1.0.gir')"
  check "Loop-1.0.typelib" test -s "$(find "$root" -path '*/girepository-1.0/Loop-1.0.typelib')"
fi
if [ -n "$LOOP_TYPELIB" ] && [ -n "$HAVE_PYGOBJECT" ]; then
  overrides=$(dirname "$(find "$root" -path '*/gi/overrides/Loop.py')")
  python_override ()
  {
    LD_LIBRARY_PATH=$libdir PYTHONPATH=${overrides%/gi/overrides} \
      GI_TYPELIB_PATH=$(dirname "$(find "$root" -name Loop-1.0.typelib)") \
      "$PYTHON" -B -c "if True:
        import gi
        gi.require_version('Loop', '1.0')
        from gi.repository import Loop
        assert gi.overrides.Loop.__file__ == '$overrides/Loop.py', gi.overrides.Loop.__file__
        async def main():
            await Loop.sleep(0)
            return 42
        assert Loop.EventLoop().run_until_complete(main()) == 42
        import asyncio, libloop
        assert libloop.__file__.startswith('$root'), libloop.__file__
        assert libloop.run(asyncio.sleep(0, 42)) == 42"
  }
  check "Python finds the installed overrides" python_override
fi
if [ -n "$LOOP_TYPELIB" ] && [ -n "$GJS" ]; then
  override=$(find "$root" -path '*/share/gjs-1.0/overrides/Loop.js')
  # It is the override, if a future has a then ().
  gjs_installed ()
  {
    [ function = "$(unset GJS_PATH
      LD_LIBRARY_PATH=$libdir GI_TYPELIB_PATH=$libdir/girepository-1.0 XDG_DATA_DIRS=${override%/gjs-1.0/*} \
        "$GJS" "$@")" ]
  }
  echo "print (typeof imports.gi.Loop.Future.prototype.then);" >"$dir/legacy.js"
  echo "import Loop from 'gi://Loop?version=1.0'; print (typeof Loop.Future.prototype.then);" >"$dir/module.js"
  check "GJS finds the override, imports.gi" gjs_installed "$dir/legacy.js"
  check "GJS finds the override, gi://Loop" gjs_installed -m "$dir/module.js"
fi
if [ -n "$LOOP_VAPI" ]; then
  vapidir=$(dirname "$(find "$root" -path '*/share/vala/vapi/libloop-1.vapi')")
  check "libloop-1.vapi" test -s "$vapidir/libloop-1.vapi"
  check "libloop-1.deps names what it needs" grep -qx gio-2.0 "$vapidir/libloop-1.deps"
fi
if [ -n "$HAVE_VALA" ]; then
  echo 'void main () { new Loop.EventLoop ().close (); }' >"$dir/program.vala"
  # valac looks into vala/vapi/ of every folder of XDG_DATA_DIRS.
  vala_program ()
  {
    PKG_CONFIG_PATH=$dir/pc XDG_DATA_DIRS=${vapidir%/vala/vapi} \
      "$VALAC" --quiet --fatal-warnings --cc="${CC%% *}" --pkg libloop-1 \
      --directory="$dir" --output=vala-program "$dir/program.vala" -X -w &&
      LD_LIBRARY_PATH=$libdir "$dir/vala-program"
  }
  check "a Vala program builds and runs with the installed VAPI" vala_program
fi
if [ -x "$LOOP_BUILDDIR/loopctl/loopctl" ]; then
  loopctl () { LD_LIBRARY_PATH=$libdir "$(find "$root" -path '*/bin/loopctl')" --version; }
  check "loopctl --version" loopctl
fi
finish
