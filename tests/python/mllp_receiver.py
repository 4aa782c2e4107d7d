"""An engine to send to, on the MLLP server of the package `hl7`: none of Orugate's code.

    mllp_receiver.py FILE [CODE]

Listens on 127.0.0.1, prints its port as the first line, appends every message to FILE in its MLLP frame (so that
check_oru.py reads it), and then answers it with CODE (AA). A byte before a frame ends the connection, as it does
with every user of that server. Stops when its standard input ends; prints "N messages" last.
"""

import asyncio
import sys

import hl7
import hl7.mllp

LIMIT = 16 * 1024 * 1024


class Receiver:
    def __init__(self, path, code):
        self.path, self.code, self.count = path, code, 0

    async def serve(self, reader, writer):
        try:
            while True:
                block = await reader.readblock()
                ack = hl7.parse(block.decode("utf-8")).create_ack(self.code)
                with open(self.path, "ab") as file:
                    file.write(b"\x0b" + block + b"\x1c\r")
                self.count += 1
                writer.writeblock((str(ack).rstrip("\r") + "\r").encode("utf-8"))
                await writer.drain()
        except asyncio.IncompleteReadError as error:
            if error.partial:
                print(f"the connection ended inside a message, after {len(error.partial)} bytes", flush=True)
        except ConnectionError as error:
            print(f"the connection was lost: {error}", flush=True)
        except Exception as error:  # A bad block, not UTF-8, no HL7: said, and the connection is closed.
            print(f"refused: {type(error).__name__} {error}", flush=True)
        finally:
            writer.close()


async def main(path, code):
    open(path, "ab").close()
    receiver = Receiver(path, code)
    server = await hl7.mllp.start_hl7_server(receiver.serve, host="127.0.0.1", port=0, encoding="utf-8", limit=LIMIT)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    server.close()
    print(f"{receiver.count} messages", flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "AA"))
