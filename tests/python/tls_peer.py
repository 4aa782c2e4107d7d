"""The other end of TLS, on Python's ssl (OpenSSL): an engine, or an instrument. Needs no package.

    tls_peer.py engine  FILE [key=value ..]     listens on 127.0.0.1, prints its port, appends every message to FILE in
                                                its MLLP frame and answers AA; prints what becomes of each connection
    tls_peer.py sender  PORT [key=value ..]     connects, sends one LIS01 message, prints "acknowledged" or what failed

keys: cert, key (files; the engine's own, or the sender's), ca (file; whom it trusts: the engine then asks for a
certificate), version (1.2 or 1.3: that one only), plain (1: no TLS), once (1: the engine hangs up after each answer),
sample (what the sender sends).

An engine stops when its standard input ends.
"""

import os
import socket
import ssl
import sys
import threading

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def say(text):
    print(text, flush=True)


def context(side, options):
    made = ssl.SSLContext(side)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if "cert" in options:
        made.load_cert_chain(options["cert"], options["key"])
    if "ca" in options:
        made.load_verify_locations(options["ca"])
        made.verify_mode = ssl.CERT_REQUIRED
    if "version" in options:
        made.minimum_version = made.maximum_version = VERSIONS[options["version"]]
    return made


class Engine:
    def __init__(self, path, options):
        self.path, self.options = path, options
        self.context = None if "plain" in options else context(ssl.PROTOCOL_TLS_SERVER, options)

    def serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False)
                say(f"{connection.version()} {common_name(connection)}")
            self.talk(connection)
        except ssl.SSLEOFError:
            say("cut off without close_notify")
        except (ssl.SSLError, OSError) as error:
            say(f"refused: {getattr(error, 'reason', None) or error}")
        finally:
            connection.close()

    def talk(self, connection):
        buffer = b""
        while True:
            data = connection.recv(65536)
            if not data:
                say("closed")
                return
            buffer += data
            while b"\x1c\r" in buffer:
                frame, buffer = buffer.split(b"\x1c\r", 1)
                message = frame.lstrip(b"\x0b")
                control_id = message.split(b"\r")[0].split(b"|")[9]
                with open(self.path, "ab") as file:
                    file.write(b"\x0b" + message + b"\x1c\r")
                ack = b"MSH|^~\\&|ENGINE|HOSP|||20260601||ACK|1|P|2.5.1\rMSA|AA|" + control_id + b"\r"
                connection.sendall(b"\x0b" + ack + b"\x1c\r")
                if "once" in self.options:
                    # Python's close says nothing to the other side: the answer comes, and then the connection breaks.
                    return


def common_name(connection):
    certificate = connection.getpeercert()
    if not certificate:
        return "-"
    return dict(pair[0] for pair in certificate["subject"]).get("commonName", "?")


def engine(path, options):
    open(path, "ab").close()
    made = Engine(path, options)
    listener = socket.create_server(("127.0.0.1", 0))
    say(listener.getsockname()[1])

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=made.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.buffer.read()
    os._exit(0)


def frame(number, text):
    body = b"%d" % number + text + b"\r\x03"
    return b"\x02" + body + b"%02X" % (sum(body) & 255) + b"\r\n"


def sender(port, options):
    records = [
        b"H|\\^&|||RIG^1|||||||P|1|20260601101500",
        b"P|1",
        b"O|1|" + options.get("sample", "T-1").encode() + b"||^^^ALL|R||||||N",
        b"R|1|^^^GLU|5.4|mmol/L||N||F||||20260601101500",
        b"L|1|N",
    ]
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        if "plain" not in options:
            connection = context(ssl.PROTOCOL_TLS_CLIENT, options).wrap_socket(connection)
        for bytes_ in [b"\x05"] + [frame(n % 8, text) for n, text in enumerate(records, 1)]:
            connection.sendall(bytes_)
            answer = connection.recv(1)
            if answer != b"\x06":
                say(f"answered {answer!r}")
                return
        connection.sendall(b"\x04")
        say("acknowledged")
        # Until its standard input ends it stays connected; then one more byte shows whether it still may speak.
        sys.stdin.buffer.read()
        connection.sendall(b"\x05")
        say(f"answered {connection.recv(1)!r}")
    except (ssl.SSLError, OSError) as error:
        say(f"refused: {getattr(error, 'reason', None) or error}")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("engine", "sender"):
        sys.exit(__doc__)
    given = dict(pair.split("=", 1) for pair in sys.argv[3:])
    if sys.argv[1] == "engine":
        engine(sys.argv[2], given)
    else:
        sender(int(sys.argv[2]), given)
