/**
 * The `openssl` command: a second opinion on keys and certificates.
 *
 * @module
 */

/** Runs `openssl` and returns its output; throws Error when it fails. */
export async function openssl(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("openssl", {
    args,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`openssl ${args[0]} failed: ${text(stderr)}`);
  return text(stdout);
}
