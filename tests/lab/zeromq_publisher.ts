/**
 * A ZeroMQ publisher made with libzmq, the library that Keylime's own broker
 * used: the current verifier starts none, whatever its configuration says.
 *
 * @module
 */

import { baseEnvironment } from "./command.ts";
import { ensureLab } from "./tools.ts";

/** Says when somebody has subscribed, then sends each line it is given. */
const SCRIPT = `
import sys, zmq
socket = zmq.Context().socket(zmq.XPUB)
socket.bind(sys.argv[1])
assert socket.recv() == b"\\x01"
print("subscribed", flush=True)
for line in sys.stdin.buffer:
    socket.send(line.rstrip(b"\\n"))
`;

/** A publisher that has one subscriber. */
export class ZeromqPublisher implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
  }

  /** Starts one on loopback; resolves when somebody has subscribed to all. */
  static async start(port: number): Promise<ZeromqPublisher> {
    const { python } = await ensureLab();
    const child = new Deno.Command(python, {
      args: ["-c", SCRIPT, `tcp://127.0.0.1:${port}`],
      env: baseEnvironment(),
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const publisher = new ZeromqPublisher(child);
    const [said] = await Array.fromAsync(firstOf(child.stdout));
    if (said !== "subscribed\n") {
      await publisher[Symbol.asyncDispose]();
      throw new Error("Nobody subscribed to the ZeroMQ publisher");
    }
    return publisher;
  }

  /** Sends `value` as JSON in one frame. */
  async send(value: unknown): Promise<void> {
    await this.#input.write(
      new TextEncoder().encode(`${JSON.stringify(value)}\n`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.abort().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
  }
}

/** The first piece of text in `stream`, which is then cancelled. */
async function* firstOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    yield text;
    return;
  }
}
