# SPDX-License-Identifier: LGPL-2.1-or-later
"""A certificate for tests that speak TLS."""

import os
import ssl
import subprocess


def make(folder):
    """For localhost and 127.0.0.1: the paths of the certificate and its key."""
    paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


def make_contexts(folder):
    """Those of a server, and of a client that trusts it alone."""
    path, key = make(folder)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path, key)
    return server, ssl.create_default_context(cafile=path)
