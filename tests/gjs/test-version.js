// SPDX-License-Identifier: LGPL-2.1-or-later

import GLib from 'gi://GLib';
import Loop from 'gi://Loop?version=1.0';

import { assertEqual, done, test } from './tap.js';

test ('version', () => {
  const found = [Loop.get_major_version (), Loop.get_minor_version (), Loop.get_micro_version ()];
  assertEqual (found.join ('.'), GLib.getenv ('LOOP_VERSION'));
});

done ();
