import { MAX_FRAME_SIZE } from "../commands/frame.ts";
import { type Transport, TransportError } from "./transport.ts";

/** Advice for the ways in which opening a TPM device fails. */
function advice(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) {
    return "the device does not exist; is a TPM 2.0 present and enabled in " +
      "the firmware?";
  }
  if (
    error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable
  ) {
    return "access is denied; the agent's user must be in the group that " +
      "owns the device, usually tss";
  }
  if (error instanceof Deno.errors.Busy) {
    return "another program holds the device; use /dev/tpmrm0, which many " +
      "programs can share";
  }
  return "it cannot be opened";
}

/**
 * Opens a TPM character device. The kernel wants each command in one write and
 * gives each response in one read.
 */
export async function openDevice(path: string): Promise<Transport> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true });
  } catch (error) {
    throw new TransportError(`TPM device ${path}: ${advice(error)}`, {
      cause: error,
    });
  }
  const answer = new Uint8Array(MAX_FRAME_SIZE);
  return {
    target: path,
    hasResourceManager: /\/tpmrm\d+$/.test(path),
    async transmit(command): Promise<Uint8Array> {
      let isInStep = true;
      try {
        // The write runs the command: where it fails, no answer is waiting.
        const written = await file.write(command);
        isInStep = false;
        if (written !== command.length) {
          throw new TransportError(
            `it took ${written} of ${command.length} bytes`,
          );
        }
        const size = await file.read(answer);
        if (size === null) throw new TransportError("it gave no response");
        return answer.slice(0, size);
      } catch (cause) {
        const message = `TPM device ${path} failed`;
        throw new TransportError(message, { cause, isInStep });
      }
    },
    [Symbol.asyncDispose](): Promise<void> {
      file.close();
      return Promise.resolve();
    },
  };
}
