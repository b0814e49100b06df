/** Carries one command at a time to one TPM. Not re-entrant: callers queue. */
export interface Transport extends AsyncDisposable {
  /** What it leads to, for messages: `/dev/tpmrm0`, `swtpm at 127.0.0.1:2321`. */
  readonly target: string;
  /**
   * Whether something between us and the TPM gives back what a client leaves
   * behind, as the kernel's resource manager does. Where nothing does, the
   * next client finds the leftovers.
   */
  readonly hasResourceManager: boolean;
  /**
   * Sends a whole command and resolves with the whole response, headers
   * included. Throws TransportError when that is not possible.
   */
  transmit(command: Uint8Array): Promise<Uint8Array>;
}

/** The TPM could not be reached, or answered no TPM frame. */
export class TransportError extends Error {
  /** The class's name, also after bundling. */
  override readonly name = "TransportError";
  /** Whether the command was refused before the TPM saw it: others may follow. */
  readonly isInStep: boolean;

  /** What failed; out of step unless told. */
  constructor(
    message: string,
    { isInStep = false, ...options }: ErrorOptions & {
      readonly isInStep?: boolean;
    } = {},
  ) {
    super(message, options);
    this.isInStep = isInStep;
  }
}
